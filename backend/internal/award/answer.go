package award

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/remark"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

var (
	errLate    = fault.At(fault.Conflict, "deadline", "the last day to refuse is over: call the office")
	errSettled = fault.At(fault.Conflict, "state", "this was settled already: call the office")
	errNotOurs = fault.New(fault.Forbidden, "only clerks and protectors note what a family answered")
)

// answerBy is the last day to refuse: the run's deadline, or AnswerDays after the proven
// delivery where that is later.
func answerBy(deadline civil.Date, proven time.Time) civil.Date {
	own := civil.In(proven).AddDays(AnswerDays)
	if own.After(deadline) {
		return own
	}
	return deadline
}

// prove asks for proof of the notices that have none yet, stores it, and gives the awards
// that have it now. Awards are changed in place.
func (x *Office) prove(ctx context.Context, t tx.Tx, awards []Award) ([]Award, error) {
	var ask []mailbox.Delivered
	for _, a := range awards {
		if a.State == Noticed && a.AnswerBy.IsZero() {
			ask = append(ask, mailbox.Delivered{Citizen: a.Payee, Notice: a.Notice})
		}
	}
	if len(ask) == 0 {
		return nil, nil
	}
	proofs, err := x.Mail.Proofs(ctx, t, ask)
	if err != nil {
		return nil, err
	}
	var proven []Award
	for i := range awards {
		a := &awards[i]
		p, ok := proofs[a.Notice]
		if !ok || a.State != Noticed || !a.AnswerBy.IsZero() {
			continue
		}
		a.Proof, a.AnswerBy, a.State = p, answerBy(a.Deadline, p.At), Proven
		if a.AnswerBy.Before(x.today()) {
			a.State = Silent
		}
		proven = append(proven, *a)
	}
	return proven, x.Rows.AddProofs(ctx, t, proven)
}

// Open tells whether a decision with money has not ended: only then letters and refusals
// are noted.
func (a Award) Open() bool {
	return slices.Contains([]State{Noticed, Proven, Silent, Listed}, a.State)
}

// refusable tells whether the payee may refuse now: until 24:00 of AnswerBy.
func (x *Office) refusable(a Award) bool {
	return a.Open() && (a.AnswerBy.IsZero() || !x.today().After(a.AnswerBy))
}

// answer does something to one award for an officer who notes what a family answered.
func (x *Office) answer(ctx context.Context, who actor.Staff, purpose audit.Purpose, id, action string, do func(ctx context.Context, t tx.Tx, a Award) error) error {
	if !who.Has(actor.Clerk) && !who.Has(actor.Protector) {
		return errNotOurs
	}
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		a, err := x.awardOf(ctx, t, who, id)
		if err != nil {
			return err
		}
		if err := do(ctx, t, a); err != nil {
			return err
		}
		return x.looked(ctx, t, who, purpose, action, a.Municipality, a.ID, a.Withheld, a.people())
	})
}

// received checks a day on which something came in.
func (x *Office) received(a Award, on civil.Date) error {
	switch {
	case on.IsZero():
		return fault.At(fault.InvalidArgument, "on", "the day is missing")
	case on.After(x.today()):
		return fault.At(fault.InvalidArgument, "on", "the day lies in the future")
	case on.Before(civil.In(a.DecidedAt)):
		return fault.At(fault.InvalidArgument, "on", "the day lies before the decision")
	}
	return nil
}

// RecordLetter notes that the notice was delivered as a letter on the day: proof from which
// the family has AnswerDays of its own. The first proof counts.
func (x *Office) RecordLetter(ctx context.Context, who actor.Staff, purpose audit.Purpose, award string, on civil.Date) error {
	return x.answer(ctx, who, purpose, award, "benefit.letter", func(ctx context.Context, t tx.Tx, a Award) error {
		if err := x.received(a, on); err != nil {
			return err
		}
		if err := x.Mail.RecordLetter(ctx, t, who, hiding(purpose, a.Withheld), a.Payee, a.Notice, on); err != nil {
			return err
		}
		_, err := x.prove(ctx, t, []Award{a})
		return err
	})
}

// RecordRefusal notes a refusal that the office received on the day. One received in time
// wins until the list is approved; the same again changes nothing.
func (x *Office) RecordRefusal(ctx context.Context, who actor.Staff, purpose audit.Purpose, award string, receivedOn civil.Date, reason string) error {
	reason = strings.TrimSpace(reason)
	if err := remark.Check("reason", reason, 0, MaxReason); err != nil {
		return err
	}
	return x.answer(ctx, who, purpose, award, "benefit.refusal_received", func(ctx context.Context, t tx.Tx, a Award) error {
		if err := x.received(a, receivedOn); err != nil {
			return err
		}
		if !a.AnswerBy.IsZero() && receivedOn.After(a.AnswerBy) {
			return fault.At(fault.Conflict, "deadline", "the refusal came after the last day")
		}
		return x.refuse(ctx, t, a, Settlement{How: HowRefused, At: x.now(), By: who.ID, ReceivedOn: receivedOn, Channel: notice.Counter, Reason: reason})
	})
}

// refuse ends the award as refused, unless it has ended: the key of the settlement decides
// between a refusal and an approval at the same moment.
func (x *Office) refuse(ctx context.Context, t tx.Tx, a Award, s Settlement) error {
	if !a.Open() && a.State != Refused {
		return errSettled
	}
	stored, err := x.Rows.Settle(ctx, t, a, s)
	if err != nil || stored {
		return err
	}
	there, err := x.Rows.Settled(ctx, t, a)
	if err == nil && there.How != HowRefused {
		err = errSettled
	}
	return err
}

// Mine lists the awards that are paid to the citizen, newest first, at most MaxMine. The
// version changes whenever the list would. What a protection holds back is not there.
func (x *Office) Mine(ctx context.Context, who actor.Citizen, purpose audit.Purpose) (out []Award, version string, err error) {
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		if out, err = x.Rows.OfPayee(ctx, t, who.ID, x.today(), MaxMine); err != nil {
			return err
		}
		if out, err = x.shown(ctx, t, out); err != nil {
			return err
		}
		version = x.version(out)
		return x.looked(ctx, t, who, purpose, "benefit.mine", who.Municipality, "", false, []identity.CitizenID{who.ID})
	})
	return out, version, err
}

// shown completes what a family may see of its awards: nothing that was withheld, and
// nothing while a protection of anybody in it holds.
func (x *Office) shown(ctx context.Context, t tx.Tx, awards []Award) ([]Award, error) {
	flagged, err := x.Protections.Flagged(ctx, t, peopleOf(awards))
	if err != nil {
		return nil, err
	}
	awards = slices.DeleteFunc(awards, func(a Award) bool {
		return a.Withheld || slices.ContainsFunc(a.people(), func(id identity.CitizenID) bool { return flagged[id] })
	})
	if _, err := x.prove(ctx, t, awards); err != nil {
		return nil, err
	}
	return awards, x.complete(ctx, t, awards)
}

// version names what a list shows. Names of people may change without it.
func (x *Office) version(awards []Award) string {
	h := sha256.New()
	for _, a := range awards {
		fmt.Fprintf(h, "%s %s %s %s %t\n", a.ID, a.State, a.AnswerBy, a.Settled.How, a.Refusable)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// one reads one of the citizen's awards; another's, and one that is held back, is NotFound.
func (x *Office) one(ctx context.Context, t tx.Tx, who actor.Citizen, id string) (Award, error) {
	a, ok, err := x.Rows.ByID(ctx, t, id, x.today())
	if err != nil {
		return a, err
	}
	if !ok || a.Payee != who.ID {
		return Award{}, errNoAward
	}
	found, err := x.shown(ctx, t, []Award{a})
	if err != nil {
		return Award{}, err
	}
	if len(found) == 0 {
		return Award{}, errNoAward
	}
	return found[0], nil
}

// One gives one of the citizen's awards.
func (x *Office) One(ctx context.Context, who actor.Citizen, purpose audit.Purpose, id string) (Award, error) {
	var a Award
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		if a, err = x.one(ctx, t, who, id); err != nil {
			return err
		}
		return x.looked(ctx, t, who, purpose, "benefit.one", a.Municipality, a.ID, false, a.people())
	})
	return a, err
}

// sent reads one of the citizen's awards whose notice was sent to them. Where a protection
// holds since then, it says nothing of anybody.
func (x *Office) sent(ctx context.Context, t tx.Tx, who actor.Citizen, id string) (Award, error) {
	a, ok, err := x.Rows.ByID(ctx, t, id, x.today())
	if err != nil {
		return a, err
	}
	if !ok || a.Payee != who.ID || a.Withheld {
		return Award{}, errNoAward
	}
	flagged, err := x.Protections.Flagged(ctx, t, a.people())
	if err != nil {
		return a, err
	}
	if slices.ContainsFunc(a.people(), func(id identity.CitizenID) bool { return flagged[id] }) {
		a.Decision = Decision{Version: a.Version}
	}
	one := []Award{a}
	if _, err := x.prove(ctx, t, one); err != nil {
		return a, err
	}
	return one[0], x.complete(ctx, t, one)
}

// Refuse notes that the citizen does not want the payment, until 24:00 of AnswerBy in Japan,
// and gives the award as it stands. Again it changes nothing. Later it is a Conflict at
// "deadline". A family that was told can refuse also where a protection hides the award
// since then, because its silence would count.
func (x *Office) Refuse(ctx context.Context, who actor.Citizen, purpose audit.Purpose, id string) (Award, error) {
	var a Award
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		if a, err = x.sent(ctx, t, who, id); err != nil {
			return err
		}
		if a.Open() && !x.refusable(a) {
			return errLate
		}
		before := a.State
		if err := x.refuse(ctx, t, a, Settlement{How: HowRefused, At: x.now(), By: string(who.ID), ReceivedOn: x.today(), Channel: notice.App}); err != nil {
			return err
		}
		if a, err = x.sent(ctx, t, who, id); err != nil {
			return err
		}
		action := "benefit.refuse"
		if before == Refused {
			action = "benefit.one"
		}
		return x.looked(ctx, t, who, purpose, action, a.Municipality, a.ID, false, a.people())
	})
	return a, err
}
