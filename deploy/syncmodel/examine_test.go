package syncmodel_test

import (
	"context"
	"errors"
	"fmt"

	"madoguchi.example/backend/intaketest"
	"madoguchi.example/shared/wire"
)

// examine compares what is stored with what people saw confirmed.
func (w *world) examine(ctx context.Context) error {
	stored, err := w.server.Records(ctx)
	if err != nil {
		return err
	}
	found := map[string]int{}                // where each (terminal, id) is stored
	sent := map[string][]intaketest.Record{} // what is stored of each terminal, in the same order
	var broken []error
	for i, r := range stored {
		sent[r.Terminal] = append(sent[r.Terminal], r)
		name := r.Terminal + " " + r.ID
		if _, twice := found[name]; twice {
			broken = append(broken, fmt.Errorf("%s is stored twice", name))
		}
		found[name] = i
		if wire.Digest(r.Record) != r.Digest {
			broken = append(broken, fmt.Errorf("%s was altered after it was accepted", name))
		}
	}
	for _, s := range w.seats {
		broken = append(broken, s.examine(ctx, stored, found), w.examineMark(ctx, s, sent[s.handle]))
	}
	broken = append(broken, w.examineAnswers(ctx, stored))
	broken = append(broken, w.examineEvents(ctx))
	return errors.Join(broken...)
}

// examine looks for each thing that the person at the seat saw confirmed.
func (s *seat) examine(ctx context.Context, stored []intaketest.Record, found map[string]int) error {
	letters, err := s.DeadLetters(ctx)
	if err != nil {
		return err
	}
	dead := map[string]agentLetter{}
	for _, l := range letters {
		dead[l.Record.ID] = agentLetter{string(l.Status), l.Code}
	}
	var broken []error
	complain := func(format string, args ...any) {
		broken = append(broken, fmt.Errorf("%s (%s): "+format, append([]any{s.name, s.handle}, args...)...))
	}
	last := -1
	for i, r := range s.confirmed {
		at, there := found[s.handle+" "+r.ID]
		letter, isDead := dead[r.ID]
		switch {
		case r.Kind == strangeKind:
			if there || !isDead || letter.code == "" {
				complain("what the backend must refuse is not in sight with a reason: stored %t, %+v", there, letter)
			}
		case isDead:
			complain("record %d (%s) is a dead letter: %+v", i, r.ID, letter)
		case !there:
			complain("record %d of %d (epoch %s, seq %d, %s) is lost", i, len(s.confirmed), r.Epoch, r.Sequence, r.ID)
		case stored[at].Digest != wire.Digest(r):
			complain("record %d (%s) is stored with other content", i, r.ID)
		case at < last:
			complain("record %d (seq %d) overtook a later one", i, r.Sequence)
		}
		if there {
			last = max(last, at)
		}
	}
	return errors.Join(broken...)
}

// examineMark recomputes the chain over what is stored of the terminal and compares it with the mark that the
// terminal holds: they agree wherever no disk was copied and nothing was refused.
func (w *world) examineMark(ctx context.Context, s *seat, stored []intaketest.Record) error {
	letters, err := s.DeadLetters(ctx)
	if err != nil || s.twins || len(letters) > 0 {
		return err
	}
	epoch := s.Epoch()
	head, last := wire.Genesis(s.handle, epoch), uint64(0)
	for _, r := range stored {
		if r.Epoch == epoch {
			head, last = wire.Next(head, r.Digest), r.Sequence
		}
	}
	confirmed := s.Confirmed()
	_, public := w.server.ReceiptKey()
	for _, m := range confirmed.Marks {
		switch {
		case m.Epoch != epoch:
		case !wire.VerifyMark(public, s.handle, w.server.ServerEpoch(), m):
			return fmt.Errorf("%s: the mark is not countersigned by this life of the backend: %+v", s.name, m)
		case m.Through != last || m.Head != head:
			return fmt.Errorf("%s: the mark is at %d (%s), the chain at %d (%s)", s.name, m.Through, m.Head, last, head)
		default:
			return nil
		}
	}
	return fmt.Errorf("%s: no mark of epoch %s in %+v", s.name, epoch, confirmed)
}

// examineAnswers wants an answer at the terminal for each check that was answered.
func (w *world) examineAnswers(ctx context.Context, stored []intaketest.Record) error {
	came := map[string]bool{}
	for _, s := range w.seats {
		answered, err := s.Answered(ctx)
		if err != nil {
			return err
		}
		for id := range answered {
			came[s.handle+" "+id] = true
		}
	}
	var broken []error
	for _, r := range stored {
		if name := r.Terminal + " " + r.ID; r.Kind == wire.KindEligibilityCheck && (r.State != "answered" || !came[name]) {
			broken = append(broken, fmt.Errorf("check %s is %s, its answer came: %t", name, r.State, came[name]))
		}
	}
	return errors.Join(broken...)
}

// agentLetter is why a record is a dead letter.
type agentLetter struct{ status, code string }

// examineEvents wants no alarm where no disk was copied. There is one exception: a record that
// was refused does not come again to a backend that was restored, which sees a gap there.
func (w *world) examineEvents(ctx context.Context) error {
	events, err := w.server.Events(ctx)
	if err != nil {
		return err
	}
	twins, refused := map[string]bool{}, map[string]bool{}
	for _, s := range w.seats {
		twins[s.handle] = twins[s.handle] || s.twins
		letters, err := s.DeadLetters(ctx)
		if err != nil {
			return err
		}
		for _, l := range letters {
			refused[place(s.handle, l.Record.Epoch, l.Record.Sequence)] = true
		}
	}
	var broken []error
	for _, e := range events {
		after := w.restored && e.Kind == "gap" && refused[place(e.Terminal, e.Epoch, e.Sequence-1)]
		if !twins[e.Terminal] && !after {
			broken = append(broken, fmt.Errorf("a false alarm: %+v", e))
		}
	}
	return errors.Join(broken...)
}

func place(terminal, epoch string, sequence uint64) string {
	return fmt.Sprintf("%s %s %d", terminal, epoch, sequence)
}
