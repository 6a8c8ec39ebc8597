// Package intake is the server side of terminal sync: it takes in what terminals recorded
// and hands them what came back.
//
// It promises: a batch is stored in one transaction, raw and whole, before any of it is
// answered as accepted; a record is stored once under its terminal and id, whatever is
// sent again and by how many at once; the same id with other content is a conflict that
// changes nothing and leaves a security event, as a gap in the sequence does; one bad
// record never blocks the others; nothing here can read a sealed number. An amendment takes
// its check back in the transaction that stores it: a check that was open is not answered
// any more, whoever is asking at that moment. Answers have cursors that rise strictly
// within a terminal and become visible in that order.
package intake

import (
	"context"
	"io"
	"log/slog"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

// State is how far the backend has come with a record.
type State string

// The states. Kept needs no answer; Open waits for one; Answered has one; Refused is one
// that the payer could not read: it stays in sight with its code; Withdrawn was taken back
// while it was open and gets no answer.
const (
	Kept      State = "kept"
	Open      State = "open"
	Answered  State = "answered"
	Refused   State = "refused"
	Withdrawn State = "withdrawn"
)

// LookAgain is how long after it came an open record is looked for, should the job that
// asks for its answer be lost.
const LookAgain = 2 * time.Minute

// Stored is one record as it is kept.
type Stored struct {
	wire.Record
	Terminal   string
	Batch      string // "bat_…"
	Digest     [32]byte
	ReceivedAt time.Time
	State      State
	About      string    // the record that this one amends, stands in place of, or tells the outcome of
	DueAt      time.Time // when an open record is to be asked about again
	Asked      int       // how often the payer had no word
}

// Amendment is one record's word that an earlier check of its terminal does not count any
// more. By is the record in its place, empty where there is none.
type Amendment struct{ RecordID, Of, By string }

// EventKind names a security event.
type EventKind string

// The events.
const (
	Gap   EventKind = "gap"      // records before this one never came
	Clash EventKind = "conflict" // one id with two contents
	Stray EventKind = "stray"    // an amendment of what the terminal never sent, or took back already
)

// Event is one security event. The same event again adds nothing.
type Event struct {
	Terminal string
	Kind     EventKind
	Epoch    string
	Sequence uint64
	RecordID string
	At       time.Time
}

// Rows is the storage that Intake needs. store/intake implements it.
type Rows interface {
	// Raise sets the highest sequence seen of (terminal, epoch) to high, if that is more,
	// and gives what it was before, 0 for none. It holds the row until commit, so that
	// batches of one terminal follow each other.
	Raise(ctx context.Context, t tx.Tx, terminal, epoch string, high uint64) (before uint64, err error)
	// Insert stores those records whose (Terminal, ID) is not there yet and tells which
	// they were, by ID.
	Insert(ctx context.Context, t tx.Tx, records []Stored) (map[string]bool, error)
	// Digests gives the digests of the terminal's records with these ids.
	Digests(ctx context.Context, t tx.Tx, terminal string, ids []string) (map[string][32]byte, error)
	// Note stores events.
	Note(ctx context.Context, t tx.Tx, events []Event) error
	// Answers lists a terminal's answers with a cursor above after, in order.
	Answers(ctx context.Context, terminal string, after uint64, limit int) ([]wire.Answer, error)
	// LastCursors gives the last cursor of those terminals that have one.
	LastCursors(ctx context.Context, terminals []string) (map[string]uint64, error)
	// OpenRecords lists the batch's open records in order of (Terminal, Epoch, Sequence).
	OpenRecords(ctx context.Context, batch string, limit int) ([]Stored, error)
	// OpenBatches lists batches with open records that are due before the time, those due
	// longest first.
	OpenBatches(ctx context.Context, before time.Time, limit int) ([]string, error)
	// Postpone sets when these records are to be asked about again, and counts that they
	// were asked about; what is not open it passes over.
	Postpone(ctx context.Context, t tx.Tx, terminal string, all []Postponement) error
	// Amend marks the terminal's checks that amendments take back, in order, and withdraws
	// those that are open. It tells by RecordID which amendments took effect: not those of
	// a record that is no check of this terminal or that was taken back before.
	Amend(ctx context.Context, t tx.Tx, terminal string, all []Amendment) (map[string]bool, error)
	// Close moves the records from Open to their new state and tells which it moved, by ID.
	Close(ctx context.Context, t tx.Tx, terminal string, closings []Closing) (map[string]bool, error)
	// Counts counts the terminals' checks: the open ones, those of them received before late,
	// and those received since since that were taken back. Terminals without any are absent.
	Counts(ctx context.Context, terminals []string, late, since time.Time) (map[string]Checks, error)
	// AppendAnswers stores sealed answers under the terminal's next cursors, in order.
	AppendAnswers(ctx context.Context, t tx.Tx, terminal string, answers []wire.Answer, at time.Time) error
}

// Closing is one record's way out of Open.
type Closing struct {
	RecordID string
	State    State
	Code     fault.Code // for Refused
}

// Postponement says when one open record is to be asked about again.
type Postponement struct {
	RecordID string
	Until    time.Time
}

// AnswerJob asks for the answers of one batch's open records.
type AnswerJob struct {
	Batch string `json:"batch"`
}

// Kind names the job in the queue.
func (AnswerJob) Kind() string { return "payer_answer" }

// Deps are what an Intake works with; all are needed.
type Deps struct {
	Runner tx.Runner
	Rows   Rows
	Queue  job.Queue
	Log    *slog.Logger
	Now    func() time.Time
	Rand   io.Reader
	// ServerEpoch names this life of the store.
	ServerEpoch string
	// PollEvery is how often the store is asked whether another process wrote an answer
	// that a terminal waits for; 0 means DefaultPollEvery.
	PollEvery time.Duration
}

// Intake is safe for concurrent use.
type Intake struct {
	Deps
	ids  handle.Source
	bell *bell
}

// New makes an Intake.
func New(d Deps) *Intake {
	if d.PollEvery == 0 {
		d.PollEvery = DefaultPollEvery
	}
	return &Intake{Deps: d, ids: handle.Source{Now: d.Now, Rand: d.Rand}, bell: newBell()}
}

// Receive takes in one batch of the terminal that sent it. The batch was decoded by
// wire.DecodeBatch. An error means that nothing is stored, or that nobody knows: the
// terminal keeps the batch and sends it again.
func (x *Intake) Receive(ctx context.Context, who actor.Terminal, _ audit.Purpose, b wire.Batch) (wire.Receipt, error) {
	if b.Terminal != who.ID {
		return wire.Receipt{}, fault.At(fault.Forbidden, "terminal", "the batch belongs to another terminal")
	}
	if err := b.Validate(); err != nil {
		return wire.Receipt{}, err
	}
	batch, err := x.ids.New("bat")
	if err != nil {
		return wire.Receipt{}, err
	}
	s := sort(who, batch, b.Records, x.Now())
	var events []Event
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		s.reset()
		var err error
		events, err = x.store(ctx, t, s)
		return err
	})
	if err != nil {
		return wire.Receipt{}, err
	}
	x.report(ctx, s, events)
	return wire.Receipt{Version: wire.Version, ServerEpoch: x.ServerEpoch, ServerTime: x.Now().UTC(), Results: s.results}, nil
}

// sorted is a batch with the good records apart from the refused ones.
type sorted struct {
	who      actor.Terminal
	batch    string
	at       time.Time
	all      []wire.Record
	good     []Stored
	amending map[string]Amendment // by the amendment's record
	place    map[string]int       // of each record's result
	results  []wire.Result
	rejected int
}

func sort(who actor.Terminal, batch string, records []wire.Record, now time.Time) *sorted {
	s := &sorted{
		who: who, batch: batch, at: now, all: records, amending: map[string]Amendment{}, place: map[string]int{},
		results: make([]wire.Result, len(records)),
	}
	for i, r := range records {
		s.place[r.ID] = i
		s.results[i] = wire.Result{ID: r.ID}
		v, code := judge(profile.Class(who.Class), r)
		if code != "" {
			s.results[i].Status, s.results[i].Code = wire.Rejected, string(code)
			s.rejected++
			continue
		}
		if v.amends {
			s.amending[r.ID] = Amendment{RecordID: r.ID, Of: v.about, By: v.by}
		}
		s.good = append(s.good, Stored{
			Record: r, Terminal: who.ID, Batch: batch, Digest: wire.Digest(r), ReceivedAt: now, State: v.state,
			About: v.about, DueAt: now.Add(LookAgain),
		})
	}
	return s
}

// reset forgets what an earlier run of the transaction decided.
func (s *sorted) reset() {
	for _, r := range s.good {
		s.results[s.place[r.ID]] = wire.Result{ID: r.ID}
	}
}

// store runs inside the transaction.
func (x *Intake) store(ctx context.Context, t tx.Tx, s *sorted) ([]Event, error) {
	events, err := x.gaps(ctx, t, s)
	if err != nil {
		return nil, err
	}
	inserted, err := x.Rows.Insert(ctx, t, s.good)
	if err != nil {
		return nil, err
	}
	clashes, err := x.old(ctx, t, s, inserted)
	if err != nil {
		return nil, err
	}
	strays, err := x.amend(ctx, t, s, inserted)
	if err != nil {
		return nil, err
	}
	events = append(append(events, clashes...), strays...)
	if err := x.Rows.Note(ctx, t, events); err != nil {
		return nil, err
	}
	for _, r := range s.good {
		if r.State == Open && inserted[r.ID] {
			return events, x.Queue.Enqueue(ctx, t, AnswerJob{Batch: s.batch})
		}
	}
	return events, nil
}

// amend carries out the amendments that are new. Those without effect are events.
func (x *Intake) amend(ctx context.Context, t tx.Tx, s *sorted, inserted map[string]bool) ([]Event, error) {
	var fresh []Amendment
	for _, r := range s.good {
		if a, ok := s.amending[r.ID]; ok && inserted[r.ID] {
			fresh = append(fresh, a)
		}
	}
	if len(fresh) == 0 {
		return nil, nil
	}
	done, err := x.Rows.Amend(ctx, t, s.who.ID, fresh)
	if err != nil {
		return nil, err
	}
	var events []Event
	for _, a := range fresh {
		if !done[a.RecordID] {
			events = append(events, s.event(Stray, s.all[s.place[a.RecordID]]))
		}
	}
	return events, nil
}

// gaps raises the marks of the batch's epochs and finds sequences that never came.
// Records come again below the mark, which is no gap.
func (x *Intake) gaps(ctx context.Context, t tx.Tx, s *sorted) ([]Event, error) {
	var events []Event
	for i := 0; i < len(s.all); {
		epoch, end := s.all[i].Epoch, i
		for end < len(s.all) && s.all[end].Epoch == epoch {
			end++
		}
		high, err := x.Rows.Raise(ctx, t, s.who.ID, epoch, s.all[end-1].Sequence)
		if err != nil {
			return nil, err
		}
		for _, r := range s.all[i:end] {
			if r.Sequence > high+1 {
				events = append(events, s.event(Gap, r))
			}
			high = max(high, r.Sequence)
		}
		i = end
	}
	return events, nil
}

// old settles the results of the good records: accepted where they are new, else
// duplicate or conflict by their digest.
func (x *Intake) old(ctx context.Context, t tx.Tx, s *sorted, inserted map[string]bool) ([]Event, error) {
	var known []string
	for _, r := range s.good {
		if inserted[r.ID] {
			s.results[s.place[r.ID]].Status = wire.Accepted
		} else {
			known = append(known, r.ID)
		}
	}
	digests, err := x.Rows.Digests(ctx, t, s.who.ID, known)
	if err != nil {
		return nil, err
	}
	var events []Event
	for _, r := range s.good {
		if inserted[r.ID] {
			continue
		}
		result := &s.results[s.place[r.ID]]
		if digests[r.ID] == r.Digest {
			result.Status = wire.Duplicate
			continue
		}
		result.Status, result.Code = wire.Conflict, string(fault.Conflict)
		events = append(events, s.event(Clash, r.Record))
	}
	return events, nil
}

func (s *sorted) event(kind EventKind, r wire.Record) Event {
	return Event{Terminal: s.who.ID, Kind: kind, Epoch: r.Epoch, Sequence: r.Sequence, RecordID: r.ID, At: s.at}
}

// report logs after the commit. Counts and handles only.
func (x *Intake) report(ctx context.Context, s *sorted, events []Event) {
	for _, e := range events {
		x.Log.LogAttrs(ctx, slog.LevelWarn, "terminal security event", slog.String("kind", string(e.Kind)),
			slog.String("terminal", e.Terminal), slog.String("record", e.RecordID), slog.Uint64("seq", e.Sequence))
	}
	if s.rejected > 0 {
		x.Log.LogAttrs(ctx, slog.LevelWarn, "terminal records rejected",
			slog.String("terminal", s.who.ID), slog.String("batch", s.batch), slog.Int("records", s.rejected))
	}
}
