package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/oqs"
	"madoguchi.example/shared/wire"
)

// Asker asks the clinic's own 資格確認端末. oqsfolder.Exchange is one, behind an adapter for
// its Health. Asking twice under one RecordID is one question. An error that is
// InvalidArgument or TooLarge lies in the inquiry: asking again would not mend it.
type Asker interface {
	Ask(ctx context.Context, q eligibility.Inquiry) error
	Health() Health
}

// Health is how the clinic's own terminal stands.
type Health struct {
	Ready      bool
	Fault      string // a word, where it is not ready
	LastAnswer time.Time
}

// FaultFull is the fault of an exchange whose disk is this terminal's own trouble.
const FaultFull = "full"

// gaps are how long a question stays out before it is asked again; the last one repeats.
var gaps = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// MaxChase is how many questions one Chase asks at most.
const MaxChase = 100

// Chase asks the clinic's own terminal what is due: what waits, at once, and what is out
// without an answer, again and again with growing gaps (1, 5, 15 minutes, then hourly). It
// also puts into the queue what rows owe it. A question that is out is late after the
// answer timeout, never invalid. Outside the terminal's hours, and while it cannot be
// reached, nothing is asked; that is no error. Call it on a tick and on Kick; calls at the
// same time are one.
func (d *Desk) Chase(ctx context.Context) error {
	if !d.chasing.TryLock() {
		return nil
	}
	defer d.chasing.Unlock()
	debts := d.chaseDebts(ctx)
	now := d.Now()
	if d.Online == nil || (d.Hours != nil && !d.Hours(now)) || !d.Online.Health().Ready {
		return debts
	}
	due, _, err := d.Book.Top(ctx, MaxChase, func(r *casebook.Row) int {
		if r.Route() != eligibility.RouteTerminal || !d.due(r, now) {
			return -1
		}
		return min(r.Asked(), len(gaps)) // what was never asked first
	})
	if err != nil {
		return errors.Join(debts, err)
	}
	for _, c := range due {
		if err := d.ask(ctx, c); err != nil {
			return errors.Join(debts, err)
		}
	}
	return debts
}

func (d *Desk) chaseDebts(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settleDebts(ctx)
}

// due tells whether the question is to be asked now. A clock set back makes it due: when it
// was asked is then not known.
func (d *Desk) due(r *casebook.Row, now time.Time) bool {
	if s := r.State(); (s != eligibility.Queued && s != eligibility.Sent) || !r.HasNumbers() {
		return false
	}
	if r.Asked() == 0 {
		return true
	}
	asked, gap := r.AskedAt(), max(gaps[min(r.Asked(), len(gaps))-1], d.answerTimeout())
	if r.EndedAbnormally() {
		if asked.UnixMicro() < d.spoke.Load() {
			return true // the terminal has answered another question since
		}
		gap = min(gap, maxProbe)
	}
	return now.Before(asked) || !now.Before(asked.Add(gap))
}

// maxProbe is how long a question that ended abnormally waits at most: the national system
// may be back, and somebody has to find out.
const maxProbe = 5 * time.Minute

// endedAbnormally tells that the terminal took the question and could not answer it.
func endedAbnormally(c *casebook.Case) bool {
	return c.State == eligibility.Queued && c.Asked > 0 && c.Cause == eligibility.CauseTheirsAfter
}

// ask asks one question and notes that it is out. The file is written without mu, since a
// folder on another machine may hang and recording waits for nobody; what happened to the
// case meanwhile counts.
func (d *Desk) ask(ctx context.Context, c casebook.Case) error {
	asked := d.Now().UTC()
	c, due, err := d.beginAsking(ctx, c.RecordID, asked)
	if err != nil || !due {
		return err
	}
	failed := d.Online.Ask(ctx, c.Inquiry)
	code := fault.CodeOf(failed)
	inquiry := code == fault.InvalidArgument || code == fault.TooLarge
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asking = ""
	if failed != nil && !inquiry {
		return failed
	}
	c, ok, err := d.Book.Get(ctx, c.RecordID)
	if err != nil || !ok || !c.Waits() {
		return err
	}
	if inquiry {
		c.State, c.Refusal, c.RefusedField = eligibility.Refused, refusalWord(failed), fault.PlaceOf(failed)
		if u, ok := errors.AsType[*oqs.UnsendableError](failed); ok {
			c.Unsendable = string(u.Runes)
		}
		c.Task = &casebook.Task{Kind: casebook.TaskRefused, RaisedAt: asked}
		return d.keep(ctx, []casebook.Case{c})
	}
	if c.Asked > 0 && c.Cause == eligibility.CauseNone {
		c.Cause = eligibility.CauseLineAfter // nothing came in time
	}
	c.State, c.AskedAt, c.Asked = eligibility.Sent, asked, c.Asked+1
	if c.SentAt.IsZero() {
		c.SentAt = asked
	}
	time.AfterFunc(d.answerTimeout(), d.changed)
	return d.keep(ctx, []casebook.Case{c})
}

// beginAsking notes whose question is about to be written. It is not due any more where the
// case was answered or taken back while others were asked.
func (d *Desk) beginAsking(ctx context.Context, recordID string, now time.Time) (casebook.Case, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok, err := d.Book.Get(ctx, recordID)
	if err != nil || !ok {
		return c, false, err
	}
	if row, ok := c.Row(); !ok || !d.due(&row, now) {
		return c, false, nil
	}
	d.asking = recordID
	return c, true, nil
}

// refusalWord is what the exchange said of an inquiry that it cannot write: a word, never
// a value.
func refusalWord(err error) string {
	if word := oqs.WordOf(err); word != "" {
		return word
	}
	return string(fault.CodeOf(err))
}

// TakeOnline takes an answer of the clinic's own terminal. It is matched by the record's ID
// alone and must be for the visit day. In progress leaves the question out; an abnormal end
// leaves it to be asked again, with the cause their_system_after; what the terminal says of
// the inquiry itself is an answer. The same answer again changes nothing, nor does one for a
// record that was taken back. Faults: NotFound where no record of this desk has that
// identifier, Conflict for another day or another answer than the one that came first.
// After any other error nothing was stored: give the answer again.
func (d *Desk) TakeOnline(ctx context.Context, r oqs.Result) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok, err := d.Book.Get(ctx, r.Identifier)
	switch {
	case err != nil:
		return err
	case !ok || c.Route != eligibility.RouteTerminal:
		return fault.New(fault.NotFound, "no record of this desk has that identifier")
	case !r.ForDay.IsZero() && r.ForDay != c.VisitDay: // an end without a word may name none
		return fault.New(fault.Conflict, "the answer is for another day than the visit")
	case r.Segment == oqs.InProgress || c.State == eligibility.Voided:
		return nil
	case r.Segment != oqs.Done:
		return d.abnormal(ctx, c)
	}
	answer, ok := r.Answer(c.RecordID, c.VisitDay)
	if !ok {
		return nil
	}
	if err := answer.Validate(); err != nil { // a word came and cannot be kept as it is: a person looks
		d.Rejected(c.RecordID, err)
		answer = eligibility.Answer{RecordID: c.RecordID, VisitDay: c.VisitDay, Validity: eligibility.CheckFailed, ErrorCode: ErrorMalformed}
	}
	switch {
	case c.Answer != nil && same(answer, *c.Answer):
		return nil
	case !open(&c):
		return fault.New(fault.Conflict, "the record has another answer, which came first")
	}
	d.spoke.Store(d.Now().UnixMicro())
	defer d.Kick() // what ended abnormally before is due now
	return d.conclude(ctx, c, answer)
}

// same compares answers as they are stored.
func same(a, b eligibility.Answer) bool {
	x, errX := a.Encode()
	y, errY := b.Encode()
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// ErrorMalformed is the ErrorCode of an answer that this desk cannot keep as it came.
const ErrorMalformed = "malformed"

// abnormal notes that the clinic's own terminal took the question and ended without a word.
func (d *Desk) abnormal(ctx context.Context, c casebook.Case) error {
	if !c.Waits() {
		return nil
	}
	if c.State == eligibility.Sent {
		c.State = eligibility.Queued
	}
	c.Cause = eligibility.CauseTheirsAfter
	return d.keep(ctx, []casebook.Case{c})
}

// conclude puts the terminal's answer on the row and its outcome into the queue, in one
// commit. A queue that is full keeps nobody from the answer: the outcome is then owed.
func (d *Desk) conclude(ctx context.Context, c casebook.Case, answer eligibility.Answer) error {
	late := c.Cause
	if waited := d.Now().Sub(c.AskedAt); late == eligibility.CauseNone && !c.AskedAt.IsZero() && waited >= d.answerTimeout() {
		late = eligibility.CauseLineAfter
	}
	c.Cause = late
	if err := d.take(&c, answer); err != nil {
		d.Rejected(c.RecordID, err)
		return nil
	}
	err := d.store(ctx, wire.KindEligibilityOutcome, c.AnsweredAt, func(wire.Record) (json.RawMessage, []*casebook.Case, error) {
		body, err := json.Marshal(outcome(&c))
		return body, []*casebook.Case{&c}, err
	})
	if fault.CodeOf(err) == fault.QueueFull {
		if err := d.owe(&c, wire.KindEligibilityOutcome, outcome(&c)); err != nil {
			return err
		}
		return d.keep(ctx, []casebook.Case{c})
	}
	if err != nil {
		return err
	}
	d.Kick()
	d.changed()
	return nil
}

func outcome(c *casebook.Case) wire.EligibilityOutcome {
	return wire.EligibilityOutcome{
		Of: c.RecordID, VisitDay: c.VisitDay, Validity: string(c.Answer.Validity), Cause: string(c.Cause),
		WaitedMS: max(c.AnsweredAt.Sub(c.RecordedAt).Milliseconds(), 0), Differing: c.Task.Open(),
	}
}

// cause works out why a check is recorded without an answer at once.
func (d *Desk) cause(c *casebook.Case) eligibility.Cause {
	reader := ""
	if d.Reader != nil {
		reader = d.Reader()
	}
	switch {
	case !c.HasNumbers() && reader != "":
		return eligibility.CauseReaderBefore
	case c.Route == eligibility.RouteTerminal:
		if cause := d.causeOfOnline(); cause != eligibility.CauseNone || c.HasNumbers() {
			return cause
		}
	default:
		if cause := d.causeOfLine(); cause != eligibility.CauseNone || c.HasNumbers() {
			return cause
		}
	}
	return eligibility.CauseCardBefore // everything works, and the card did not lead to the numbers
}

func (d *Desk) causeOfLine() eligibility.Cause {
	switch l := d.Line(); {
	case l.Up:
		return eligibility.CauseNone
	case l.Since.IsZero():
		return eligibility.CauseOursBefore
	}
	return eligibility.CauseLineBefore
}

func (d *Desk) causeOfOnline() eligibility.Cause {
	if d.Online == nil {
		return eligibility.CauseOursBefore
	}
	switch h := d.Online.Health(); {
	case h.Ready && (d.Hours == nil || d.Hours(d.Now())):
		return eligibility.CauseNone
	case h.Ready, h.Fault != FaultFull:
		return eligibility.CauseTheirsBefore
	}
	return eligibility.CauseOursBefore
}
