package intake

import (
	"context"
	"slices"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/wire"
)

// Restored is the code of every result of a batch that is not stored because the backend's
// store was restored since the terminal last heard of it.
const Restored = "restored"

// Progress is how far one life of a terminal's queue came: the highest sequence that
// reached us, and the chain's hash after it, zero where records came without a chain.
type Progress struct {
	Epoch string
	Known bool
	High  uint64
	Head  wire.Hash
}

// restored tells whether the terminal last heard of another life of the store.
func (x *Intake) restored(b wire.Batch) bool {
	return b.Version > 0 && b.ServerEpoch != "" && b.ServerEpoch != x.ServerEpoch
}

// tell answers a batch of which nothing is stored: a beat, or one from before a restore.
func (x *Intake) tell(ctx context.Context, who actor.Terminal, b wire.Batch) (wire.Receipt, error) {
	results := make([]wire.Result, len(b.Records))
	for i, r := range b.Records {
		results[i] = wire.Result{ID: r.ID, Status: wire.Retry, Code: Restored}
	}
	marks, err := x.marks(ctx, who.ID, b, nil)
	if err != nil {
		return wire.Receipt{}, err
	}
	receipt := x.receipt(b, results, marks)
	if epochs := epochsOf(b); b.Version > 0 && len(epochs) > 0 {
		if receipt.Forked, err = x.Rows.Forked(ctx, who.ID, epochs, x.Now().Add(-EventsWithin)); err != nil {
			return wire.Receipt{}, err
		}
	}
	x.counted.told(len(b.Records))
	return receipt, nil
}

// marks countersigns how far the batch's epochs came: as reached, else as it is stored.
func (x *Intake) marks(ctx context.Context, terminal string, b wire.Batch, reached map[string]Progress) ([]wire.Mark, error) {
	if b.Version == 0 {
		return nil, nil
	}
	epochs := epochsOf(b)
	missing := slices.DeleteFunc(slices.Clone(epochs), func(e string) bool { return reached[e].Known })
	stored := map[string]Progress{}
	if len(missing) > 0 {
		var err error
		if stored, err = x.Rows.Progress(ctx, terminal, missing); err != nil {
			return nil, err
		}
	}
	marks := make([]wire.Mark, len(epochs))
	for i, epoch := range epochs {
		p, ok := reached[epoch]
		if !ok {
			p = stored[epoch]
		}
		marks[i] = x.mark(terminal, epoch, p)
	}
	return marks, nil
}

func (x *Intake) mark(terminal, epoch string, p Progress) wire.Mark {
	m := wire.Mark{Epoch: epoch, Through: p.High, Head: p.Head}
	if !p.Known {
		m.Head = wire.Genesis(terminal, epoch)
	}
	if len(x.Receipts.Private) > 0 {
		m.Key = x.Receipts.ID
		m.Signature = wire.SignMark(x.Receipts.Private, terminal, x.ServerEpoch, m)
	}
	return m
}

// epochsOf are the epochs that a batch names, each once: its own, and those of its records as
// far as a receipt has room for their marks.
func epochsOf(b wire.Batch) []string {
	var all []string
	most := wire.MaxMarks
	if b.Epoch != "" {
		most-- // its own comes last
	}
	for _, r := range b.Records {
		if len(all) < most && r.Epoch != b.Epoch && !slices.Contains(all, r.Epoch) {
			all = append(all, r.Epoch)
		}
	}
	if b.Epoch != "" {
		all = append(all, b.Epoch)
	}
	return all
}

// advance raises the marks of the batch's epochs and notes where their chains break. It gives
// the records at or below their mark, which came again, fill a hole or stand beside another.
// Epochs are held in the order of their names, so that batches that name them crosswise do not
// wait for each other.
func (x *Intake) advance(ctx context.Context, t tx.Tx, s *sorted) (behind []wire.Record, err error) {
	var epochs []string
	for _, r := range s.all {
		if !slices.Contains(epochs, r.Epoch) {
			epochs = append(epochs, r.Epoch)
		}
	}
	slices.Sort(epochs)
	before := make(map[string]uint64, len(epochs))
	for _, epoch := range epochs {
		p, err := x.Rows.Hold(ctx, t, s.who.ID, epoch)
		if err != nil {
			return nil, err
		}
		s.reached[epoch], before[epoch] = p, p.High
	}
	for i := 0; i < len(s.all); {
		epoch, end := s.all[i].Epoch, i
		for end < len(s.all) && s.all[end].Epoch == epoch {
			end++
		}
		p, below := s.follow(s.reached[epoch], i, end)
		s.reached[epoch], behind = p, append(behind, below...)
		i = end
	}
	for _, epoch := range epochs {
		if p := s.reached[epoch]; p.High > before[epoch] {
			if err := x.Rows.Raise(ctx, t, s.who.ID, p); err != nil {
				return nil, err
			}
		}
	}
	return behind, nil
}

// follow walks the records from i to end, which are of p's epoch. A record whose predecessor
// never came is a gap; one that stands right after the mark but goes back to another history
// is a fork, noted once. A record without a Prev is of a terminal that has no chain yet: it
// breaks a chain that was there.
func (s *sorted) follow(p Progress, i, end int) (Progress, []wire.Record) {
	var below []wire.Record
	forked := false
	for at := i; at < end; at++ {
		r := s.all[at]
		if r.Sequence <= p.High {
			below = append(below, r)
			continue
		}
		if !p.Known && !r.Prev.IsZero() {
			p.Head = wire.Genesis(s.who.ID, p.Epoch)
		}
		if r.Sequence > p.High+1 {
			s.note(Gap, r)
		} else if s.chained && !forked && !p.Head.IsZero() && r.Prev != p.Head {
			s.note(Fork, r)
			forked = true
		}
		p.Known, p.High, p.Head = true, r.Sequence, wire.Hash{}
		if !r.Prev.IsZero() {
			p.Head = wire.Next(r.Prev, s.digests[at])
		}
	}
	return p, below
}

// forks finds new records that stand at the sequence of another one: one event for each
// epoch. They are kept all the same: nothing that a terminal recorded is lost.
func (x *Intake) forks(ctx context.Context, t tx.Tx, s *sorted, behind []wire.Record, inserted map[string]bool) error {
	fresh := map[string]map[uint64]string{}
	for _, r := range behind {
		if !inserted[r.ID] {
			continue
		}
		if fresh[r.Epoch] == nil {
			fresh[r.Epoch] = map[uint64]string{}
		}
		fresh[r.Epoch][r.Sequence] = r.ID
	}
	for _, r := range behind {
		ids := fresh[r.Epoch]
		if len(ids) == 0 {
			continue
		}
		others, err := x.Rows.Others(ctx, t, s.who.ID, r.Epoch, ids)
		if err != nil {
			return err
		}
		delete(fresh, r.Epoch)
		s.noteFirst(Fork, r.Epoch, others)
	}
	return nil
}

// noteFirst notes the first of the epoch's records whose sequence is among these.
func (s *sorted) noteFirst(kind EventKind, epoch string, sequences map[uint64]bool) {
	for _, r := range s.all {
		if r.Epoch == epoch && sequences[r.Sequence] {
			s.note(kind, r)
			return
		}
	}
}
