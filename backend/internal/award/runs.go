package award

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/fault"
)

var (
	errNotClerk  = fault.New(fault.Forbidden, "only clerks run benefits")
	errNotReader = fault.New(fault.Forbidden, "only clerks, approvers and protectors look at benefits")
	errState     = fault.At(fault.Conflict, "state", "that cannot be done now: look at the run again")
	errOvertaken = fault.New(fault.Conflict, "the same form is being sent: look at the list of runs")
)

// mayLook checks that the officer reads benefits.
func mayLook(who actor.Staff) error {
	if !who.Has(actor.Clerk) && !who.Has(actor.Approver) && !who.Has(actor.Protector) || who.Municipality == "" {
		return errNotReader
	}
	return nil
}

var clientID = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)

// check finds the first fault of a draft.
func (x *Office) check(d RunDraft) error {
	if !clientID.MatchString(d.ClientID) {
		return fault.At(fault.InvalidArgument, "client_id", "the form has no proper id: open it again")
	}
	p, err := x.Programs.Program(d.Benefit)
	if err != nil {
		return fault.At(fault.InvalidArgument, "benefit", "there is no such benefit")
	}
	_, inForce := p.Edition(d.Month)
	switch {
	case !inForce:
		return fault.At(fault.InvalidArgument, "month", "the benefit has no rules for that month")
	case d.Deadline.Before(x.today().AddDays(NoticeDays)):
		return fault.At(fault.InvalidArgument, "deadline", "the deadline lies at least %d days ahead", NoticeDays)
	case !d.PayOn.After(d.Deadline):
		return fault.At(fault.InvalidArgument, "pay_on", "the payment comes after the deadline")
	}
	return nil
}

// Draft makes a run. The same client id with the same draft again, also at once, gives the
// run that was made; with another draft, a Conflict.
func (x *Office) Draft(ctx context.Context, who actor.Staff, purpose audit.Purpose, d RunDraft) (Run, error) {
	if !who.Has(actor.Clerk) {
		return Run{}, errNotClerk
	}
	if err := x.check(d); err != nil {
		return Run{}, err
	}
	r, err := x.draftOnce(ctx, who, purpose, d)
	if errors.Is(err, errOvertaken) {
		r, err = x.draftOnce(ctx, who, purpose, d) // what the other call made is there now
	}
	return r, err
}

func (x *Office) draftOnce(ctx context.Context, who actor.Staff, purpose audit.Purpose, d RunDraft) (Run, error) {
	r, err := x.newRun(who, d)
	if err != nil {
		return Run{}, err
	}
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		before, found, err := x.Rows.RunByClient(ctx, t, who.Municipality, d.ClientID)
		switch {
		case err != nil:
			return err
		case found && !bytes.Equal(before.Fingerprint, r.Fingerprint):
			return fault.At(fault.Conflict, "client_id", "another run was made from this form: open a new one")
		case found:
			r = before
			return nil
		}
		stored, err := x.Rows.InsertRun(ctx, t, r)
		if err != nil {
			return err
		}
		if !stored {
			return errOvertaken
		}
		return x.noteRun(ctx, t, who, purpose, "benefit.draft_run", r)
	})
	if err != nil {
		return Run{}, err
	}
	x.name(&r)
	return r, nil
}

func (x *Office) newRun(who actor.Staff, d RunDraft) (Run, error) {
	p, err := x.Programs.Program(d.Benefit)
	if err != nil {
		return Run{}, err
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return Run{}, fmt.Errorf("cannot fingerprint a draft: %w", err)
	}
	sum := sha256.Sum256(raw)
	id, err := x.ids.New("run")
	if err != nil {
		return Run{}, err
	}
	r := Run{ID: id, Municipality: who.Municipality, ClientID: d.ClientID, Fingerprint: sum[:], Benefit: d.Benefit, Month: d.Month,
		Entitlement: d.Month, Deadline: d.Deadline, PayOn: d.PayOn, State: Drafted, DraftedBy: who.ID, DraftedAt: x.now(), MovedAt: x.now()}
	if e, _ := p.Edition(d.Month); !e.Payment.Once.IsZero() {
		r.Entitlement = e.Payment.Once
	}
	return r, nil
}

// about gives what a programme says of itself. One that is no longer in the folder goes by
// its id: what was decided by it stays to be read, refused and paid.
func (x *Office) about(id string) (name benefit.Words, basis string, procedure benefit.Procedure) {
	p, err := x.Programs.Program(id)
	if err != nil {
		return benefit.Words{JA: id, JAEasy: id, EN: id}, "", ""
	}
	return p.Name, p.Basis, p.Procedure
}

// name adds what the programme says of itself.
func (x *Office) name(r *Run) { r.Name, _, r.Procedure = x.about(r.Benefit) }

func (x *Office) noteRun(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, action string, r Run) error {
	return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: action, Municipality: r.Municipality, Object: r.ID})
}

// runOf reads a run of the officer's municipality.
func (x *Office) runOf(ctx context.Context, t tx.Tx, who actor.Staff, id string) (Run, error) {
	r, ok, err := x.Rows.RunByID(ctx, t, id)
	if err != nil {
		return r, err
	}
	if !ok || r.Municipality != who.Municipality {
		return r, errNoRun
	}
	x.name(&r)
	return r, nil
}

// act does one thing to a run of the officer's municipality, as a clerk.
func (x *Office) act(ctx context.Context, who actor.Staff, purpose audit.Purpose, id, action string, do func(ctx context.Context, t tx.Tx, r Run) error) error {
	if !who.Has(actor.Clerk) {
		return errNotClerk
	}
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		r, err := x.runOf(ctx, t, who, id)
		if err != nil {
			return err
		}
		if err := do(ctx, t, r); err != nil {
			return err
		}
		return x.noteRun(ctx, t, who, purpose, action, r)
	})
}

// Count begins the dry run: it counts what the run would decide and stores no decision. It
// may be counted again until the run starts.
func (x *Office) Count(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string) error {
	return x.act(ctx, who, purpose, run, "benefit.count_run", func(ctx context.Context, t tx.Tx, r Run) error {
		if r.State != Drafted && r.State != Counted {
			return errState
		}
		return x.turn(ctx, t, who, r, Counting, PhaseCount)
	})
}

// Start begins the run. It needs a finished count, and NoticeDays until the deadline.
func (x *Office) Start(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string) error {
	return x.act(ctx, who, purpose, run, "benefit.start_run", func(ctx context.Context, t tx.Tx, r Run) error {
		switch {
		case r.State != Counted:
			return errState
		case r.Deadline.Before(x.today().AddDays(NoticeDays)):
			return fault.At(fault.Conflict, "deadline", "the deadline is less than %d days ahead: make a new run", NoticeDays)
		}
		return x.turn(ctx, t, who, r, Running, PhaseRun)
	})
}

// turn begins a state and asks for its first page.
func (x *Office) turn(ctx context.Context, t tx.Tx, who actor.Staff, r Run, to RunState, phase Phase) error {
	mine, err := x.Rows.Turn(ctx, t, r.ID, r.State, to, who.ID, x.now())
	if err != nil {
		return err
	}
	if !mine {
		return errState
	}
	return x.Queue.Enqueue(ctx, t, RunJob{Phase: phase, Run: r.ID})
}

// Pause stops counting or running after the page that is being stored.
func (x *Office) Pause(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string) error {
	return x.act(ctx, who, purpose, run, "benefit.pause_run", func(ctx context.Context, t tx.Tx, r Run) error {
		done, err := x.Rows.SetPaused(ctx, t, r.ID, true, x.now())
		if err == nil && !done {
			err = errState
		}
		return err
	})
}

// Resume goes on after the last page that was stored: a run only while its notices leave
// AnswerDays until the deadline that they name. A new run finds who is left.
func (x *Office) Resume(ctx context.Context, who actor.Staff, purpose audit.Purpose, run string) error {
	return x.act(ctx, who, purpose, run, "benefit.resume_run", func(ctx context.Context, t tx.Tx, r Run) error {
		done, err := x.Rows.SetPaused(ctx, t, r.ID, false, x.now())
		if err != nil {
			return err
		}
		if !done {
			return errState
		}
		r, _, err = x.Rows.RunByID(ctx, t, r.ID)
		switch {
		case err != nil:
			return err
		case r.State == Running && r.Deadline.Before(x.today().AddDays(AnswerDays)):
			return fault.At(fault.Conflict, "deadline", "the deadline is less than %d days ahead: make a new run for those who are left", AnswerDays)
		}
		return x.Queue.Enqueue(ctx, t, r.job())
	})
}

// job is the page that the run waits for.
func (r Run) job() RunJob {
	phase := PhaseRun
	if r.State == Counting {
		phase = PhaseCount
	}
	return RunJob{Phase: phase, Run: r.ID, Page: r.Page}
}

// Runs lists the runs of the officer's municipality, newest first.
func (x *Office) Runs(ctx context.Context, who actor.Staff, purpose audit.Purpose, limit int) ([]Run, error) {
	if err := mayLook(who); err != nil {
		return nil, err
	}
	if limit <= 0 || limit > maxOfficer {
		limit = maxOfficer
	}
	var out []Run
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		if out, err = x.Rows.Runs(ctx, t, who.Municipality, limit); err != nil {
			return err
		}
		for i := range out {
			x.name(&out[i])
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "benefit.list_runs", Municipality: who.Municipality})
	})
	return out, err
}
