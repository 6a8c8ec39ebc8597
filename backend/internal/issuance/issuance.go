// Package issuance makes vaccination certificates from the records that the offices
// imported, and publishes the keys by which they are checked.
//
// It promises: a certificate states every record of its holder that the cell has, under
// whichever municipality it was imported, and a vaccination that two municipalities
// recorded once; a citizen asks for themselves and for the children whom they act for, and
// nobody else; the same call twice makes one certificate; a certificate is never changed,
// and says so when newer records exist. It is written in every format that can carry the
// record, each signed with its own key, and names those that cannot. When a record that it
// states is corrected, it is revoked in all its formats and in wallets, and its holder is
// told, in the one transaction of the correction. A passport's number stands in the signed
// documents and nowhere else.
package issuance

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/idempotency"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
)

// MaxListed is the most certificates of one list, the newest.
const MaxListed = 200

// Use says where a certificate is shown, and so which name it bears.
type Use string

// The uses.
const (
	Domestic Use = "domestic" // the kanji name
	Overseas Use = "overseas" // the Latin name
)

// Record is one vaccination record of an office.
type Record struct {
	Municipality identity.MunicipalityCode
	Ref          string // the office's number of the record
	Code         string // CVX
	Product      string
	Manufacturer string
	Lot          string
	Number       int64
	On           civil.Date
	Performer    string
	Country      string // ISO 3166-1 alpha-3
}

// LogValue masks the record.
func (Record) LogValue() slog.Value { return slog.StringValue(identity.Mask) }

// String masks the record.
func (Record) String() string { return identity.Mask }

// Dose is one vaccination as a certificate states it.
type Dose struct {
	Number  int        `json:"number"`
	Product string     `json:"product"`
	On      civil.Date `json:"on"`
	Lot     string     `json:"lot"`
}

// Claims are what a certificate states about its holder.
type Claims struct {
	Name      string     `json:"name"`
	BirthDate civil.Date `json:"birth_date"`
	Doses     []Dose     `json:"doses"`
}

// Rendering is a certificate in one format.
type Rendering struct {
	Format cert.Format
	KeyID  string // of the key that signed it, as keyring names it
	Text   string // what the QR code holds
	// RevocationToken is what a revocation list names it by: a rid, or 16 bytes of SHA-256 in
	// hexadecimal. "" where the format has no such list.
	RevocationToken string
	Specimen        bool // it proves nothing
	Doses           int  // how many of the certificate's doses it states
}

// Why a format is left out of a certificate.
type Why string

// The reasons.
const (
	NoPassport Why = "no_passport" // asked for without the passport's lines
	NoCode     Why = "no_code"     // the products have no code there
	TooLarge   Why = "too_large"   // it does not fit one QR code
	NoSigner   Why = "no_signer"   // nobody may sign it now
	NoName     Why = "no_name"     // the name cannot be written there
)

// LeftOut is a format that cannot carry the record.
type LeftOut struct {
	Format cert.Format
	Why    Why
}

// Ground says why a certificate is good no more.
type Ground string

// The grounds.
const (
	ForCorrection Ground = "correction" // a record that it states was corrected
	OnRequest     Ground = "request"    // an officer took it back
	ForKey        Ground = "key"        // its key was given up
)

// Certificate is one issued certificate.
type Certificate struct {
	ID           string
	Reference    string // what its holder reads to the counter; "" on older ones
	Person       identity.CitizenID
	Municipality identity.MunicipalityCode // of the person when it was issued; set when it is made
	AskedBy      identity.CitizenID
	Use          Use
	IssuedAt     time.Time
	Issuer       string
	KeyID        string // of the SMART Health Card
	RID          string // the revocation id that the card bears
	Records      []byte // SHA-256 of the records that it states
	Claims       Claims
	Signed       string // the SMART Health Card, JWS
	// Renderings are all forms of it, the SMART Health Card first.
	Renderings []Rendering
	LeftOut    []LeftOut
	// States are the records that it states; set when it is made.
	States []Held
	// Superseded: records exist that it does not state, or that it states otherwise.
	Superseded bool
	Revoked    time.Time // zero while it is good
	RevokedFor Ground    // "" while it is good
}

// Held is a record with whose it is.
type Held struct {
	Citizen identity.CitizenID // the row under which the person stood then
	Record
}

// LogValue shows the handle alone.
func (c Certificate) LogValue() slog.Value { return slog.StringValue(c.ID) }

// String shows the handle alone.
func (c Certificate) String() string { return c.ID }

// Rows is the storage that Office needs. store/issuance implements it.
type Rows interface {
	// AddRecords stores the records whose number their municipality has not used: Added,
	// Unchanged, or Changed where another row is stored under the number, about whomever.
	AddRecords(ctx context.Context, t tx.Tx, rows []citizen.Fact[Record]) ([]importing.Result, error)
	// Records lists the records of the citizens by day, dose number and record number.
	Records(ctx context.Context, t tx.Tx, of []identity.CitizenID) (map[identity.CitizenID][]Record, error)
	// Insert stores a certificate with its renderings, what it states and its reference.
	Insert(ctx context.Context, t tx.Tx, c Certificate) error
	Get(ctx context.Context, t tx.Tx, of identity.CitizenID, id string) (Certificate, bool, error)
	// Newest lists the certificates of the citizens, newest first.
	Newest(ctx context.Context, t tx.Tx, of []identity.CitizenID, limit int) ([]Certificate, error)
	// Version changes whenever Newest or Records of the citizens would answer something else.
	Version(ctx context.Context, t tx.Tx, of []identity.CitizenID) (string, error)

	// OnRecord gives what is known under record numbers of offices; numbers that nobody
	// used are absent.
	OnRecord(ctx context.Context, t tx.Tx, numbers []Number) (map[Number]Known, error)
	// Correct stores a correction over what it was made for. Another correction of the same
	// record in between is a Conflict.
	Correct(ctx context.Context, t tx.Tx, c Correction) error
	// Stating names the certificates that state the record, revoked ones too.
	Stating(ctx context.Context, t tx.Tx, of identity.CitizenID, n Number) ([]Named, error)

	// HoldRecords keeps corrections of the records out until t ends, and waits for those
	// that were begun before. In t the records are as they will be.
	HoldRecords(ctx context.Context, t tx.Tx, numbers []Number) error
	// HoldCertificate does so for revocations and copies of a certificate.
	HoldCertificate(ctx context.Context, t tx.Tx, of identity.CitizenID, id string) error

	// Revoke stores that a certificate is good no more, with what verifiers are told, and
	// tells whether it was good until then.
	Revoke(ctx context.Context, t tx.Tx, r Revocation) (bool, error)
	// Copies lists the copies of a certificate in wallets.
	Copies(ctx context.Context, t tx.Tx, of identity.CitizenID, id string) ([]Token, error)
	AddCopy(ctx context.Context, t tx.Tx, of identity.CitizenID, id string, copy Token, at time.Time) error
	// TakePlace gives a place of the status lists away, unless it is given away already.
	TakePlace(ctx context.Context, t tx.Tx, index int64) (bool, error)

	Refer(ctx context.Context, t tx.Tx, r Referral) error
	Referred(ctx context.Context, t tx.Tx, reference string) (Referral, bool, error)
}

// Family says for whom a citizen may act. *citizen.Registry implements it.
type Family interface {
	People(ctx context.Context, t tx.Tx, who actor.Citizen) ([]citizen.Person, error)
	Earlier(ctx context.Context, t tx.Tx, of citizen.Resident) ([]identity.CitizenID, error)
	Municipality(ctx context.Context, t tx.Tx, code identity.MunicipalityCode) (citizen.Municipality, error)
	HomeOf(ctx context.Context, t tx.Tx, id identity.CitizenID) (citizen.Home, error)
}

// Residents finds whom imported records are about. store/citizen implements it.
type Residents interface {
	citizen.Resolver
	Standings(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]citizen.Standing, error)
}

// Keeper makes calls repeatable. *idempotency.Keeper implements it.
type Keeper interface {
	Replay(ctx context.Context, t tx.Tx, c idempotency.Call) (response []byte, found bool, err error)
	Keep(ctx context.Context, t tx.Tx, c idempotency.Call, response []byte) error
}

// Ring says who signs. *keyring.Ring implements it.
type Ring interface {
	SignerIn(ctx context.Context, t tx.Tx, use keyring.Use, at time.Time) (keyring.Key, crypto.Signer, error)
	// List gives every key. Not inside a transaction.
	List(ctx context.Context, who actor.System, purpose audit.Purpose) ([]keyring.Stored, error)
}

// Mail brings notices. *mailbox.Office implements it.
type Mail interface {
	Post(ctx context.Context, t tx.Tx, who actor.Actor, purpose audit.Purpose, letters []mailbox.Letter) ([]mailbox.Posted, error)
}

// Protection says who must not be found. *protection.Register implements it.
type Protection interface {
	Flagged(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]bool, error)
}

// Deps are what an Office needs; all are required.
type Deps struct {
	Runner     tx.Runner
	Rows       Rows
	Family     Family
	Residents  Residents
	Keeper     Keeper
	Record     citizen.Record
	Ring       Ring
	Mail       Mail
	Protection Protection
	Issuer     string // public_url; the iss of every certificate
	Secret     []byte // at least 32 bytes; revocation ids are made from it
	IDs        handle.Source
	Now        func() time.Time
}

// Office issues certificates. It is safe for concurrent use.
type Office struct {
	Deps
	pictures pictures
}

// New makes an Office.
func New(d Deps) (*Office, error) {
	if len(d.Secret) < sha256.Size {
		return nil, fmt.Errorf("cannot issue certificates: the secret is shorter than %d bytes", sha256.Size)
	}
	return &Office{Deps: d}, nil
}

// digest names the records that a certificate states.
func digest(held []Held) ([]byte, error) {
	records := make([]Record, len(held))
	for i, h := range held {
		records[i] = h.Record
	}
	raw, err := json.Marshal(records)
	if err != nil {
		return nil, fmt.Errorf("cannot name the records: %w", err)
	}
	sum := sha256.Sum256(raw)
	return sum[:], nil
}
