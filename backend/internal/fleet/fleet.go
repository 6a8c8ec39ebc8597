// Package fleet keeps the offices of a cell and the terminals in them: who may enrol one,
// which key it proves itself with, what it is told, when it was last heard of and what it
// then said of its own health.
//
// It promises: a one-time code has at least 80 secret bits, is shown once, kept as a hash,
// lives at most 15 minutes, belongs to one office, dies after five wrong secrets and
// enrols one terminal; the terminal that lost the answer may repeat its enrolment and gets
// the same one. An officer sees and touches the offices of their own municipality only. A
// disabled terminal is refused from that moment on, with a code of its own, and nobody
// without its key learns that it is.
package fleet

import (
	"context"
	"crypto/ecdsa"
	"io"
	"sync"
	"time"

	"filippo.io/age"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/wire"
)

// Office is a place with terminals.
type Office struct {
	ID           string // "ofc_…"
	Municipality identity.MunicipalityCode
	Ref          string // the operator's own name for it, unique in the municipality
	Class        profile.Class
	Name         string
	Institution  string // 医療機関コード, clinics only
}

// Terminal is one enrolled terminal, with its office.
type Terminal struct {
	ID          string // "trm_…"
	Office      Office
	PublicKey   string // canonical JWK
	Recipient   string // age X25519, answers are sealed to it
	EnrolledAt  time.Time
	DisabledAt  time.Time // zero while it is in use
	LastContact time.Time // zero before the first
}

// Actor gives the terminal as use cases know it.
func (t Terminal) Actor() actor.Terminal {
	return actor.Terminal{ID: t.ID, Office: t.Office.ID, Municipality: t.Office.Municipality, Class: string(t.Office.Class)}
}

// StoredCode is a code as it is kept.
type StoredCode struct {
	Selector   string
	SecretHash []byte
	Office     string
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

// Rows is the storage that Fleet needs. store/fleet implements it.
type Rows interface {
	// PutOffice inserts the office, or changes the one with the same municipality and Ref
	// and keeps its id.
	PutOffice(ctx context.Context, t tx.Tx, o Office) error
	// OfficesByRef finds the offices of that Ref, of one municipality or of all (""), at most limit.
	OfficesByRef(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, ref string, limit int) ([]Office, error)
	// Offices lists a municipality's offices in order of Ref, at most limit.
	Offices(ctx context.Context, m identity.MunicipalityCode, limit int) ([]Office, error)
	// InsertCode stores a code; false means that its selector is taken.
	InsertCode(ctx context.Context, t tx.Tx, c StoredCode) (bool, error)
	// ClaimCode marks the code as used by the terminal and gives its office's id, when it
	// is unused, alive at now and has fewer failed attempts than max.
	ClaimCode(ctx context.Context, t tx.Tx, selector string, secretHash []byte, terminal string, now time.Time, max int) (office string, ok bool, err error)
	// UsedBy gives the terminal that the code enrolled, while the code is alive.
	UsedBy(ctx context.Context, t tx.Tx, selector string, secretHash []byte, now time.Time) (terminal string, ok bool, err error)
	// CountAttempt adds a failed attempt to the code, if there is one.
	CountAttempt(ctx context.Context, t tx.Tx, selector string) error
	// InsertTerminal stores a terminal in the office of the id.
	InsertTerminal(ctx context.Context, t tx.Tx, x Terminal) error
	// Terminal finds one terminal. With a nil t it reads what is committed.
	Terminal(ctx context.Context, t tx.Tx, id string) (Terminal, bool, error)
	// Terminals lists a municipality's terminals in order of id, at most limit.
	Terminals(ctx context.Context, m identity.MunicipalityCode, limit int) ([]Terminal, error)
	// Disable marks the terminal, when it is in that municipality and in use.
	Disable(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, id string, now time.Time) (bool, error)
	// Contact notes when the terminal was heard of.
	Contact(ctx context.Context, t tx.Tx, id string, at time.Time) error
	// PutHealth keeps the health in place of the one before.
	PutHealth(ctx context.Context, t tx.Tx, terminal string, h Health) error
	// Health gives what these terminals said last; those that said nothing are absent.
	Health(ctx context.Context, terminals []string) (map[string]Health, error)
	// Silent counts the terminals in use, those of them not heard of since the time, and the
	// records that terminals said they hold.
	Silent(ctx context.Context, since time.Time) (Silence, error)
}

// Limits of lists and of writing down contacts.
const (
	MaxList      = 1_000
	ContactEvery = 30 * time.Second // one write per terminal in this time
)

// Deps are what a Fleet works with; all are needed down to Rand.
type Deps struct {
	Runner tx.Runner
	Rows   Rows
	Audit  *audit.Log
	Now    func() time.Time
	Rand   io.Reader
	// Payers are published to the terminals that may check insurance.
	Payers []profile.Payer
	// TokenAudience is told to a terminal at its enrolment: the "aud" of its assertions.
	TokenAudience string
	// ReceiptKeys, ExportRecipient and SpreadMS are published to all terminals; see profile.
	ReceiptKeys     []profile.ReceiptKey
	ExportRecipient string
	SpreadMS        int64
}

// Fleet is safe for concurrent use.
type Fleet struct {
	Deps
	ids handle.Source

	mu       sync.Mutex
	contacts map[string]time.Time // last written, by terminal
	healths  map[string]written   // last written, by terminal
}

// New makes a Fleet.
func New(d Deps) *Fleet {
	return &Fleet{Deps: d, ids: handle.Source{Now: d.Now, Rand: d.Rand}, contacts: map[string]time.Time{}, healths: map[string]written{}}
}

// IssueCode makes a one-time code for an office of the officer's municipality.
func (f *Fleet) IssueCode(ctx context.Context, who actor.Staff, purpose audit.Purpose, officeRef string) (Code, error) {
	if err := mayManage(who); err != nil {
		return Code{}, err
	}
	return f.issueCode(ctx, who, purpose, who.Municipality, officeRef)
}

// IssueCodeByOperator makes a one-time code for the office with this Ref. When several
// municipalities use the Ref, municipality says which; otherwise it may be empty.
func (f *Fleet) IssueCodeByOperator(ctx context.Context, who actor.System, purpose audit.Purpose, municipality identity.MunicipalityCode, officeRef string) (Code, error) {
	return f.issueCode(ctx, who, purpose, municipality, officeRef)
}

func mayManage(who actor.Staff) error {
	if !who.Has(actor.TerminalManager) || who.Municipality == "" {
		return fault.New(fault.Forbidden, "the officer does not manage terminals")
	}
	return nil
}

func (f *Fleet) issueCode(ctx context.Context, who actor.Actor, purpose audit.Purpose, m identity.MunicipalityCode, ref string) (Code, error) {
	var code Code
	err := f.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		offices, err := f.Rows.OfficesByRef(ctx, t, m, ref, 2)
		switch {
		case err != nil:
			return err
		case len(offices) == 0:
			return fault.At(fault.NotFound, "office", "there is no such office")
		case len(offices) > 1:
			return fault.At(fault.InvalidArgument, "office", "several municipalities have such an office: name the municipality")
		}
		if code, err = f.storeCode(ctx, t, offices[0]); err != nil {
			return err
		}
		return f.Audit.Append(ctx, t, who, audit.Event{
			Purpose: purpose, Action: "terminal.code", Municipality: offices[0].Municipality, Object: offices[0].ID,
		})
	})
	if err != nil {
		return Code{}, err
	}
	return code, nil
}

// storeCode tries again when the short selector is taken: three misses in a row mean that
// hundreds of thousands of codes are alive.
func (f *Fleet) storeCode(ctx context.Context, t tx.Tx, o Office) (Code, error) {
	for range 3 {
		code, err := newCode(f.Rand)
		if err != nil {
			return Code{}, err
		}
		now := f.Now()
		code.Office, code.OfficeName, code.ExpiresAt = o.ID, o.Name, now.Add(CodeLife)
		ok, err := f.Rows.InsertCode(ctx, t, StoredCode{
			Selector: code.selector, SecretHash: code.hash(), Office: o.ID, CreatedAt: now, ExpiresAt: code.ExpiresAt,
		})
		if err != nil || ok {
			return code, err
		}
	}
	return Code{}, fault.New(fault.Unavailable, "no code is free: try again")
}

// Enrol takes a terminal's public key and recipient in exchange for a one-time code. A
// code that is wrong, used, too old or tried too often is Unauthenticated, all alike.
func (f *Fleet) Enrol(ctx context.Context, who actor.Anyone, purpose audit.Purpose, e wire.Enrolment) (wire.Enrolled, error) {
	key, err := ParseKey(e.PublicKey)
	if err != nil {
		return wire.Enrolled{}, err
	}
	if _, err := age.ParseX25519Recipient(e.Recipient); err != nil {
		return wire.Enrolled{}, fault.At(fault.InvalidArgument, "recipient", "must be an age X25519 recipient")
	}
	code, ok := parseCode(e.Code)
	if !ok {
		return wire.Enrolled{}, refusedCode()
	}
	id, err := f.ids.New("trm")
	if err != nil {
		return wire.Enrolled{}, err
	}
	x := Terminal{ID: id, PublicKey: key.String(), Recipient: e.Recipient, EnrolledAt: f.Now()}
	var done wire.Enrolled
	err = f.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		var err error
		done, err = f.enrol(ctx, t, who, purpose, code, x)
		return err
	})
	switch {
	case err != nil:
		return wire.Enrolled{}, err
	case done.Terminal == "":
		return wire.Enrolled{}, refusedCode()
	}
	return done, nil
}

func refusedCode() error {
	return fault.At(fault.Unauthenticated, "code", "the code is wrong, used or too old: ask for a new one")
}

// enrol answers an empty Enrolled for a refused code, because the count of the failed
// attempt must be stored.
func (f *Fleet) enrol(ctx context.Context, t tx.Tx, who actor.Anyone, purpose audit.Purpose, code Code, x Terminal) (wire.Enrolled, error) {
	now, hash := f.Now(), code.hash()
	office, ok, err := f.Rows.ClaimCode(ctx, t, code.selector, hash, x.ID, now, CodeAttempts)
	if err != nil {
		return wire.Enrolled{}, err
	}
	if !ok {
		return f.enrolAgain(ctx, t, code, x, now)
	}
	x.Office.ID = office
	if err := f.Rows.InsertTerminal(ctx, t, x); err != nil {
		return wire.Enrolled{}, err
	}
	x, _, err = f.Rows.Terminal(ctx, t, x.ID)
	if err != nil {
		return wire.Enrolled{}, err
	}
	return wire.Enrolled{Terminal: x.ID, Office: office, TokenAudience: f.TokenAudience}, f.Audit.Append(ctx, t, who, audit.Event{
		Purpose: purpose, Action: "terminal.enrol", Municipality: x.Office.Municipality, Object: x.ID,
	})
}

// enrolAgain gives the same answer to the same terminal, and counts everything else as a
// failed attempt.
func (f *Fleet) enrolAgain(ctx context.Context, t tx.Tx, code Code, x Terminal, now time.Time) (wire.Enrolled, error) {
	id, ok, err := f.Rows.UsedBy(ctx, t, code.selector, code.hash(), now)
	if err != nil {
		return wire.Enrolled{}, err
	}
	if ok {
		first, found, err := f.Rows.Terminal(ctx, t, id)
		if err != nil {
			return wire.Enrolled{}, err
		}
		if found && first.PublicKey == x.PublicKey && first.Recipient == x.Recipient && first.DisabledAt.IsZero() {
			return wire.Enrolled{Terminal: first.ID, Office: first.Office.ID, TokenAudience: f.TokenAudience}, nil
		}
	}
	return wire.Enrolled{}, f.Rows.CountAttempt(ctx, t, code.selector)
}

// TerminalKey finds the key that a terminal proves itself with, and who it then is, also
// when it is disabled: see InUse. It is for the token endpoint alone.
func (f *Fleet) TerminalKey(ctx context.Context, terminal string) (actor.Terminal, *ecdsa.PublicKey, error) {
	x, err := f.enrolled(ctx, terminal)
	if err != nil {
		return actor.Terminal{}, nil, err
	}
	key, err := ParseKey([]byte(x.PublicKey))
	return x.Actor(), key.ECDSA(), err
}

// Recipient gives what answers to the terminal are sealed to, also when it is disabled:
// answers wait until somebody enables it or they are dropped with it.
func (f *Fleet) Recipient(ctx context.Context, _ actor.System, _ audit.Purpose, terminal string) (string, error) {
	x, ok, err := f.Rows.Terminal(ctx, nil, terminal)
	if err == nil && !ok {
		err = fault.At(fault.NotFound, "terminal", "there is no such terminal")
	}
	return x.Recipient, err
}

// Enrolled gives a terminal as use cases know it, also when it is disabled: for what is done
// with its records without it.
func (f *Fleet) Enrolled(ctx context.Context, _ actor.System, _ audit.Purpose, terminal string) (actor.Terminal, error) {
	x, err := f.enrolled(ctx, terminal)
	return x.Actor(), err
}

// InUse tells by its error whether the terminal may be served: Forbidden when it was
// disabled, NotFound when it was never enrolled. It reads one row.
func (f *Fleet) InUse(ctx context.Context, terminal string) error {
	_, err := f.inUse(ctx, terminal)
	return err
}

func (f *Fleet) inUse(ctx context.Context, terminal string) (Terminal, error) {
	x, err := f.enrolled(ctx, terminal)
	if err == nil && !x.DisabledAt.IsZero() {
		err = fault.At(fault.Forbidden, "terminal", "this terminal was taken out of use: ask the office")
	}
	return x, err
}

func (f *Fleet) enrolled(ctx context.Context, terminal string) (Terminal, error) {
	if !handle.Valid("trm", terminal) {
		return Terminal{}, fault.At(fault.NotFound, "terminal", "there is no such terminal")
	}
	x, ok, err := f.Rows.Terminal(ctx, nil, terminal)
	if err == nil && !ok {
		err = fault.At(fault.NotFound, "terminal", "there is no such terminal")
	}
	return x, err
}

// Profile gives what the terminal is told: its class, office, payers and limits. Payers
// are left out where the class may not check insurance.
func (f *Fleet) Profile(ctx context.Context, who actor.Terminal, _ audit.Purpose) (profile.Profile, error) {
	x, err := f.inUse(ctx, who.ID)
	if err != nil {
		return profile.Profile{}, err
	}
	p := profile.Profile{
		Schema: profile.Schema, Terminal: x.ID, Class: x.Office.Class, Office: x.Office.ID,
		OfficeName: x.Office.Name, Institution: x.Office.Institution, Municipality: string(x.Office.Municipality),
		Payers:          []profile.Payer{},
		AnswerTimeoutMS: profile.DefaultAnswerTimeoutMS, LockAfterMS: profile.DefaultLockAfterMS,
		ReceiptKeys: f.ReceiptKeys, ExportRecipient: f.ExportRecipient, SpreadMS: f.SpreadMS,
	}
	if p.Class.MayCheckInsurance() {
		p.Payers = append(p.Payers, f.Payers...)
	}
	if err := p.Validate(); err != nil {
		return profile.Profile{}, fault.Wrap(fault.Internal, err, "the office's profile is not valid")
	}
	return p, nil
}

// Seen notes that the terminal was heard of, at most once per ContactEvery and terminal.
func (f *Fleet) Seen(ctx context.Context, who actor.Terminal, _ audit.Purpose) error {
	now := f.Now()
	if !f.contactIsDue(who.ID, now) {
		return nil
	}
	return f.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error { return f.Rows.Contact(ctx, t, who.ID, now) })
}

func (f *Fleet) contactIsDue(id string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if last, ok := f.contacts[id]; ok && now.Sub(last) < ContactEvery {
		return false
	}
	f.contacts[id] = now
	return true
}

// ListOffices lists the offices of the officer's municipality.
func (f *Fleet) ListOffices(ctx context.Context, who actor.Staff, _ audit.Purpose) ([]Office, error) {
	if err := mayManage(who); err != nil {
		return nil, err
	}
	return f.Rows.Offices(ctx, who.Municipality, MaxList)
}

// ListTerminals lists the terminals of the officer's municipality.
func (f *Fleet) ListTerminals(ctx context.Context, who actor.Staff, _ audit.Purpose) ([]Terminal, error) {
	if err := mayManage(who); err != nil {
		return nil, err
	}
	return f.Rows.Terminals(ctx, who.Municipality, MaxList)
}

// Disable takes a terminal of the officer's municipality out of use: its
// requests are refused from now on.
func (f *Fleet) Disable(ctx context.Context, who actor.Staff, purpose audit.Purpose, terminal string) error {
	if err := mayManage(who); err != nil {
		return err
	}
	return f.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		ok, err := f.Rows.Disable(ctx, t, who.Municipality, terminal, f.Now())
		if err == nil && !ok {
			err = fault.At(fault.NotFound, "terminal", "there is no such terminal in use")
		}
		if err != nil {
			return err
		}
		return f.Audit.Append(ctx, t, who, audit.Event{
			Purpose: purpose, Action: "terminal.disable", Municipality: who.Municipality, Object: terminal,
		})
	})
}
