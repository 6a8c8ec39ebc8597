// Package queue is the terminal's offline queue: what a person saw confirmed waits here
// until the backend has taken it.
//
// It promises: a record is on disk when Append returns without an error, survives loss of
// power, keeps its ID and its place in the order for ever, is bound to the record before it
// by a chain of hashes, and leaves the queue only by the backend's word or into the dead
// letters, in sight, with a reason. When the queue is full it refuses new work and drops
// nothing. Nothing is dropped or refused for its age. What the backend took is kept for some
// days, and waits again when the backend was restored and forgot it.
//
// One goroutine writes. It commits what has arrived and never waits for more, so a lone
// record costs one commit and sixteen at once cost about one as well. Memory holds a few
// numbers and nothing for each record.
package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

// Defaults of Limits.
const (
	DefaultMaxRecords   = 20_000
	DefaultKeepAccepted = 7 * 24 * time.Hour
	DefaultMaxAge       = 30 * 24 * time.Hour
)

// Limits bound the queue. Zero values mean the defaults. MaxBytes can not exceed a third
// of the vault's largest size: in a full bbolt file, and with a reader open, even taking
// records off fails (reference offline-agent.md 2.3).
type Limits struct {
	MaxRecords int   // records that wait
	MaxBytes   int64 // stored bytes of records that wait and of dead letters
	// KeepAccepted is how long accepted records stay, marked, so that they can be sent
	// again to a backend that was restored. They make room earlier when space is short.
	KeepAccepted time.Duration
	// MaxAge is when a record that waits is called stale. That is shown and nothing else.
	// Like KeepAccepted it counts time that the terminal watched pass, not what its wall
	// clock shows: a clock that jumps ages nothing, and power that is off a day at most.
	MaxAge time.Duration
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
	Stale          int       // those of them that were over Limits.MaxAge at the last Trim
	Dead           int       // dead letters, the damaged ones among them
	DeadBytes      int64     // stored bytes of them
	Damaged        int       // records whose stored bytes do not open any more
	SentUnanswered int       // accepted records whose kind wants an answer that has not come
	Kept           int       // accepted records still kept
	LastAck        time.Time // when the backend last settled a record or told how far it is; zero: never
	Compacted      time.Time // when Maintain last compacted the file; zero: never
	Exported       bool      // all that waits and all dead letters are in an export (MarkExported)
	FileBytes      int64     // the file's size
	UsedBytes      int64     // of which in use
	MaxRecords     int
	MaxBytes       int64
}

// Full tells whether the next record would be refused.
func (s Stats) Full() bool {
	return s.MaxRecords > 0 && (s.Pending >= s.MaxRecords || s.Bytes+s.DeadBytes >= s.MaxBytes)
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

	mu        sync.Mutex // guards what follows; changed by the writer alone, after a commit
	st        state
	confirmed Confirmed
	seen      time.Time // when st.Lived was taken
	file      uint64    // the vault's Generation that st is of
	broken    bool      // a commit failed and the file could not be read again yet
	recount   bool      // a reader met what does not agree with st

	exports map[uint64]uint64 // of exports by through: state.Returned when they began
}

// Open reads the queue in v, or begins it with a new epoch. A file that was salvaged, or
// that an older program wrote, is gone through once; its records keep their epoch and
// sequence, and those to come get a new epoch. source gives the clock and the randomness
// for IDs.
func Open(v *vault.Vault, l Limits, source handle.Source) (*Queue, error) {
	q := &Queue{
		v: v, limits: l.bounded(int64(v.MaxBytes() / 3)), source: source,
		requests: make(chan *request, maxGroup),
		quit:     make(chan struct{}), done: make(chan struct{}), file: v.Generation(),
		exports: map[uint64]uint64{},
	}
	if err := q.load(); err != nil {
		return nil, fmt.Errorf("cannot open the queue: %w", err)
	}
	go q.run()
	return q, nil
}

// bounded fills in defaults.
func (l Limits) bounded(third int64) Limits {
	if l.MaxRecords <= 0 {
		l.MaxRecords = DefaultMaxRecords
	}
	if l.MaxBytes <= 0 || l.MaxBytes > third {
		l.MaxBytes = third
	}
	if l.KeepAccepted <= 0 {
		l.KeepAccepted = DefaultKeepAccepted
	}
	if l.MaxAge <= 0 {
		l.MaxAge = DefaultMaxAge
	}
	return l
}

// Close commits what has arrived and ends the writer. Later calls get fault.Unavailable.
// The vault stays open.
func (q *Queue) Close() error {
	q.closing.Do(func() { close(q.quit) })
	<-q.done
	return nil
}

// Epoch names this life of the queue's file, which records to come belong to.
func (q *Queue) Epoch() string { return q.now().Epoch }

// Cursor is how far answers were taken: the last one that SaveAnswers stored.
func (q *Queue) Cursor() uint64 { return q.now().Cursor }

// NewestAt is the latest time by the terminal's clock that the queue knows: of a record that
// waits, or of when one was accepted. Zero where it holds none.
func (q *Queue) NewestAt() time.Time { return q.now().NewestAt }

// now gives a copy of the state.
func (q *Queue) now() state {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.st
}

// Stats tells how the queue stands.
func (q *Queue) Stats() Stats {
	file, used := q.v.Usage()
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.st
	return Stats{
		Pending: s.Waiting.N, OldestAt: s.OldestAt, Bytes: s.Waiting.Bytes, Stale: s.Stale,
		Dead: s.Dead.N, DeadBytes: s.Dead.Bytes, Damaged: s.Damaged, SentUnanswered: s.Unanswered, Kept: s.Kept.N,
		LastAck: q.confirmed.LastAck, Compacted: s.Compacted, Exported: s.Exported > 0 && s.Exported >= s.Last, FileBytes: file, UsedBytes: used,
		MaxRecords: q.limits.MaxRecords, MaxBytes: q.limits.MaxBytes,
	}
}

// Pending is Stats.Pending alone, without a look at the file.
func (q *Queue) Pending() int { return q.now().Waiting.N }

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
	a := &adding{record: r, also: also, stores: r.ID}
	if err := q.hand(ctx, &request{act: q.adding(a), stores: &a.stores, result: make(chan error, 1)}); err != nil {
		return wire.Record{}, err
	}
	return a.record, nil
}

func conflict() error {
	return fault.At(fault.Conflict, "id", "is already stored with other content")
}

func sameContent(stored, r wire.Record) bool {
	r.Epoch, r.Sequence, r.At = stored.Epoch, stored.Sequence, stored.At
	return wire.Digest(stored) == wire.Digest(r)
}
