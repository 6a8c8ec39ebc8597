package queue

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

const (
	maxGroup  = 512  // requests in one commit
	trimGroup = 1000 // records removed in one commit
)

// act does its work inside the group's transaction. A refusal concerns this request alone
// and means that it wrote nothing; broken means that the transaction cannot be kept.
// after runs when the commit stands, under the queue's lock.
type act func(tx *bbolt.Tx, g *group) (after func(*memory), refusal, broken error)

// group is one commit's worth of requests, with what its earlier members already take.
type group struct {
	records int
	bytes   int64
	last    uint64 // sequence given out so far
}

type request struct {
	act    act
	id     string // of the record that an append stores, to look for after a failed commit
	after  func(*memory)
	result chan error
}

// do hands the act to the writer and waits for its outcome.
func (q *Queue) do(ctx context.Context, a act, id ...string) error {
	r := &request{act: a, result: make(chan error, 1)}
	if len(id) > 0 {
		r.id = id[0]
	}
	select {
	case <-q.quit:
		return errClosed()
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, ctx.Err(), "gave up before anything was stored")
	case q.requests <- r:
	}
	select {
	case err := <-r.result:
		return err
	case <-ctx.Done():
		return fault.Wrap(fault.Unknown, ctx.Err(), "gave up waiting for the terminal's file")
	case <-q.done:
	}
	select { // the writer ended; it may have answered first
	case err := <-r.result:
		return err
	default:
		return errClosed()
	}
}

func errClosed() error { return fault.New(fault.Unavailable, "the queue is closed") }

func (q *Queue) run() {
	defer close(q.done)
	for {
		select {
		case first := <-q.requests:
			q.commit(q.gather(first))
		case <-q.quit:
			for {
				select {
				case first := <-q.requests:
					q.commit(q.gather(first))
				default:
					return
				}
			}
		}
	}
}

// gather takes what has arrived. It lets other goroutines run between two looks, for the
// callers of the last commit to come back; it never waits.
func (q *Queue) gather(first *request) []*request {
	all := []*request{first}
	for idle := 0; idle < 2 && len(all) < maxGroup; {
		select {
		case r := <-q.requests:
			all, idle = append(all, r), 0
		default:
			idle++
			runtime.Gosched()
		}
	}
	return all
}

var errNothing = errors.New("no request of the group wrote anything")

func (q *Queue) commit(all []*request) {
	if q.isBroken() && q.reload() != nil {
		answer(all, fault.New(fault.Unavailable, "the terminal's file cannot be read"))
		return
	}
	refused := make([]error, len(all))
	err := q.v.Update(func(tx *bbolt.Tx) error {
		g := &group{last: bucket(tx, recordsBucket).Sequence()}
		wrote := false
		for i, r := range all {
			var broken error
			if r.after, refused[i], broken = r.act(tx, g); broken != nil {
				return broken
			}
			wrote = wrote || refused[i] == nil
		}
		if !wrote {
			return errNothing
		}
		return nil
	})
	switch {
	case err == nil, errors.Is(err, errNothing):
		q.finish(all, refused)
	case fault.CodeOf(err) == fault.Unknown:
		q.resolve(all, refused, err)
	case fault.CodeOf(err) == fault.QueueFull:
		answer(all, err)
	default:
		answer(all, fault.Wrap(fault.Unavailable, err, "nothing was stored"))
	}
}

func (q *Queue) finish(all []*request, refused []error) {
	q.mu.Lock()
	for i, r := range all {
		if refused[i] == nil && r.after != nil {
			r.after(&q.m)
		}
	}
	q.mu.Unlock()
	for i, r := range all {
		r.result <- refused[i]
	}
}

// resolve finds out what a failed commit left behind. The vault has opened the file again;
// a further commit that stands makes what is visible durable, since bbolt writes data
// before the page that leads to it. Then each append is looked for by its ID.
func (q *Queue) resolve(all []*request, refused []error, cause error) {
	q.mu.Lock()
	q.broken = true
	q.mu.Unlock()
	proof := binary.BigEndian.AppendUint64(nil, uint64(q.source.Now().UnixMilli()))
	err := q.v.Update(func(tx *bbolt.Tx) error { return q.putState(tx, proofKey, proof) })
	if err == nil {
		err = q.reload()
	}
	for i, r := range all {
		switch {
		case refused[i] != nil:
			r.result <- refused[i]
		case err != nil || r.id == "":
			r.result <- cause
		default:
			r.result <- q.lookAgain(r.id, cause)
		}
	}
}

func (q *Queue) lookAgain(id string, cause error) error {
	switch found, err := q.find(id); {
	case err != nil:
		return cause
	case found == nil:
		return fault.Wrap(fault.Unavailable, cause, "nothing was stored")
	}
	return nil
}

func answer(all []*request, err error) {
	for _, r := range all {
		r.result <- err
	}
}

func (q *Queue) isBroken() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.broken
}

// appending is one Append on its way.
type appending struct {
	record wire.Record
	also   []vault.Put
}

func (a *appending) apply(q *Queue) act {
	return func(tx *bbolt.Tx, g *group) (func(*memory), error, error) {
		id, err := uuid.Parse(a.record.ID)
		if err != nil {
			return nil, fault.At(fault.InvalidArgument, "id", "must be a UUID"), nil
		}
		if seq, taken := lookUp(tx, id); taken {
			return a.again(q, tx, seq)
		}
		a.record.Sequence = g.last + 1
		sealed, err := q.encode(a.record)
		if err != nil {
			return nil, err, nil
		}
		if full, broken := q.admit(tx, g, len(sealed)); full != nil || broken != nil {
			return nil, full, broken
		}
		records := vault.Fill(bucket(tx, recordsBucket))
		broken := errors.Join(
			records.SetSequence(a.record.Sequence),
			records.Put(key(a.record.Sequence), sealed),
			bucket(tx, idsBucket).Put(id[:], key(a.record.Sequence)),
			q.v.ApplyIn(tx, a.also),
		)
		g.last, g.records, g.bytes = a.record.Sequence, g.records+1, g.bytes+int64(len(sealed))
		added := item{seq: a.record.Sequence, size: len(sealed), at: a.record.At, id: a.record.ID}
		return func(m *memory) {
			m.last = added.seq
			m.pending = append(m.pending, added)
			m.pendingBytes += int64(added.size)
		}, nil, broken
	}
}

// again answers an append whose ID is stored: the same content is a success, whose puts
// are written again.
func (a *appending) again(q *Queue, tx *bbolt.Tx, seq uint64) (func(*memory), error, error) {
	stored, err := q.read(tx, seq)
	if err != nil {
		return nil, err, nil
	}
	if !sameContent(stored, a.record) {
		return nil, conflict(), nil
	}
	a.record = stored
	return nil, nil, q.v.ApplyIn(tx, a.also)
}

// admit refuses a record that would go over a limit. Kept records make room first.
func (q *Queue) admit(tx *bbolt.Tx, g *group, size int) (full, broken error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	need := q.m.pendingBytes + g.bytes + int64(size)
	if len(q.m.pending)+g.records >= q.limits.MaxRecords || need > q.limits.MaxBytes {
		return fault.New(fault.QueueFull, "the terminal holds as many unsent records as it can; nothing was dropped"), nil
	}
	kept := q.m.keptBytes
	for len(q.m.kept) > 0 && need+kept > q.limits.MaxBytes {
		if err := q.remove(tx, q.m.kept[0].seq); err != nil {
			return nil, err
		}
		kept -= int64(q.m.kept[0].size)
		q.m.forget(1) // a commit that fails after this reloads memory or leaves it smaller than the file, which is safe
	}
	return nil, nil
}

// forget drops the n oldest kept records from memory.
func (m *memory) forget(n int) {
	for _, i := range m.kept[:n] {
		m.keptBytes -= int64(i.size)
		delete(m.unanswered, i.id)
	}
	m.kept = slices.Delete(m.kept, 0, n)
}

// remove deletes a kept record with its mark and its place in the index.
func (q *Queue) remove(tx *bbolt.Tx, seq uint64) error {
	if r, err := q.read(tx, seq); err == nil {
		if id, err := uuid.Parse(r.ID); err == nil {
			if err := bucket(tx, idsBucket).Delete(id[:]); err != nil {
				return err
			}
		}
	}
	return errors.Join(
		bucket(tx, recordsBucket).Delete(key(seq)),
		bucket(tx, marksBucket).Delete(key(seq)),
	)
}

func (q *Queue) settle(receipt wire.Receipt) act {
	return func(tx *bbolt.Tx, _ *group) (func(*memory), error, error) {
		now := q.source.Now()
		waiting := q.waiting()
		moved := map[uint64]mark{}
		for _, res := range receipt.Results {
			i, ok := waiting[res.ID]
			if !ok || res.Status == wire.Retry {
				continue
			}
			m := mark{Status: res.Status, Code: short(res.Code), At: now.UnixMilli()}
			switch res.Status {
			case wire.Accepted, wire.Duplicate:
				if r, err := q.read(tx, i.seq); err == nil && r.WantsAnswer() {
					m.Wanted, m.Answered = r.ID, q.isEarly(r.ID)
				}
			case wire.Rejected, wire.Conflict:
			default:
				continue
			}
			if err := q.putMark(tx, i.seq, m); err != nil {
				return nil, nil, err
			}
			moved[i.seq] = m
		}
		return func(m *memory) { m.move(moved) }, nil, nil
	}
}

func (q *Queue) isEarly(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.m.early[id]
}

func (q *Queue) waiting() map[string]item {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := make(map[string]item, len(q.m.pending))
	for _, i := range q.m.pending {
		w[i.id] = i
	}
	return w
}

// move takes records that got a mark out of the pending ones.
func (m *memory) move(marks map[uint64]mark) {
	m.pending = slices.DeleteFunc(m.pending, func(i item) bool {
		done, ok := marks[i.seq]
		if ok {
			m.pendingBytes -= int64(i.size)
			done.Answered = done.Answered || m.early[i.id] // it may have come since the mark was written
			delete(m.early, i.id)
			m.settled(i, done)
		}
		return ok
	})
}

// bury makes dead letters of records whose bytes do not open.
func (q *Queue) bury(seqs []uint64) act {
	return func(tx *bbolt.Tx, _ *group) (func(*memory), error, error) {
		marks := map[uint64]mark{}
		for _, seq := range seqs {
			marks[seq] = mark{Damaged: true, At: q.source.Now().UnixMilli()}
		}
		return func(m *memory) { m.move(marks) }, nil, q.markDamaged(tx, seqs)
	}
}

func (q *Queue) markAnswered(ids []string) act {
	return func(tx *bbolt.Tx, _ *group) (func(*memory), error, error) {
		q.mu.Lock()
		defer q.mu.Unlock()
		for _, id := range ids {
			seq, ok := q.m.unanswered[id]
			if !ok {
				continue
			}
			m, ok := q.getMark(seq, bucket(tx, marksBucket).Get(key(seq)))
			if !ok {
				continue
			}
			m.Answered = true
			if err := q.putMark(tx, seq, m); err != nil {
				return nil, nil, err
			}
		}
		return func(m *memory) {
			for _, id := range ids {
				delete(m.unanswered, id)
			}
		}, nil, nil
	}
}

func (q *Queue) saveAnswers(cursor uint64, puts []vault.Put) act {
	return func(tx *bbolt.Tx, _ *group) (func(*memory), error, error) {
		if cursor < q.Cursor() {
			return nil, fault.At(fault.Conflict, "cursor", "must not go back"), nil
		}
		broken := errors.Join(
			q.putState(tx, cursorKey, binary.BigEndian.AppendUint64(nil, cursor)),
			q.v.ApplyIn(tx, puts),
		)
		return func(m *memory) { m.cursor = max(m.cursor, cursor) }, nil, broken
	}
}

func (q *Queue) trim(before time.Time, removed *int) act {
	return func(tx *bbolt.Tx, _ *group) (func(*memory), error, error) {
		q.mu.Lock()
		old := make([]uint64, 0, trimGroup)
		for _, i := range q.m.kept {
			if i.at.Before(before) && len(old) < trimGroup {
				old = append(old, i.seq)
			}
		}
		q.mu.Unlock()
		for _, seq := range old {
			if err := q.remove(tx, seq); err != nil {
				return nil, nil, err
			}
		}
		*removed = len(old)
		return func(m *memory) { m.drop(old) }, nil, nil
	}
}

// drop forgets the kept records with these sequences, which rise.
func (m *memory) drop(seqs []uint64) {
	m.kept = slices.DeleteFunc(m.kept, func(i item) bool {
		_, gone := slices.BinarySearch(seqs, i.seq)
		if gone {
			m.keptBytes -= int64(i.size)
			delete(m.unanswered, i.id)
		}
		return gone
	})
}

// short keeps a code from outside within bounds.
func short(code string) string { return code[:min(len(code), 64)] }
