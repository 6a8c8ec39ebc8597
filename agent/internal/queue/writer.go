package queue

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

const (
	maxGroup = 512 // requests in one commit
	stretch  = 250 // records that one request goes through or removes in one commit
)

// act does its work inside the group's transaction and in the group's state. A refusal
// concerns this request alone and means that it changed neither; broken means that the
// transaction cannot be kept.
type act func(tx *bbolt.Tx, g *group) (refusal, broken error)

// group is one commit's worth of requests: the state as its acts leave it.
type group struct {
	now       time.Time
	st        state // as the acts so far leave it
	confirmed Confirmed
	wrote     bool // something is to be kept
	moved     bool // the oldest record that waits may be another
	roomed    bool // kept records were removed because the file or the disk is full
}

type request struct {
	act    act
	stores *string // ID of a record that is stored if and only if the act's commit stood; may be nil or empty
	result chan error
}

// do hands the act to the writer and waits for its outcome.
func (q *Queue) do(ctx context.Context, a act) error {
	return q.hand(ctx, &request{act: a, result: make(chan error, 1)})
}

func (q *Queue) hand(ctx context.Context, r *request) error {
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
	if q.outdated() {
		if err := q.load(); err != nil {
			answer(all, fault.Wrap(fault.Unavailable, err, "the terminal's file cannot be read"))
			return
		}
	}
	g, refused, err := q.try(all)
	if errors.Is(err, errWalk) {
		if err = q.walk(); err == nil {
			g, refused, err = q.try(all)
		}
	}
	switch {
	case err == nil:
		q.remember(g)
		fallthrough
	case errors.Is(err, errNothing):
		for i, r := range all {
			r.result <- refused[i]
		}
	case fault.CodeOf(err) == fault.Unknown:
		q.resolve(all, refused, err)
	case fault.CodeOf(err) == fault.QueueFull && len(all) > 1:
		for _, r := range all { // what takes less room than the others may still fit
			q.commit([]*request{r})
		}
	case fault.CodeOf(err) == fault.QueueFull:
		answer(all, err)
	default:
		answer(all, fault.Wrap(fault.Unavailable, err, "nothing was stored"))
	}
}

// try runs the acts in one transaction.
func (q *Queue) try(all []*request) (*group, []error, error) {
	g := q.group()
	refused := make([]error, len(all))
	err := q.v.Update(func(tx *bbolt.Tx) error {
		if ids(tx) == nil || records(tx) == nil || marks(tx) == nil {
			return errWalk
		}
		vault.Fill(records(tx))
		vault.Fill(marks(tx))
		for i, r := range all {
			var broken error
			if refused[i], broken = r.act(tx, g); broken != nil {
				return broken
			}
		}
		if !g.wrote {
			return errNothing
		}
		if err := q.advance(tx, g); err != nil {
			return err
		}
		return q.putState(tx, g.st)
	})
	return g, refused, err
}

// group begins with the state as it is, aged.
func (q *Queue) group() *group {
	now := q.source.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	g := &group{now: now, st: q.st, confirmed: q.confirmed}
	g.st.Lived += max(now.Sub(q.seen), 0).Milliseconds()
	g.st.Wall = now.UnixMilli()
	return g
}

func (q *Queue) remember(g *group) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.st, q.confirmed, q.seen = g.st, g.confirmed, g.now
}

// resolve finds out what a failed commit left behind. The vault has opened the file again;
// a further commit that stands makes what is visible durable, since bbolt writes data
// before the page that leads to it. Then each append is looked for by its ID.
func (q *Queue) resolve(all []*request, refused []error, cause error) {
	q.mu.Lock()
	q.broken = true
	q.mu.Unlock()
	err := q.load()
	for i, r := range all {
		switch {
		case len(refused) == len(all) && refused[i] != nil:
			r.result <- refused[i]
		case err != nil || r.stores == nil || *r.stores == "":
			r.result <- cause
		default:
			r.result <- q.lookAgain(*r.stores, cause)
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

// outdated tells that memory may not be what the file says.
func (q *Queue) outdated() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.broken || q.recount || q.file != q.v.Generation()
}

// adding is one Append on its way.
type adding struct {
	record wire.Record
	also   []vault.Put
	stores string // the record's ID, while it is not stored yet
}

func (q *Queue) adding(a *adding) act {
	return func(tx *bbolt.Tx, g *group) (error, error) {
		id, err := uuid.Parse(a.record.ID)
		if err != nil {
			return fault.At(fault.InvalidArgument, "id", "must be a UUID"), nil
		}
		if pos, taken := lookUp(tx, id); taken {
			return q.again(tx, g, pos, a)
		}
		pos := g.st.Last + 1
		a.record.Epoch, a.record.Sequence, a.record.Prev = g.st.Epoch, pos-g.st.Base, g.st.Head
		plain, err := encode(stored{a.record, g.st.Lived})
		if err != nil {
			return err, nil
		}
		if full, broken := q.admit(tx, g, int64(len(plain)+sealing)); full != nil || broken != nil {
			return full, broken
		}
		broken := errors.Join(
			q.v.Put(tx, recordsBucket, key(pos), plain),
			ids(tx).Put(id[:], key(pos)),
			q.v.ApplyIn(tx, a.also),
		)
		g.added(pos, size(tx, pos), a.record)
		return nil, broken
	}
}

func (g *group) added(pos uint64, size int, r wire.Record) {
	if g.st.Waiting.N == 0 {
		g.st.Low, g.st.OldestAt = pos, r.At
	}
	g.st.count(pos, mark{}, size, 1)
	g.st.newer(r.At)
	g.st.Last, g.st.Head = pos, wire.After(r)
	g.wrote = true
}

// again answers an append whose ID is stored: the same content is a success, whose puts
// are written again.
func (q *Queue) again(tx *bbolt.Tx, g *group, pos uint64, a *adding) (refusal, broken error) {
	is, err := q.read(tx, pos)
	if err != nil {
		return err, nil
	}
	if is.ID != a.record.ID {
		return nil, errWalk
	}
	if !sameContent(is.Record, a.record) {
		return conflict(), nil
	}
	a.record, a.stores = is.Record, ""
	g.wrote = g.wrote || len(a.also) > 0
	return nil, q.v.ApplyIn(tx, a.also)
}

// admit refuses a record that would go over a limit. Kept records make room first.
func (q *Queue) admit(tx *bbolt.Tx, g *group, size int64) (full, broken error) {
	if q.v.Scarce(tx) && !g.roomed {
		if g.st.Kept.N == 0 {
			return fault.New(fault.QueueFull, "the terminal's file is full; nothing was dropped"), nil
		}
		g.roomed = true // what is freed serves the next commit, and this one takes little
		if err := q.makeRoom(tx, g, 0); err != nil {
			return nil, err
		}
	}
	need := g.st.Waiting.Bytes + g.st.Dead.Bytes + size
	if g.st.Waiting.N >= q.limits.MaxRecords || need > q.limits.MaxBytes {
		return fault.New(fault.QueueFull, "the terminal holds as many unsent records as it can; nothing was dropped"), nil
	}
	if over := need + g.st.Kept.Bytes - q.limits.MaxBytes; over > 0 {
		return nil, q.makeRoom(tx, g, over)
	}
	return nil, nil
}

// roomShare is which part of MaxBytes is freed beyond what is needed, so that the marks are
// not gone through for every record of a queue that stays full of kept ones.
const roomShare = 64

// makeRoom removes the oldest kept records, of at least so many bytes.
func (q *Queue) makeRoom(tx *bbolt.Tx, g *group, over int64) error {
	over += q.limits.MaxBytes / roomShare
	var old []uint64
	c := marks(tx).Cursor()
	for k, sealed := c.First(); k != nil && over > 0; k, sealed = c.Next() {
		pos := position(k)
		m, err := q.openMark(pos, sealed)
		if err != nil {
			return errWalk
		}
		if m.kept() {
			old = append(old, pos)
			over -= int64(size(tx, pos))
		}
	}
	for _, pos := range old {
		if err := q.remove(tx, g, pos); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes a kept record with its mark and its place in the index.
func (q *Queue) remove(tx *bbolt.Tx, g *group, pos uint64) error {
	m, err := q.look(tx, pos)
	if err != nil {
		return errWalk
	}
	if m.ID == "" { // of layout 1
		if r, err := q.read(tx, pos); err == nil {
			m.ID = r.ID
		}
	}
	g.wrote = true
	g.st.count(pos, m, size(tx, pos), -1)
	var unlisted error
	if id, err := uuid.Parse(m.ID); err == nil {
		unlisted = ids(tx).Delete(id[:])
	}
	return errors.Join(unlisted, q.v.Delete(tx, recordsBucket, key(pos)), q.v.Delete(tx, marksBucket, key(pos)))
}

// remark gives a record another mark.
func (q *Queue) remark(tx *bbolt.Tx, g *group, pos uint64, from, to mark) error {
	n := size(tx, pos)
	g.st.count(pos, from, n, -1)
	g.st.count(pos, to, n, 1)
	if to.waits() {
		g.st.Low = min(g.st.Low, pos)
	}
	g.wrote, g.moved = true, true
	return q.putMark(tx, pos, to)
}

// advance finds the oldest record that waits. Those on the way whose bytes do not open
// become dead letters.
func (q *Queue) advance(tx *bbolt.Tx, g *group) error {
	if !g.moved {
		return nil
	}
	c := records(tx).Cursor()
	for k, sealed := c.Seek(key(g.st.Low)); k != nil && g.st.Waiting.N > 0; k, sealed = c.Next() {
		pos := position(k)
		m, err := q.look(tx, pos)
		if err != nil {
			return errWalk
		}
		if !m.waits() {
			continue
		}
		r, err := q.open(pos, sealed)
		if err == nil {
			g.st.Low, g.st.OldestAt = pos, r.At
			return nil
		}
		if err := q.remark(tx, g, pos, m, g.damaged(m)); err != nil {
			return err
		}
	}
	if g.st.Waiting.N > 0 {
		return errWalk
	}
	g.st.Low, g.st.OldestAt = g.st.Last+1, time.Time{}
	return nil
}

// damaged is the mark of a record whose bytes do not open.
func (g *group) damaged(m mark) mark {
	return mark{ID: m.ID, Damaged: true, At: g.now.UnixMilli(), Lived: g.st.Lived}
}
