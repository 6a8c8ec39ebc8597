// Package idempotency lets a caller repeat an unsafe call safely: under the same key, the
// second call gets the first one's answer and nothing happens twice.
//
// A use case asks Replay and, when there is nothing to replay, does its work and calls
// Keep, all in one transaction: the effect and the remembered answer exist together or
// not at all. What is kept is the use case's choice; a handle is enough where the answer
// can be read again, so that no personal data is stored twice.
//
//	stored, found, err := keeper.Replay(ctx, t, call)
//	if err != nil || found { … }
//	… the effect …
//	err = keeper.Keep(ctx, t, call, []byte(certificateID))
package idempotency

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

// Lifetime is how long an answer is kept. Sweep removes older ones.
const Lifetime = 72 * time.Hour

// MaxResponse caps the kept answer in bytes.
const MaxResponse = 4 << 10

// Call names one call: who, which operation, the caller's key, and what was asked.
type Call struct {
	Subject     string // whose call it is: a citizen's id
	Operation   string
	Key         string
	Fingerprint []byte // of what was asked; see Fingerprint
}

// Fingerprint makes the fingerprint of what was asked.
func Fingerprint(asked any) ([]byte, error) {
	raw, err := json.Marshal(asked)
	if err != nil {
		return nil, fmt.Errorf("cannot fingerprint a call: %w", err)
	}
	sum := sha256.Sum256(raw)
	return sum[:], nil
}

// Kept is what Rows remembers of a call.
type Kept struct{ Fingerprint, Response []byte }

// Rows is the storage that a Keeper needs. store/idempotency implements it.
type Rows interface {
	// Find gives what is kept for subject, operation and key, of calls made since.
	Find(ctx context.Context, t tx.Tx, subject, operation, key string, since time.Time) (Kept, bool, error)
	// Insert keeps a call unless one is there already, and tells whether it did. A call
	// made before since is replaced.
	Insert(ctx context.Context, t tx.Tx, c Call, response []byte, at, since time.Time) (bool, error)
	// Sweep removes calls made before, at most limit of them, and tells how many.
	Sweep(ctx context.Context, t tx.Tx, before time.Time, limit int) (int64, error)
}

// Keeper remembers calls. It is safe for concurrent use.
type Keeper struct {
	rows Rows
	now  func() time.Time
}

// New makes a Keeper.
func New(rows Rows, now func() time.Time) *Keeper { return &Keeper{rows, now} }

// Replay gives the kept answer of an earlier call. The same key with another fingerprint
// is a Conflict.
func (k *Keeper) Replay(ctx context.Context, t tx.Tx, c Call) (response []byte, found bool, err error) {
	kept, found, err := k.rows.Find(ctx, t, c.Subject, c.Operation, c.Key, k.now().Add(-Lifetime))
	if err != nil || !found {
		return nil, false, err
	}
	if !bytes.Equal(kept.Fingerprint, c.Fingerprint) {
		return nil, false, fault.At(fault.Conflict, "header.Idempotency-Key", "the key was used for another request")
	}
	return kept.Response, true, nil
}

// Keep remembers the answer. Where another transaction was faster under the same key, it
// fails with Conflict and the caller's transaction must end with that error; a repeat of
// the call then replays the other's answer.
func (k *Keeper) Keep(ctx context.Context, t tx.Tx, c Call, response []byte) error {
	if len(response) > MaxResponse {
		return fault.New(fault.Internal, "the answer is too large to be kept")
	}
	now := k.now()
	kept, err := k.rows.Insert(ctx, t, c, response, now, now.Add(-Lifetime))
	if err != nil {
		return err
	}
	if !kept {
		return fault.At(fault.Conflict, "header.Idempotency-Key", "the same call is in progress: repeat it")
	}
	return nil
}

// Sweep forgets calls that are older than Lifetime, at most limit of them.
func (k *Keeper) Sweep(ctx context.Context, t tx.Tx, limit int) (int64, error) {
	return k.rows.Sweep(ctx, t, k.now().Add(-Lifetime), limit)
}
