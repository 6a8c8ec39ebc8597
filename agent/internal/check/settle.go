package check

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// Settled takes the backend's word on a batch: accepted checks are now on their way to an
// answer, refused ones become tasks. All rows change in one commit.
func (d *Desk) Settled(ctx context.Context, r wire.Receipt) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var told []casebook.Case
	for _, res := range r.Results {
		c, ok, err := d.Book.Get(ctx, res.ID)
		if err != nil {
			return err
		}
		if ok && d.told(&c, res.Status, res.Code) {
			told = append(told, c)
		}
	}
	return d.keep(ctx, told)
}

// told changes a case by the backend's word on its record, and tells whether it did. The
// first word counts, but for a refusal: a record that the backend forgot and then refuses
// will never be answered. Where the backend's payer is not asked, its word says nothing of
// the question: a refusal is then a task beside it. A case that was taken back stays so.
func (d *Desk) told(c *casebook.Case, status wire.Status, code string) bool {
	now := d.Now().UTC()
	switch status {
	case wire.Accepted, wire.Duplicate:
		if c.State != eligibility.Queued || !asksPayer(c) {
			return false
		}
		c.State, c.SentAt = eligibility.Sent, now
	case wire.Rejected, wire.Conflict:
		if c.Refusal != "" || c.State == eligibility.Voided || (asksPayer(c) && !c.Waits()) {
			return false
		}
		if c.Refusal = code; c.Refusal == "" {
			c.Refusal = string(fault.Unknown)
		}
		if asksPayer(c) {
			c.State = eligibility.Refused
		}
		if !c.Task.Open() { // else a person looks already, at what matters more to the patient
			c.Task = &casebook.Task{Kind: casebook.TaskRefused, RaisedAt: now}
		}
	default:
		return false
	}
	return true
}

// RefusalDamaged is the Refusal of a case whose record can not be read any more and so was
// never sent.
const RefusalDamaged = "damaged"

// Reconcile brings rows up to what the queue knows of their records: a row that waits for
// a record which was settled, or lost to a damaged disk, would wait for ever. It also puts
// into the queue what rows owe it.
func (d *Desk) Reconcile(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.settleDebts(ctx); err != nil {
		return err
	}
	ids, err := d.Book.IDs(ctx, (*casebook.Row).Waits)
	if err != nil || len(ids) == 0 {
		return err
	}
	fates, err := d.Queue.Fates(ctx, ids)
	if err != nil {
		return err
	}
	var told []casebook.Case
	for id, f := range fates {
		switch {
		case f.Waiting:
			continue
		case f.Damaged:
			f.Status, f.Code = wire.Rejected, RefusalDamaged
		case f.Gone():
			f.Status = wire.Accepted
		}
		c, ok, err := d.Book.Get(ctx, id)
		if err != nil {
			return err
		}
		if ok && d.told(&c, f.Status, f.Code) {
			told = append(told, c)
		}
	}
	return d.keep(ctx, told)
}

// keep stores changed cases in one commit and tells the watchers.
func (d *Desk) keep(ctx context.Context, changed []casebook.Case) error {
	if len(changed) == 0 {
		return nil
	}
	if err := d.Book.Put(ctx, changed...); err != nil {
		return err
	}
	d.changed()
	return nil
}

// settleDebts puts into the queue what rows owe it, in order of their records. The caller
// holds mu.
func (d *Desk) settleDebts(ctx context.Context) error {
	ids, err := d.Book.IDs(ctx, (*casebook.Row).Owes)
	if err != nil {
		return err
	}
	slices.Sort(ids)
	for _, id := range ids {
		c, ok, err := d.Book.Get(ctx, id)
		if err != nil {
			return err
		}
		if ok {
			if err := d.pay(ctx, &c); err != nil {
				return err
			}
		}
	}
	return nil
}

// pay puts into the queue what one row owes it, each record under the ID that it was given.
func (d *Desk) pay(ctx context.Context, c *casebook.Case) error {
	for len(c.Owed) > 0 {
		owed := c.Owed[0]
		err := d.storeAs(ctx, queue.Draft{ID: owed.ID, Kind: owed.Kind, At: owed.At}, nil, func(wire.Record) (json.RawMessage, []*casebook.Case, error) {
			paid := *c
			paid.Owed = c.Owed[1:]
			return owed.Body, []*casebook.Case{&paid}, nil
		})
		if err != nil {
			return err
		}
		c.Owed = c.Owed[1:]
	}
	return nil
}

// owe notes on a row a wire record that is to follow it into the queue.
func (d *Desk) owe(c *casebook.Case, kind wire.Kind, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("cannot encode a record: %w", err)
	}
	id, err := d.Queue.NewID()
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "cannot make an id")
	}
	c.Owed = append(slices.Clip(c.Owed), casebook.Owed{ID: id, Kind: kind, At: d.Now().UTC(), Body: raw})
	return nil
}

// Take opens sealed answers, puts each on its case and saves the cursor in the same
// commit, so that an answer is neither lost nor taken twice. An answer that cannot be
// opened or is for another record is told to Rejected and passed over.
func (d *Desk) Take(ctx context.Context, answers []wire.Answer, cursor uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var puts []vault.Put
	var taken []casebook.Case
	for _, a := range answers {
		c, err := d.answered(ctx, a)
		if err != nil {
			d.Rejected(a.RecordID, err)
			continue
		}
		if c.RecordID == "" {
			continue // nothing changed
		}
		row, err := casebook.Encode(c)
		if err != nil {
			return err
		}
		puts = append(puts, vault.Put{Shelf: casebook.ShelfName, Key: c.RecordID, Value: row})
		taken = append(taken, c)
	}
	if err := d.Queue.SaveAnswers(ctx, cursor, puts); err != nil {
		d.Book.Unsure(ids(taken)...)
		return err
	}
	d.Book.Written(taken...)
	d.changed()
	return nil
}

func ids(cases []casebook.Case) []string {
	ids := make([]string, 0, len(cases)+1)
	for i := range cases {
		ids = append(ids, cases[i].RecordID)
	}
	return ids
}

// answered gives the case as the payer's answer changes it, the zero case where it changes
// nothing.
func (d *Desk) answered(ctx context.Context, sealed wire.Answer) (casebook.Case, error) {
	c, ok, err := d.Book.Get(ctx, sealed.RecordID)
	switch {
	case err != nil:
		return c, err
	case !ok:
		return c, fault.New(fault.NotFound, "there is no case for this answer")
	case !open(&c):
		return casebook.Case{}, nil
	case sealed.Code != "": // the payer could not read the inquiry: no word, a person looks
		c.State, c.Refusal = eligibility.Refused, sealed.Code
		c.Task = &casebook.Task{Kind: casebook.TaskRefused, RaisedAt: d.Now().UTC()}
		return c, nil
	}
	plain, err := d.Open(sealed.Sealed)
	if err != nil {
		return c, fmt.Errorf("cannot open the answer: %w", err)
	}
	answer, err := eligibility.ParseAnswer(plain)
	if err != nil {
		return c, err
	}
	return c, d.take(&c, answer)
}

// open tells that the case still takes a word on it: the first counts, after an error of
// the check the next. What was taken back takes none.
func open(c *casebook.Case) bool {
	switch c.State {
	case eligibility.Voided, eligibility.Reviewed:
		return false
	case eligibility.Answered:
		return c.Answer == nil || c.Answer.Validity == eligibility.CheckFailed
	}
	return true
}

// take puts an answer on its case, with a task where a person must look.
func (d *Desk) take(c *casebook.Case, answer eligibility.Answer) error {
	if answer.RecordID != c.RecordID || answer.VisitDay != c.VisitDay {
		return fault.New(fault.Conflict, "the answer is for another record or another day")
	}
	now := d.Now().UTC()
	if c.State == eligibility.Refused || c.State == eligibility.Answered {
		c.Refusal, c.RefusedField, c.Unsendable, c.Task = "", "", "", nil // a word came after all
	}
	c.State, c.Answer, c.AnsweredAt = eligibility.Answered, &answer, now
	if kind, differences := judge(c, answer); kind != "" {
		c.Task = &casebook.Task{Kind: kind, Differences: differences, RaisedAt: now}
	}
	return nil
}

// judge tells why a person must look at an answer; "" where nobody must.
func judge(c *casebook.Case, answer eligibility.Answer) (casebook.TaskKind, []eligibility.Difference) {
	if answer.Validity == eligibility.CheckFailed {
		return casebook.TaskFailed, nil
	}
	differences := eligibility.Compare(c.Assumed, answer)
	if other := contradictions(c, answer); len(other) > 0 {
		return casebook.TaskOtherPerson, append(other, differences...)
	}
	if len(differences) > 0 {
		return casebook.TaskDiffers, differences
	}
	return "", nil
}
