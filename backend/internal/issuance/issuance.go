// Package issuance makes vaccination certificates from the records that the offices
// imported, and publishes the keys by which they are checked.
//
// It promises: a certificate states every record of its holder that the cell has, under
// whichever municipality it was imported; a citizen asks for themselves and for the
// children whom they act for, and nobody else; the same call twice makes one certificate;
// a certificate is never changed, and says so when newer records exist.
package issuance

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/idempotency"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert/shc"
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

// Certificate is one issued certificate.
type Certificate struct {
	ID       string
	Person   identity.CitizenID
	AskedBy  identity.CitizenID
	Use      Use
	IssuedAt time.Time
	Issuer   string
	KeyID    string
	RID      string // the revocation id that it bears
	Records  []byte // SHA-256 of the records that it states
	Claims   Claims
	Signed   string // JWS
	// Superseded: records exist that it does not state, or that it states otherwise.
	Superseded bool
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
	Insert(ctx context.Context, t tx.Tx, c Certificate) error
	Get(ctx context.Context, t tx.Tx, of identity.CitizenID, id string) (Certificate, bool, error)
	// Newest lists the certificates of the citizens, newest first.
	Newest(ctx context.Context, t tx.Tx, of []identity.CitizenID, limit int) ([]Certificate, error)
	// Version changes whenever Newest or Records of the citizens would answer something else.
	Version(ctx context.Context, t tx.Tx, of []identity.CitizenID) (string, error)
}

// Family says for whom a citizen may act. *citizen.Registry implements it.
type Family interface {
	People(ctx context.Context, t tx.Tx, who actor.Citizen) ([]citizen.Person, error)
	Earlier(ctx context.Context, t tx.Tx, of citizen.Resident) ([]identity.CitizenID, error)
	Municipality(ctx context.Context, t tx.Tx, code identity.MunicipalityCode) (citizen.Municipality, error)
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

// Deps are what an Office needs; all are required.
type Deps struct {
	Runner    tx.Runner
	Rows      Rows
	Family    Family
	Residents Residents
	Keeper    Keeper
	Record    citizen.Record
	Issuer    string            // public_url; the iss of every certificate
	Key       *ecdsa.PrivateKey // P-256
	Secret    []byte            // at least 32 bytes; revocation ids are made from it
	IDs       handle.Source
	Now       func() time.Time
}

// Office issues certificates. It is safe for concurrent use.
type Office struct {
	Deps
	kid  string
	jwks []byte
}

// New makes an Office.
func New(d Deps) (*Office, error) {
	kid, err := shc.KeyID(&d.Key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("cannot issue certificates: %w", err)
	}
	jwks, err := shc.JWKS(shc.Published(&d.Key.PublicKey))
	if err != nil {
		return nil, fmt.Errorf("cannot issue certificates: %w", err)
	}
	return &Office{Deps: d, kid: kid, jwks: jwks}, nil
}

// digest names the records that a certificate states.
func digest(records []Record) ([]byte, error) {
	raw, err := json.Marshal(records)
	if err != nil {
		return nil, fmt.Errorf("cannot name the records: %w", err)
	}
	sum := sha256.Sum256(raw)
	return sum[:], nil
}
