// Package queue is the terminal's offline queue: what a person saw confirmed waits here
// until the backend has taken it.
//
// It promises: a record is on disk when Append returns without an error, survives loss of
// power, keeps its ID and its place in the order for ever, and leaves the queue only by
// the backend's word or into the dead letters, in sight, with a reason. When the queue is
// full it refuses new work and drops nothing.
//
// One goroutine writes. It commits what has arrived and never waits for more, so a lone
// record costs one commit and sixteen at once cost about one as well.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

// Defaults of Limits.
const (
	DefaultMaxRecords   = 20_000
	DefaultKeepAccepted = 7 * 24 * time.Hour
)

// Limits bound the queue. Zero values mean the defaults. MaxBytes can not exceed a third
// of the vault's largest size: in a full bbolt file, and with a reader open, even taking
// records off fails (reference offline-agent.md 2.3).
type Limits struct {
	MaxRecords int   // records that wait
	MaxBytes   int64 // stored bytes of records that wait
	// KeepAccepted is how long accepted records stay, marked, so that they can be sent
	// again to a backend that was restored. They make room earlier when space is short.
	KeepAccepted time.Duration
}

// Draft is a record before it is stored. ID is made when it is empty; a caller that got
// fault.Unknown repeats with the ID of the first attempt (NewID makes one beforehand).
type Draft struct {
	ID   string
	Kind wire.Kind
	Body json.RawMessage
	At   time.Time // the terminal's wall clock; stored in microseconds, UTC
}

// Stats is how the queue stands.
type Stats struct {
	Pending        int       // records that the backend has not settled
	OldestAt       time.Time // At of the oldest of them; zero when there is none
	Bytes          int64     // stored bytes of them
	Dead           int       // dead letters, the damaged ones among them
	Damaged        int       // records whose stored bytes do not open any more
	SentUnanswered int       // accepted records whose kind wants an answer that has not come
	Kept           int       // accepted records still kept
	MaxRecords     int
	MaxBytes       int64
}

// Full tells whether the next record would be refused.
func (s Stats) Full() bool {
	return s.MaxRecords > 0 && (s.Pending >= s.MaxRecords || s.Bytes >= s.MaxBytes)
}

// Fate is what became of one record.
type Fate struct {
	Waiting bool        // the backend has not settled it
	Status  wire.Status // its word; empty while it waits, when Damaged, and when the record is gone
	Code    string      // the backend's fault code, for Rejected and Conflict
	Damaged bool        // its stored bytes do not open: it can not be sent
}

// Gone tells that the queue no longer has the record: it was accepted and made room.
func (f Fate) Gone() bool { return !f.Waiting && !f.Damaged && f.Status == "" }

// DeadLetter is a record that a person must look at.
type DeadLetter struct {
	Record wire.Record // without Body when Damaged
	Status wire.Status // Rejected or Conflict; empty when Damaged
	Code   string      // the backend's fault code
	At     time.Time   // when it came here
	// Damaged tells that the stored bytes do not open: the record itself is lost.
	Damaged bool
}

// Queue is the open queue. Its methods are safe for concurrent use.
type Queue struct {
	v      *vault.Vault
	limits Limits
	source handle.Source

	requests chan *request
	quit     chan struct{}
	done     chan struct{}
	closing  sync.Once

	mu     sync.Mutex // guards what follows; changed by the writer alone, after a commit
	m      memory
	broken bool // a commit failed and the file could not be read again yet
}

// Open reads the queue in v, or begins it with a new epoch. source gives the clock and
// the randomness for IDs.
func Open(v *vault.Vault, l Limits, source handle.Source) (*Queue, error) {
	if l.MaxRecords <= 0 {
		l.MaxRecords = DefaultMaxRecords
	}
	if third := int64(v.MaxBytes() / 3); l.MaxBytes <= 0 || l.MaxBytes > third {
		l.MaxBytes = third
	}
	if l.KeepAccepted <= 0 {
		l.KeepAccepted = DefaultKeepAccepted
	}
	q := &Queue{
		v: v, limits: l, source: source,
		requests: make(chan *request, maxGroup),
		quit:     make(chan struct{}), done: make(chan struct{}),
	}
	if err := q.begin(); err != nil {
		return nil, fmt.Errorf("cannot open the queue: %w", err)
	}
	if err := q.reload(); err != nil {
		return nil, fmt.Errorf("cannot open the queue: %w", err)
	}
	go q.run()
	return q, nil
}

// Close commits what has arrived and ends the writer. Later calls get fault.Unavailable.
// The vault stays open.
func (q *Queue) Close() error {
	q.closing.Do(func() { close(q.quit) })
	<-q.done
	return nil
}

// Epoch names this life of the queue's file.
func (q *Queue) Epoch() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.m.epoch
}

// NewID makes an ID for a Draft.
func (q *Queue) NewID() (string, error) {
	id, err := q.source.UUID()
	if err != nil {
		return "", err
	}
	return id.String(), nil
}

// Append stores a record, with the puts in the same commit, and returns when both are on
// disk. Errors: InvalidArgument and TooLarge for a draft that can never be sent, QueueFull,
// Conflict for an ID that holds other content, Unavailable when nothing was stored, and
// Unknown when that could not be found out: repeat with the same ID.
func (q *Queue) Append(ctx context.Context, d Draft, also ...vault.Put) (wire.Record, error) {
	r, stored, err := q.draft(d)
	if err != nil {
		return wire.Record{}, err
	}
	if stored != nil && !sameContent(*stored, r) {
		return wire.Record{}, conflict()
	}
	return q.append(ctx, r, also)
}

// AppendWith is Append for a body and puts that name the record's ID. build runs in the
// caller's goroutine before anything is stored, with ID, Epoch, Kind and At of the record
// to be; Sequence is not known yet, and d.Body is not looked at. When the ID is already
// stored, the stored record stays and the puts are written again.
func (q *Queue) AppendWith(ctx context.Context, d Draft, build func(wire.Record) (json.RawMessage, []vault.Put, error)) (wire.Record, error) {
	d.Body = json.RawMessage("null")
	r, stored, err := q.draft(d)
	if err != nil {
		return wire.Record{}, err
	}
	body, puts, err := build(r)
	if err != nil {
		return wire.Record{}, err
	}
	if stored != nil {
		r = *stored
	} else if r.Body, err = readyBody(r, body); err != nil {
		return wire.Record{}, err
	}
	return q.append(ctx, r, puts)
}

// draft makes the record of a draft, and gives the stored one if its ID is taken.
func (q *Queue) draft(d Draft) (r wire.Record, stored *wire.Record, err error) {
	if d.ID == "" {
		if d.ID, err = q.NewID(); err != nil {
			return r, nil, fault.Wrap(fault.Unavailable, err, "cannot make an id")
		}
	} else if stored, err = q.find(d.ID); err != nil {
		return r, nil, err
	}
	r = wire.Record{ID: d.ID, Epoch: q.Epoch(), Sequence: 1, Kind: d.Kind, At: d.At.UTC().Truncate(time.Microsecond)}
	if r.Body, err = readyBody(r, d.Body); err != nil {
		return r, nil, err
	}
	r.Sequence = 0
	return r, stored, nil
}

// readyBody compacts the body and checks that the record could be sent.
func readyBody(r wire.Record, body json.RawMessage) (json.RawMessage, error) {
	if len(body) > wire.MaxRecordBytes {
		return nil, fault.At(fault.TooLarge, "body", "must be at most %d bytes", wire.MaxRecordBytes)
	}
	r.Body = wire.Compact(body)
	r.Sequence = 1
	return r.Body, r.Validate()
}

func (q *Queue) append(ctx context.Context, r wire.Record, also []vault.Put) (wire.Record, error) {
	if err := vault.CheckPuts(also); err != nil {
		return wire.Record{}, err
	}
	a := &appending{record: r, also: also}
	if err := q.do(ctx, a.apply(q), r.ID); err != nil {
		return wire.Record{}, err
	}
	return a.record, nil
}

// Settle notes the backend's word on the records of a receipt: Accepted and Duplicate are
// marked and no longer pending, Rejected and Conflict become dead letters, Retry stays.
// IDs that do not wait here are passed over, so that settling twice changes nothing.
func (q *Queue) Settle(ctx context.Context, receipt wire.Receipt) error {
	return q.do(ctx, q.settle(receipt))
}

// MarkAnswered notes that the answers to these records have come. It counts for
// Stats.SentUnanswered alone. An answer that overtakes the receipt is remembered until the
// receipt comes, but not over a restart.
func (q *Queue) MarkAnswered(ctx context.Context, ids ...string) error {
	q.mu.Lock()
	ids = q.m.waitingFor(ids)
	q.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	return q.do(ctx, q.markAnswered(ids))
}

// Cursor is how far answers were taken: the last one that SaveAnswers stored.
func (q *Queue) Cursor() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.m.cursor
}

// SaveAnswers stores the cursor and the puts in one commit. The cursor only rises: a lower
// one is fault.Conflict and stores nothing; an equal one stores the puts again.
func (q *Queue) SaveAnswers(ctx context.Context, cursor uint64, puts []vault.Put) error {
	if err := vault.CheckPuts(puts); err != nil {
		return err
	}
	return q.do(ctx, q.saveAnswers(cursor, puts))
}

// Trim removes accepted records that were kept for Limits.KeepAccepted and tells how many.
// Records that wait and dead letters stay, however old.
func (q *Queue) Trim(ctx context.Context) (removed int, err error) {
	before := q.source.Now().Add(-q.limits.KeepAccepted)
	for {
		n := 0
		if err := q.do(ctx, q.trim(before, &n)); err != nil {
			return removed, err
		}
		removed += n
		if n < trimGroup {
			return removed, nil
		}
	}
}

// Stats tells how the queue stands.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Stats{
		Pending: len(q.m.pending), Bytes: q.m.pendingBytes, Dead: q.m.dead, Damaged: q.m.damaged, Kept: len(q.m.kept),
		SentUnanswered: len(q.m.unanswered), MaxRecords: q.limits.MaxRecords, MaxBytes: q.limits.MaxBytes,
	}
	if len(q.m.pending) > 0 {
		s.OldestAt = q.m.pending[0].at
	}
	return s
}

// NewestAt is the latest time by the terminal's clock that the queue knows: of a record that
// waits, or of when one was accepted. Zero where it holds none.
func (q *Queue) NewestAt() (newest time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, items := range [][]item{q.m.pending, q.m.kept} {
		for _, i := range items {
			if i.at.After(newest) {
				newest = i.at
			}
		}
	}
	return newest
}

// Peek gives copies of the oldest records that wait, in order: at most maxRecords, and at
// most maxBytes counting wire.RecordOverhead for each (but always one, if any waits). It
// holds no transaction when it returns.
func (q *Queue) Peek(ctx context.Context, maxRecords, maxBytes int) ([]wire.Record, error) {
	q.mu.Lock()
	head := append([]item(nil), q.m.pending[:min(maxRecords, len(q.m.pending))]...)
	q.mu.Unlock()
	var records []wire.Record
	var damaged []uint64
	err := q.v.View(func(tx *bbolt.Tx) error {
		for _, i := range head {
			r, err := q.read(tx, i.seq)
			if errors.Is(err, vault.ErrDamaged) {
				damaged = append(damaged, i.seq)
				continue
			}
			if err != nil {
				return err
			}
			if maxBytes -= len(r.Body) + wire.RecordOverhead; maxBytes < 0 && len(records) > 0 {
				return nil
			}
			records = append(records, r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the queue: %w", err)
	}
	if len(damaged) > 0 {
		err = q.do(ctx, q.bury(damaged))
	}
	return records, err
}

// Find gives a copy of the record with this ID, whatever became of it; ok is false when
// it is not (or no longer) here.
func (q *Queue) Find(_ context.Context, id string) (r wire.Record, ok bool, err error) {
	found, err := q.find(id)
	if err != nil || found == nil {
		return wire.Record{}, false, err
	}
	return *found, true, nil
}

// Fates tells what became of the records with these IDs, from one consistent state.
func (q *Queue) Fates(ctx context.Context, ids []string) (map[string]Fate, error) {
	fates := make(map[string]Fate, len(ids))
	err := q.v.View(func(tx *bbolt.Tx) error {
		for _, id := range ids {
			u, err := uuid.Parse(id)
			if err != nil {
				return fault.At(fault.InvalidArgument, "id", "must be a UUID version 7 in lower case")
			}
			fates[id] = q.fate(tx, u)
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the queue: %w", err)
	}
	return fates, nil
}

func (q *Queue) fate(tx *bbolt.Tx, id uuid.UUID) Fate {
	seq, ok := lookUp(tx, id)
	if !ok {
		return Fate{}
	}
	m, ok := q.getMark(seq, bucket(tx, marksBucket).Get(key(seq)))
	if !ok {
		return Fate{Waiting: true}
	}
	if !m.dead() {
		m.Code = ""
	}
	return Fate{Status: m.Status, Code: m.Code, Damaged: m.Damaged}
}

func (q *Queue) find(id string) (*wire.Record, error) {
	u, err := uuid.Parse(id)
	if err != nil {
		return nil, fault.At(fault.InvalidArgument, "id", "must be a UUID version 7 in lower case")
	}
	var r wire.Record
	found := false
	err = q.v.View(func(tx *bbolt.Tx) error {
		seq, ok := lookUp(tx, u)
		if !ok {
			return nil
		}
		found = true
		r, err = q.read(tx, seq)
		return err
	})
	if err != nil || !found {
		return nil, err
	}
	return &r, nil
}

// DeadLetters lists what a person must look at, oldest first.
func (q *Queue) DeadLetters(ctx context.Context) ([]DeadLetter, error) {
	var letters []DeadLetter
	err := q.v.View(func(tx *bbolt.Tx) error {
		return q.eachMark(tx, func(seq uint64, m mark) error {
			if !m.dead() {
				return ctx.Err()
			}
			r, err := q.read(tx, seq)
			l := DeadLetter{Record: r, Status: m.Status, Code: m.Code, At: time.UnixMilli(m.At).UTC(), Damaged: m.Damaged}
			if err != nil {
				l.Record, l.Damaged = wire.Record{Epoch: q.Epoch(), Sequence: seq}, true
			}
			letters = append(letters, l)
			return ctx.Err()
		})
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the dead letters: %w", err)
	}
	return letters, nil
}

func conflict() error {
	return fault.At(fault.Conflict, "id", "is already stored with other content")
}

func sameContent(stored, r wire.Record) bool {
	r.Epoch, r.Sequence, r.At = stored.Epoch, stored.Sequence, stored.At
	return wire.Digest(stored) == wire.Digest(r)
}
