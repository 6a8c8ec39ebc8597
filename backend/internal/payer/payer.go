// Package payer answers eligibility checks: it asks the payer that a check names, seals
// the answer to the terminal, and stores it.
//
// It promises: numbers are opened only inside a payer, in the job's memory; every answer
// is for the check's visit day; an answer, its record's state and its access entry commit
// together, once, however often the job runs; a payer that cannot answer, or has no word
// yet, leaves the record open and is asked again at growing distances, without standing
// before the others; nothing becomes invalid because nobody answered.
package payer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"filippo.io/age"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/wire"
)

// Check is one sealed question to a payer.
type Check struct {
	RecordID string
	VisitDay civil.Date // as the terminal wrote it outside the seal
	Sealed   []byte
}

// Subject is a citizen whose coverage an answer tells of.
type Subject struct {
	Citizen      identity.CitizenID
	Municipality identity.MunicipalityCode
}

// Finding is a payer's word on one check. Refused says why the inquiry could not be read;
// then there is no Answer. Waiting says that there is no word yet: the check stays open and
// is asked again, not before Again has passed where that is given. A Finding without all
// three is a fault of the payer.
type Finding struct {
	Answer   eligibility.Answer
	Refused  fault.Code
	Waiting  bool
	Again    time.Duration
	Subjects []Subject
}

// Payer is one place that answers.
type Payer interface {
	// ID names the payer in profiles and checks.
	ID() string
	// Answer gives one finding per check, in order. An error means that the payer cannot
	// answer now: nothing is decided, and it will be asked again.
	Answer(ctx context.Context, who actor.System, purpose audit.Purpose, checks []Check) ([]Finding, error)
}

// Inbox is the part of intake that holds the checks. *intake.Intake implements it.
type Inbox interface {
	OpenChecks(ctx context.Context, who actor.System, purpose audit.Purpose, batch string) ([]intake.Stored, error)
	OpenBatches(ctx context.Context, who actor.System, purpose audit.Purpose, before time.Time, limit int) ([]string, error)
	Postpone(ctx context.Context, who actor.System, purpose audit.Purpose, terminal string, all []intake.Postponement) error
	Settle(ctx context.Context, who actor.System, purpose audit.Purpose, terminal string, all []intake.Settlement,
		also func(ctx context.Context, t tx.Tx, closed map[string]bool) error) error
}

// Terminals tells what answers are sealed to. *fleet.Fleet implements it.
type Terminals interface {
	Recipient(ctx context.Context, who actor.System, purpose audit.Purpose, terminal string) (string, error)
}

// Record is the part of the access record that is written here. *audit.Log implements it.
type Record interface {
	Append(ctx context.Context, t tx.Tx, a actor.Actor, e audit.Event) error
}

// Deps are what a Desk works with; all are needed.
type Deps struct {
	Inbox     Inbox
	Terminals Terminals
	Record    Record
	Payers    []Payer
	Log       *slog.Logger
	Now       func() time.Time
}

// Desk takes the checks of a batch to their payers. It is safe for concurrent use.
type Desk struct {
	Deps
	payers map[string]Payer
}

// New makes a Desk.
func New(d Deps) *Desk {
	x := &Desk{Deps: d, payers: map[string]Payer{}}
	for _, p := range d.Payers {
		x.payers[p.ID()] = p
	}
	return x
}

// Sizes and times of the work.
const (
	chunk      = 50               // checks of one transaction
	SweepAfter = intake.LookAgain // a record open for longer is looked for by Sweep
	sweepLimit = 100              // batches of one Sweep
	firstGap   = time.Minute      // until a payer without a word is asked again; doubled each time
	longestGap = time.Hour
)

// AnswerBatch answers the open checks of one batch that are due. It may run any number of
// times, also at once. An error means that a payer could not answer; the checks of others
// are answered.
func (x *Desk) AnswerBatch(ctx context.Context, who actor.System, purpose audit.Purpose, batch string) error {
	return x.answer(ctx, who, purpose, batch, nil)
}

// answer does the work of AnswerBatch. Where out is given, the payers in it are not asked:
// what they would be asked, and what fails now, is postponed.
func (x *Desk) answer(ctx context.Context, who actor.System, purpose audit.Purpose, batch string, out map[string]bool) error {
	open, err := x.Inbox.OpenChecks(ctx, who, purpose, batch)
	if err != nil || len(open) == 0 {
		return err
	}
	recipient, err := x.recipient(ctx, who, purpose, open[0].Terminal)
	if err != nil {
		return err
	}
	w := &work{desk: x, who: who, purpose: purpose, terminal: open[0].Terminal, recipient: recipient}
	byPayer, unreadable := x.sort(open)
	errs := []error{w.settle(ctx, unreadable)}
	for _, id := range slices.Sorted(maps.Keys(byPayer)) {
		if err := w.askAll(ctx, id, byPayer[id], out); err != nil {
			errs = append(errs, fmt.Errorf("cannot answer checks for payer %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

func (x *Desk) recipient(ctx context.Context, who actor.System, purpose audit.Purpose, terminal string) (age.Recipient, error) {
	s, err := x.Terminals.Recipient(ctx, who, purpose, terminal)
	if err != nil {
		return nil, err
	}
	return age.ParseX25519Recipient(s)
}

// question is a check with how often its payer had no word.
type question struct {
	Check
	asked int
}

// sort groups the checks that are due by payer. A check for a payer that is not here is
// refused: only a person can mend it.
func (x *Desk) sort(open []intake.Stored) (map[string][]question, []outcome) {
	byPayer := map[string][]question{}
	var refused []outcome
	now := x.Now()
	for _, r := range open {
		if r.Asked > 0 && r.DueAt.After(now) {
			continue
		}
		c, err := wire.DecodeEligibilityCheck(r.Body)
		if err == nil && x.payers[c.Payer] == nil {
			err = fault.At(fault.NotFound, "body.payer", "there is no such payer")
		}
		if err != nil {
			refused = append(refused, outcome{Settlement: intake.Settlement{RecordID: r.ID, Code: fault.CodeOf(err)}})
			continue
		}
		byPayer[c.Payer] = append(byPayer[c.Payer], question{Check{RecordID: r.ID, VisitDay: c.VisitDay, Sealed: c.Sealed}, r.Asked})
	}
	return byPayer, refused
}

// work is one run over one terminal's batch.
type work struct {
	desk      *Desk
	who       actor.System
	purpose   audit.Purpose
	terminal  string
	recipient age.Recipient
}

type outcome struct {
	intake.Settlement
	subjects []Subject
}

// askAll asks one payer, a chunk after the other, until it fails.
func (w *work) askAll(ctx context.Context, id string, all []question, out map[string]bool) error {
	if out[id] {
		return w.postpone(ctx, all, nil)
	}
	for len(all) > 0 {
		some := all[:min(chunk, len(all))]
		if err := w.ask(ctx, w.desk.payers[id], some); err != nil {
			if out == nil {
				return err
			}
			out[id] = true
			return errors.Join(err, w.postpone(ctx, all, nil))
		}
		all = all[len(some):]
	}
	return nil
}

func (w *work) ask(ctx context.Context, p Payer, some []question) error {
	checks := make([]Check, len(some))
	for i, q := range some {
		checks[i] = q.Check
	}
	findings, err := p.Answer(ctx, w.who, w.purpose, checks)
	if err != nil {
		return err
	}
	if len(findings) != len(checks) {
		return fault.New(fault.Internal, "the payer answered another number of checks than it was asked")
	}
	var all []outcome
	var waiting []question
	var again []time.Duration
	for i, f := range findings {
		if f.Waiting {
			waiting, again = append(waiting, some[i]), append(again, f.Again)
			continue
		}
		o := outcome{intake.Settlement{RecordID: checks[i].RecordID, Code: f.Refused}, f.Subjects}
		if f.Refused == "" {
			if o.Sealed, err = w.seal(checks[i], f.Answer); err != nil {
				return err
			}
		}
		all = append(all, o)
	}
	if err := w.settle(ctx, all); err != nil {
		return err
	}
	return w.postpone(ctx, waiting, again)
}

// postpone leaves checks open until a time that is later each time they were asked, and
// not before what the payer said, where it said it.
func (w *work) postpone(ctx context.Context, all []question, again []time.Duration) error {
	if len(all) == 0 {
		return nil
	}
	now := w.desk.Now()
	later := make([]intake.Postponement, len(all))
	for i, q := range all {
		gap := longestGap
		if q.asked < 6 { // 2^6 minutes are more than the longest
			gap = min(gap, firstGap<<q.asked)
		}
		if again != nil {
			gap = max(gap, min(again[i], longestGap))
		}
		later[i] = intake.Postponement{RecordID: q.RecordID, Until: now.Add(gap)}
	}
	return w.desk.Inbox.Postpone(ctx, w.who, w.purpose, w.terminal, later)
}

// seal checks that the answer is a word about this check before anybody may read it.
func (w *work) seal(c Check, a eligibility.Answer) ([]byte, error) {
	if a.RecordID != c.RecordID || a.VisitDay != c.VisitDay {
		return nil, fault.New(fault.Internal, "the payer answered for another record or day")
	}
	plain, err := a.Encode()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the payer's answer is malformed")
	}
	var out bytes.Buffer
	to, err := age.Encrypt(&out, w.recipient)
	if err != nil {
		return nil, fmt.Errorf("cannot seal an answer: %w", err)
	}
	if _, err := to.Write(plain); err != nil {
		return nil, fmt.Errorf("cannot seal an answer: %w", err)
	}
	if err := to.Close(); err != nil {
		return nil, fmt.Errorf("cannot seal an answer: %w", err)
	}
	return out.Bytes(), nil
}

func (w *work) settle(ctx context.Context, all []outcome) error {
	if len(all) == 0 {
		return nil
	}
	settlements := make([]intake.Settlement, len(all))
	for i, o := range all {
		settlements[i] = o.Settlement
		if o.Code != "" {
			w.desk.Log.LogAttrs(ctx, slog.LevelWarn, "eligibility check refused", slog.String("terminal", w.terminal),
				slog.String("record", o.RecordID), slog.String("code", string(o.Code)))
		}
	}
	return w.desk.Inbox.Settle(ctx, w.who, w.purpose, w.terminal, settlements,
		func(ctx context.Context, t tx.Tx, closed map[string]bool) error {
			for _, o := range all {
				if !closed[o.RecordID] {
					continue
				}
				if err := w.log(ctx, t, o); err != nil {
					return err
				}
			}
			return nil
		})
}

// log names the terminal as the one who learnt the answer.
func (w *work) log(ctx context.Context, t tx.Tx, o outcome) error {
	for _, s := range o.subjects {
		if err := w.desk.Record.Append(ctx, t, actor.Terminal{ID: w.terminal}, audit.Event{
			Purpose: w.purpose, Action: "eligibility.answer", CitizenID: s.Citizen, Municipality: s.Municipality,
			Object: o.RecordID, Items: []string{"coverage"},
		}); err != nil {
			return err
		}
	}
	return nil
}

// Sweep answers checks that are due: their job was lost, or their payer had no word or was
// out. A payer that fails is asked no more in this Sweep.
func (x *Desk) Sweep(ctx context.Context, who actor.System, purpose audit.Purpose) error {
	batches, err := x.Inbox.OpenBatches(ctx, who, purpose, x.Now(), sweepLimit)
	if err != nil {
		return err
	}
	var errs []error
	out := map[string]bool{}
	for _, b := range batches {
		if ctx.Err() != nil {
			break
		}
		if err := x.answer(ctx, who, purpose, b, out); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Unseal opens one inquiry for a payer with its key. Everything inside is checked against what stands outside.
func Unseal(key age.Identity, c Check) (eligibility.Inquiry, error) {
	bad := fault.At(fault.InvalidArgument, "sealed", "cannot be opened")
	in, err := age.Decrypt(bytes.NewReader(c.Sealed), key)
	if err != nil {
		return eligibility.Inquiry{}, bad
	}
	plain, err := io.ReadAll(io.LimitReader(in, eligibility.MaxInquiryBytes+1))
	if err != nil {
		return eligibility.Inquiry{}, bad
	}
	q, err := eligibility.ParseInquiry(plain)
	if err != nil {
		return eligibility.Inquiry{}, err
	}
	if q.RecordID != c.RecordID || q.VisitDay != c.VisitDay {
		return eligibility.Inquiry{}, fault.At(fault.Conflict, "sealed", "belongs to another record or day")
	}
	return q, nil
}
