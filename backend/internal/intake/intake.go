// Package intake is the server side of terminal sync: it takes in what terminals recorded
// and hands them what came back.
//
// It promises: a batch is stored in one transaction, raw and whole, before any of it is
// answered as accepted; a record is stored once under its terminal and id, whatever is
// sent again and by how many at once; the same id with other content is a conflict that
// changes nothing and leaves a security event, as a gap in the sequence and a fork of the
// hash chain do; one bad record never blocks the others; nothing here can read a sealed
// number. Each receipt says how far every life of the terminal's queue came, with the
// chain's head, countersigned. A batch from before a restore of the store is not stored:
// the terminal is told how far the store is and sends what is missing. An amendment takes
// its check back in the transaction that stores it: a check that was open is not answered
// any more, whoever is asking at that moment. Answers have cursors that rise strictly
// within a terminal and become visible in that order.
package intake

import (
	"context"
	"crypto/ed25519"
	"io"
	"log/slog"
	"slices"
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
	Fork  EventKind = "fork"     // two histories of one life of a queue: a copied or restored terminal
)

// EventKinds are all events.
func EventKinds() []EventKind { return []EventKind{Gap, Clash, Stray, Fork} }

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
	// Hold gives how far the epoch came, Known only when something of it came before. It
	// holds the row until commit, so that batches of one terminal follow each other.
	Hold(ctx context.Context, t tx.Tx, terminal, epoch string) (Progress, error)
	// Raise sets how far an epoch came that Hold gave.
	Raise(ctx context.Context, t tx.Tx, terminal string, p Progress) error
	// Progress gives how far these epochs came, by epoch; those that are not known are absent.
	Progress(ctx context.Context, terminal string, epochs []string) (map[string]Progress, error)
	// Others tells which of these sequences another record than the one given by id stands at.
	Others(ctx context.Context, t tx.Tx, terminal, epoch string, idOf map[uint64]string) (map[uint64]bool, error)
	// Insert stores those records whose (Terminal, ID) is not there yet and tells which
	// they were, by ID.
	Insert(ctx context.Context, t tx.Tx, records []Stored) (map[string]bool, error)
	// Forked tells whether a fork of one of the terminal's epochs was noted since the time.
	Forked(ctx context.Context, terminal string, epochs []string, since time.Time) (bool, error)
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
	// CountEvents counts the terminals' events since the time. Terminals without any are absent.
	CountEvents(ctx context.Context, terminals []string, since time.Time) (map[string]map[EventKind]int, error)
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
	Batch   string `json:"batch"`
	Backlog bool   `json:"backlog,omitempty"` // nobody stands at the counter for these
}

// Kind names the job in the queue.
func (AnswerJob) Kind() string { return "payer_answer" }

// Priority implements job.Prioritised: people who stand at a counter come first.
func (a AnswerJob) Priority() int {
	if a.Backlog {
		return job.Behind
	}
	return job.Usual
}

// Deps are what an Intake works with; all are needed but those that say otherwise.
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
	// Receipts countersigns marks; without its key they are not signed.
	Receipts ReceiptKey
	// Limits bound how much is taken in at once; zero fields are the defaults.
	Limits Limits
}

// ReceiptKey is the backend's key for marks, under the name that profiles give it.
type ReceiptKey struct {
	ID      string
	Private ed25519.PrivateKey
}

// Intake is safe for concurrent use.
type Intake struct {
	Deps
	ids     handle.Source
	bell    *bell
	gate    *Admission
	counted counters
}

// New makes an Intake.
func New(d Deps) *Intake {
	if d.PollEvery == 0 {
		d.PollEvery = DefaultPollEvery
	}
	return &Intake{Deps: d, ids: handle.Source{Now: d.Now, Rand: d.Rand}, bell: newBell(), gate: NewAdmission(d.Limits, d.Now)}
}

// Receive takes in one batch of the terminal that sent it. An error means that nothing is stored, or that nobody knows: the
// terminal keeps the batch and sends it again, after a *Busy not before its slot.
func (x *Intake) Receive(ctx context.Context, who actor.Terminal, purpose audit.Purpose, b wire.Batch) (wire.Receipt, error) {
	if err := b.Validate(); err != nil {
		return wire.Receipt{}, err
	}
	return x.ReceiveDecoded(ctx, who, purpose, b)
}

// ReceiveDecoded is Receive for a batch that wire.DecodeBatch gave, which has looked at all
// of its forms and sizes already.
func (x *Intake) ReceiveDecoded(ctx context.Context, who actor.Terminal, purpose audit.Purpose, b wire.Batch) (wire.Receipt, error) {
	if b.Terminal != who.ID {
		return wire.Receipt{}, fault.At(fault.Forbidden, "terminal", "the batch belongs to another terminal")
	}
	if len(b.Records) == 0 || x.restored(b) {
		return x.tell(ctx, who, b)
	}
	lane := x.gate.Lane(b)
	leave, err := x.gate.Enter(lane, who.ID, len(b.Records)+b.Behind)
	if err != nil {
		x.counted.refused(lane)
		return wire.Receipt{}, err
	}
	taken := 0
	defer func() { leave(taken, b.Behind) }()
	receipt, err := x.take(ctx, who, purpose, b, lane)
	if err == nil {
		taken = len(b.Records)
	}
	return receipt, err
}

// Announced answers *Busy where a terminal that says how many records wait at it
// (wire.WaitingHeader) comes with a backlog for which there is no room now, so that its batch
// need not be read. Without an error the batch may still be refused.
func (x *Intake) Announced(who actor.Terminal, waiting int) error {
	err := x.gate.Ask(who.ID, waiting)
	if err != nil {
		x.counted.refused(Backlog)
	}
	return err
}

// take stores the batch, whoever else is there.
func (x *Intake) take(ctx context.Context, who actor.Terminal, _ audit.Purpose, b wire.Batch, lane Lane) (wire.Receipt, error) {
	batch, err := x.ids.New("bat")
	if err != nil {
		return wire.Receipt{}, err
	}
	s := sort(who, batch, b, x.Now())
	s.lane = lane
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		s.reset()
		return x.store(ctx, t, s)
	})
	if err != nil {
		return wire.Receipt{}, err
	}
	x.report(ctx, s)
	marks, err := x.marks(ctx, who.ID, b, s.reached)
	if err != nil {
		return wire.Receipt{}, err
	}
	receipt := x.receipt(b, s.results, marks)
	receipt.Forked = b.Version > 0 && slices.ContainsFunc(s.events, func(e Event) bool { return e.Kind == Fork })
	return receipt, nil
}

func (x *Intake) receipt(b wire.Batch, results []wire.Result, marks []wire.Mark) wire.Receipt {
	return wire.Receipt{
		Version: b.Version, ServerEpoch: x.ServerEpoch, ServerTime: x.Now().UTC(), Results: results, Marks: marks,
	}
}

// sorted is a batch with the good records apart from the refused ones.
type sorted struct {
	who      actor.Terminal
	batch    string
	lane     Lane
	at       time.Time
	chained  bool // records carry the chain
	all      []wire.Record
	digests  [][32]byte // of all
	good     []Stored
	amending map[string]Amendment // by the amendment's record
	place    map[string]int       // of each record's result
	results  []wire.Result
	rejected int
	reached  map[string]Progress // by epoch
	events   []Event
}

func sort(who actor.Terminal, batch string, b wire.Batch, now time.Time) *sorted {
	records := b.Records
	s := &sorted{
		who: who, batch: batch, at: now, chained: b.Version > 0, all: records, digests: make([][32]byte, len(records)),
		good: make([]Stored, 0, len(records)), amending: map[string]Amendment{}, place: make(map[string]int, len(records)),
		results: make([]wire.Result, len(records)),
	}
	for i, r := range records {
		s.place[r.ID] = i
		s.digests[i] = wire.Digest(r)
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
			Record: r, Terminal: who.ID, Batch: batch, Digest: s.digests[i], ReceivedAt: now, State: v.state,
			About: v.about, DueAt: now.Add(LookAgain),
		})
	}
	return s
}

// reset forgets what an earlier run of the transaction decided.
func (s *sorted) reset() {
	s.reached, s.events = map[string]Progress{}, nil
	for _, r := range s.good {
		s.results[s.place[r.ID]] = wire.Result{ID: r.ID}
	}
}

// store runs inside the transaction.
func (x *Intake) store(ctx context.Context, t tx.Tx, s *sorted) error {
	behind, err := x.advance(ctx, t, s)
	if err != nil {
		return err
	}
	inserted, err := x.Rows.Insert(ctx, t, s.good)
	if err != nil {
		return err
	}
	if err := x.old(ctx, t, s, inserted); err != nil {
		return err
	}
	if err := x.forks(ctx, t, s, behind, inserted); err != nil {
		return err
	}
	if err := x.amend(ctx, t, s, inserted); err != nil {
		return err
	}
	if err := x.Rows.Note(ctx, t, s.events); err != nil {
		return err
	}
	for _, r := range s.good {
		if r.State == Open && inserted[r.ID] {
			return x.Queue.Enqueue(ctx, t, AnswerJob{Batch: s.batch, Backlog: s.lane == Backlog})
		}
	}
	return nil
}

// amend carries out the amendments that are new. Those without effect are events.
func (x *Intake) amend(ctx context.Context, t tx.Tx, s *sorted, inserted map[string]bool) error {
	var fresh []Amendment
	for _, r := range s.good {
		if a, ok := s.amending[r.ID]; ok && inserted[r.ID] {
			fresh = append(fresh, a)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	done, err := x.Rows.Amend(ctx, t, s.who.ID, fresh)
	if err != nil {
		return err
	}
	for _, a := range fresh {
		if !done[a.RecordID] {
			s.note(Stray, s.all[s.place[a.RecordID]])
		}
	}
	return nil
}

// old settles the results of the good records: accepted where they are new, else
// duplicate or conflict by their digest.
func (x *Intake) old(ctx context.Context, t tx.Tx, s *sorted, inserted map[string]bool) error {
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
		return err
	}
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
		s.note(Clash, r.Record)
	}
	return nil
}

func (s *sorted) note(kind EventKind, r wire.Record) {
	s.events = append(s.events, Event{Terminal: s.who.ID, Kind: kind, Epoch: r.Epoch, Sequence: r.Sequence, RecordID: r.ID, At: s.at})
}

// report logs and counts after the commit. Counts and handles only.
func (x *Intake) report(ctx context.Context, s *sorted) {
	x.counted.batch(s)
	for _, e := range s.events {
		x.Log.LogAttrs(ctx, slog.LevelWarn, "terminal security event", slog.String("kind", string(e.Kind)),
			slog.String("terminal", e.Terminal), slog.String("record", e.RecordID), slog.Uint64("seq", e.Sequence))
	}
	if s.rejected > 0 {
		x.Log.LogAttrs(ctx, slog.LevelWarn, "terminal records rejected",
			slog.String("terminal", s.who.ID), slog.String("batch", s.batch), slog.Int("records", s.rejected))
	}
}
