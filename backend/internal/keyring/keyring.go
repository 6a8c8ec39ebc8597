// Package keyring keeps the keys that sign certificates: which one signs now, which the
// world must know, and when each comes and goes.
//
// It promises: at any time exactly one key of a use is in force (for VDS-NC perhaps none);
// a key signs only after it has been published for one cache lifetime, but for the first
// of its use, one that replaces a withdrawn key, and VDS-NC signers, whose documents carry
// their certificate; whatever signed stays published unless it was withdrawn, and what was
// withdrawn is published no more and never signs again. The private part lies in a file
// that only the backend's user may read, or in a device that never gives it out, and is
// destroyed after the key went out of use. Every act is in the access record.
//
// The rows in the store decide: processes that share it agree on them, and one that has
// not the private part of the key in force says so instead of signing with another.
package keyring

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

// Use is what a key signs.
type Use string

// The uses. Each is the name of its folder below the key folder.
const (
	SHC   Use = "shc"   // SMART Health Cards
	HCERT Use = "hcert" // HC1
	VDSNC Use = "vdsnc" // ICAO VDS-NC
	SDJWT Use = "sdjwt" // SD-JWT VC, and the status lists of wallets
)

// Uses lists them.
func Uses() []Use { return []Use{SHC, HCERT, VDSNC, SDJWT} }

// Key is the public part of a signing key with the times of its life.
type Key struct {
	// ID is the format's own name of the key: the RFC 7638 thumbprint for shc and sdjwt,
	// the base64 of the first 8 bytes of the certificate's SHA-256 for hcert, the whole of
	// it in hexadecimal for vdsnc.
	ID            string
	Use           Use
	Public        *ecdsa.PublicKey
	Certificate   []byte // DER; hcert and vdsnc
	PublishedFrom time.Time
	UseFrom       time.Time
	UseUntil      time.Time // zero: open
	Withdrawn     time.Time // zero: not. From then on it is neither published nor used
	Specimen      bool      // what it signs proves nothing
}

// LogValue shows the key's name alone.
func (k Key) LogValue() slog.Value { return slog.StringValue(string(k.Use) + " " + k.ID) }

// InForce tells whether the key is the one that signs at that time.
func (k Key) InForce(at time.Time) bool {
	return k.Withdrawn.IsZero() && !at.Before(k.UseFrom) && (k.UseUntil.IsZero() || at.Before(k.UseUntil))
}

// Coming tells whether the key will be used from a later time on.
func (k Key) Coming(at time.Time) bool { return k.Withdrawn.IsZero() && at.Before(k.UseFrom) }

// Past tells whether the key went out of use.
func (k Key) Past(at time.Time) bool {
	return !k.Withdrawn.IsZero() || !k.UseUntil.IsZero() && !at.Before(k.UseUntil)
}

// published tells whether the world may know the key.
func (k Key) published(at time.Time) bool { return k.Withdrawn.IsZero() && !at.Before(k.PublishedFrom) }

// Stored is a key as it is kept.
type Stored struct {
	Key
	// Number counts the keys of a use.
	Number int64
	// Locator says where the private part is: "file:" and a path below the key folder, or
	// "token:" and a label.
	Locator string
	// Destroyed is when the private part was; zero while it is there.
	Destroyed time.Time
}

// Rows is the storage that Ring needs. store/keyring implements it.
type Rows interface {
	// Hold keeps every other act on the keys of the use out until t ends, and gives the
	// number of acts so far, this one included.
	Hold(ctx context.Context, t tx.Tx, use Use) (acts int64, err error)
	// Keys lists the keys of a use, newest first. With a nil t it reads what is committed.
	Keys(ctx context.Context, t tx.Tx, use Use) ([]Stored, error)
	// Insert stores a key under a number and a name that no other of the use has.
	Insert(ctx context.Context, t tx.Tx, k Stored) error
	// SetTimes stores UseFrom, UseUntil, Withdrawn and Destroyed of the key of that use and name.
	SetTimes(ctx context.Context, t tx.Tx, k Stored) error
}

// Token is a device that keeps private keys. Its methods may be called at once.
type Token interface {
	// Generate makes a P-256 key under a label that no other has.
	Generate(label string) (crypto.Signer, error)
	// Find gives the key with the label; nil where there is none.
	Find(label string) (crypto.Signer, error)
	// Destroy removes the key with the label, if there is one.
	Destroy(label string) error
}

// Record keeps what was done. *audit.Log implements it.
type Record interface {
	Append(ctx context.Context, t tx.Tx, a actor.Actor, e audit.Event) error
}

// Signers gives who signs. *Ring implements it.
type Signers interface {
	Signer(ctx context.Context, use Use, at time.Time) (Key, crypto.Signer, error)
}

// Deps are what a Ring works with; all but Token and Border are needed.
type Deps struct {
	Runner tx.Runner
	Rows   Rows
	Record Record
	// Dir is the key folder; the keys lie below it in certificates/USE.
	Dir string
	// Issuer is the public address, which the certificates name.
	Issuer string
	// CacheLifetime is how long a verifier may keep what was published. A new key is
	// published that long before it signs.
	CacheLifetime time.Duration
	// Token keeps the private keys made from now on; nil: files.
	Token Token
	// Border is the signer that the passport authority certified for VDS-NC; nil: specimens.
	Border *Border
	Now    func() time.Time
	Rand   io.Reader
}

// Border is a VDS-NC signer from outside: its certificate (PEM or DER), and its key or the
// label of its key in the token.
type Border struct {
	Certificate []byte
	Key         *ecdsa.PrivateKey
	Label       string
}

// Ring gives the keys. It is safe for concurrent use.
type Ring struct {
	Deps

	mu     sync.Mutex
	loaded map[Use]loadedKey // the one in force, as last seen
}

type loadedKey struct {
	id     string
	signer crypto.Signer
}

// Signer gives the one key of the use that is in force, and what signs with it. Ask for
// each signature; do not keep it. Not inside a transaction: see SignerIn.
//
// Fault: Unavailable where no key can sign now; the words say until when it could.
func (r *Ring) Signer(ctx context.Context, use Use, at time.Time) (Key, crypto.Signer, error) {
	return r.SignerIn(ctx, nil, use, at)
}

// SignerIn is Signer inside the caller's transaction.
func (r *Ring) SignerIn(ctx context.Context, t tx.Tx, use Use, at time.Time) (Key, crypto.Signer, error) {
	all, err := r.Rows.Keys(ctx, t, use)
	if err != nil {
		return Key{}, nil, err
	}
	k, ok := inForce(all, at)
	if !ok {
		return Key{}, nil, fault.At(fault.Unavailable, string(use), "no signer: no key of this use is in force")
	}
	if err := maySign(k.Key, at); err != nil {
		return Key{}, nil, err
	}
	s, err := r.private(k)
	return k.Key, s, err
}

// Published gives the keys that verifiers must know, newest first: one that comes into
// force later, the one in force, and all earlier ones that were not withdrawn. Not inside
// a transaction.
func (r *Ring) Published(ctx context.Context, use Use, at time.Time) ([]Key, error) {
	all, err := r.Rows.Keys(ctx, nil, use)
	if err != nil {
		return nil, err
	}
	var out []Key
	for _, k := range all {
		if k.published(at) {
			out = append(out, k.Key)
		}
	}
	return out, nil
}

// List gives every key of all uses for an operator, newest first.
func (r *Ring) List(ctx context.Context, _ actor.System, _ audit.Purpose) ([]Stored, error) {
	var out []Stored
	for _, use := range Uses() {
		keys, err := r.Rows.Keys(ctx, nil, use)
		if err != nil {
			return nil, err
		}
		out = append(out, keys...)
	}
	return out, nil
}

func inForce(all []Stored, at time.Time) (Stored, bool) {
	i := slices.IndexFunc(all, func(k Stored) bool { return k.InForce(at) })
	if i < 0 {
		return Stored{}, false
	}
	return all[i], true
}

func coming(all []Stored, at time.Time) (Stored, bool) {
	i := slices.IndexFunc(all, func(k Stored) bool { return k.Coming(at) })
	if i < 0 {
		return Stored{}, false
	}
	return all[i], true
}

// private gives what signs with the key, from memory where it was loaded before.
func (r *Ring) private(k Stored) (crypto.Signer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.loaded[k.Use]; l.id == k.ID {
		return l.signer, nil
	}
	s, err := r.load(k)
	if err != nil {
		return nil, err
	}
	r.loaded[k.Use] = loadedKey{k.ID, s}
	return s, nil
}

// now is the clock in the store's precision.
func (r *Ring) now() time.Time { return r.Now().UTC().Truncate(time.Microsecond) }
