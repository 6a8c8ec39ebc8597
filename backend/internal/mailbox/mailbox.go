// Package mailbox brings notices from an office to its residents: it is written once, lies
// in the mailbox of each, and a push says no more than that it is there.
//
// It promises: a notice's mailbox rows, its entries in the access record and its push job
// are stored together or not at all; a form that is sent twice sends once; an officer
// reaches residents of their own municipality only, and cannot tell another's resident
// from nobody; a citizen sees their own notices only; having read one stays known, as
// proof of delivery; what a protection withholds is nowhere in its recipient's app and on
// the list of the protectors instead, and no officer who wrote it can tell.
package mailbox

import (
	"context"
	"log/slog"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Limits.
const (
	MaxRecipients = 500 // of one notice; more people get more notices
	MaxListed     = 100 // of one page
)

// Notice is one notice as it was sent.
type Notice struct {
	ID           string // "ntc_…"
	Municipality identity.MunicipalityCode
	ClientID     string
	Fingerprint  []byte // of the draft
	Number       string // printed on letters
	Kind         notice.Kind
	Sender       string // the office
	Phone        string
	Deadline     civil.Date // zero: none
	Texts        map[notice.Language]notice.Text
	WrittenBy    string // the officer
	Recipients   int
	SentAt       time.Time
	Subject      notice.Subject       // what the app can show beside it; zero: nothing
	About        []identity.CitizenID // whom it tells of besides its recipients
	Posting      string               // "pst_…": posted with others; "": an officer wrote it
}

// LogValue shows the handle alone.
func (n Notice) LogValue() slog.Value { return slog.StringValue(n.ID) }

// String shows the handle alone.
func (n Notice) String() string { return n.ID }

// Received is a notice in a citizen's mailbox.
type Received struct {
	Notice
	ReadAt time.Time // zero: not yet
}

// Place is a place in a list, newest first: the last one shown. The zero Place is the start.
type Place struct {
	At time.Time
	ID string
}

// Withheld marks the copy of a notice that a protection keeps from its recipient. It is no
// channel: such a copy is in no mailbox.
const Withheld notice.Channel = "withheld"

// Copy is one person's copy of a notice in one channel.
type Copy struct {
	Citizen      identity.CitizenID
	Notice       string
	Channel      notice.Channel
	Municipality identity.MunicipalityCode
	SentAt       time.Time
	ReadAt       time.Time // of a letter: the end of the day on which it came; zero: not yet
}

// Lost are pushes that nobody knows to have ended: of one notice, or of one posting.
type Lost struct {
	ID           string // of the notice or the posting
	Municipality identity.MunicipalityCode
	SentAt       time.Time
}

// Rows is the storage that Office needs. store/mailbox implements it.
type Rows interface {
	// Insert stores the notice unless its municipality used its client id, and tells
	// whether it did.
	Insert(ctx context.Context, t tx.Tx, n Notice) (bool, error)
	// InsertAll stores those notices whose municipality has not used their client id, and
	// tells how many.
	InsertAll(ctx context.Context, t tx.Tx, notices []Notice) (int, error)
	// AddCopies stores those that are not there yet, by citizen, notice and channel, and
	// tells how many.
	AddCopies(ctx context.Context, t tx.Tx, copies []Copy) (int, error)
	ByClient(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, clientID string) (Notice, bool, error)
	// Posted gives what the municipality has posted under client ids, by client id, each
	// with its only recipient's copy.
	Posted(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, clientIDs []string) (map[string]PostedCopy, error)
	// Version changes whenever the citizen's list would.
	Version(ctx context.Context, t tx.Tx, of identity.CitizenID) (string, error)
	// Newest lists the citizen's notices after the place, newest first.
	Newest(ctx context.Context, t tx.Tx, of identity.CitizenID, after Place, limit int) ([]Received, error)
	Get(ctx context.Context, t tx.Tx, of identity.CitizenID, id string) (Received, bool, error)
	// MarkRead notes the first reading; later ones change nothing.
	MarkRead(ctx context.Context, t tx.Tx, of identity.CitizenID, id string, at time.Time) error
	// Sent lists what the municipality's officers wrote after the place, newest first.
	Sent(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, after Place, limit int) ([]Notice, error)
	// ByID gives what an officer of the municipality wrote.
	ByID(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, id string) (Notice, bool, error)
	// Deliveries lists the recipients' copies in the app, those that are withheld among them.
	Deliveries(ctx context.Context, t tx.Tx, id string) ([]Copy, error)
	// CopyOf gives the recipient's copy in the app, or the withheld one.
	CopyOf(ctx context.Context, t tx.Tx, of identity.CitizenID, notice string) (Copy, bool, error)
	// Proven lists the copies of the notices that reached their recipients, in any channel.
	Proven(ctx context.Context, t tx.Tx, of []Delivered) ([]Copy, error)
	// CountRead counts the recipients who opened the notice.
	CountRead(ctx context.Context, t tx.Tx, id string) (int, error)
	// Lost lists what was sent between from and until and whose pushes neither ended nor
	// were asked for again, at most limit.
	Lost(ctx context.Context, t tx.Tx, from, until time.Time, limit int) ([]Lost, error)
	// Owed lists the copies in the app that a lost push was for.
	Owed(ctx context.Context, t tx.Tx, l Lost) ([]Copy, error)
	// Swept notes that the pushes were asked for again, and tells whether this call did.
	Swept(ctx context.Context, t tx.Tx, id string, at time.Time) (bool, error)
}

// People finds recipients and offices. *citizen.Registry implements it.
type People interface {
	Residents(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, refs []string) (map[string]identity.CitizenID, error)
	RefsOf(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]string, error)
	Municipality(ctx context.Context, t tx.Tx, code identity.MunicipalityCode) (citizen.Municipality, error)
}

// Pushes knows what pushes announced. store/push implements it.
type Pushes interface {
	NoticeOf(ctx context.Context, t tx.Tx, of identity.CitizenID, handle string) (notice string, err error)
	Pushed(ctx context.Context, t tx.Tx, notice string) (map[identity.CitizenID]bool, error)
	CountPushed(ctx context.Context, t tx.Tx, notice string) (int, error)
}

// Protection knows whom nothing may be sent to. *protection.Register implements it.
type Protection interface {
	Flagged(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]bool, error)
	Withhold(ctx context.Context, t tx.Tx, withheld []protection.Withheld) error
}

// Record is the access record. *audit.Log implements it.
type Record interface {
	Append(ctx context.Context, t tx.Tx, a actor.Actor, e audit.Event) error
	AppendAll(ctx context.Context, t tx.Tx, a actor.Actor, entries []audit.Event) error
}

// Deps are what an Office needs; all are required.
type Deps struct {
	Runner     tx.Runner
	Rows       Rows
	People     People
	Pushes     Pushes
	Protection Protection
	Queue      job.Queue
	Record     Record
	IDs        handle.Source
	Now        func() time.Time
}

// Office sends and shows notices. It is safe for concurrent use.
type Office struct{ Deps }

// New makes an Office.
func New(d Deps) *Office { return &Office{d} }

var errNoNotice = fault.New(fault.NotFound, "there is no such notice")

// Page is a part of a citizen's list.
type Page struct {
	Notices []Received
	Next    Place  // zero at the end
	Version string // changes with the whole list; read before the notices
	Same    bool   // the caller knows this version already, and nothing was read
}

// List gives the citizen's notices, newest first. known tells whether the caller has a
// version already.
func (x *Office) List(ctx context.Context, who actor.Citizen, purpose audit.Purpose, after Place, limit int, known func(version string) bool) (Page, error) {
	if limit <= 0 || limit > MaxListed {
		limit = MaxListed
	}
	var out Page
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		if out.Version, err = x.Rows.Version(ctx, t, who.ID); err != nil {
			return err
		}
		if out.Same = known(out.Version); out.Same {
			return nil
		}
		found, err := x.Rows.Newest(ctx, t, who.ID, after, limit+1)
		if err != nil {
			return err
		}
		if len(found) > limit {
			found = found[:limit]
			out.Next = Place{found[limit-1].SentAt, found[limit-1].ID}
		}
		out.Notices = found
		return x.note(ctx, t, who, purpose, "notice.list", "")
	})
	return out, err
}

// Get gives one of the citizen's notices.
func (x *Office) Get(ctx context.Context, who actor.Citizen, purpose audit.Purpose, id string) (Received, error) {
	var out Received
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		out, err = x.get(ctx, t, who, purpose, id)
		return err
	})
	return out, err
}

func (x *Office) get(ctx context.Context, t tx.Tx, who actor.Citizen, purpose audit.Purpose, id string) (Received, error) {
	n, ok, err := x.Rows.Get(ctx, t, who.ID, id)
	if err != nil {
		return n, err
	}
	if !ok {
		return n, errNoNotice
	}
	return n, x.note(ctx, t, who, purpose, "notice.get", id)
}

// ByPush gives the notice that a push announced. A handle of another's push, and one that
// never was, are NotFound alike.
func (x *Office) ByPush(ctx context.Context, who actor.Citizen, purpose audit.Purpose, pushHandle string) (Received, error) {
	var out Received
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		id, err := x.Pushes.NoticeOf(ctx, t, who.ID, pushHandle)
		if err != nil {
			return err
		}
		if id == "" {
			return errNoNotice
		}
		out, err = x.get(ctx, t, who, purpose, id)
		return err
	})
	return out, err
}

// Read notes that the citizen opened the notice: proof of delivery. The first time counts.
func (x *Office) Read(ctx context.Context, who actor.Citizen, purpose audit.Purpose, id string) error {
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		n, ok, err := x.Rows.Get(ctx, t, who.ID, id)
		if err != nil {
			return err
		}
		if !ok {
			return errNoNotice
		}
		if !n.ReadAt.IsZero() {
			return nil
		}
		if err := x.Rows.MarkRead(ctx, t, who.ID, id, x.Now()); err != nil {
			return err
		}
		return x.note(ctx, t, who, purpose, "notice.read", id)
	})
}

func (x *Office) note(ctx context.Context, t tx.Tx, who actor.Citizen, purpose audit.Purpose, action, id string) error {
	return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: action, CitizenID: who.ID,
		Municipality: who.Municipality, Object: id, Items: []string{"notice"}})
}
