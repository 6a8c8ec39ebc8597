package authn

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"time"

	"madoguchi.example/backend/internal/tx"
)

// flow is a sign-in in progress with its secrets. Only the hash of the state is kept:
// nonce and verifier are made again from the state and a key of ours.
type flow struct{ state, nonce, verifier string }

// flows begins and takes sign-ins of one face.
type flows struct {
	face string
	key  []byte
	rows Rows
	run  tx.Runner
	now  func() time.Time
	rand io.Reader
}

func (f flows) derive(state string) flow {
	return flow{state: state, nonce: f.mac("nonce", state), verifier: f.mac("verifier", state)}
}

func (f flows) mac(use, state string) string {
	m := hmac.New(sha256.New, f.key)
	m.Write([]byte(f.face + "\x00" + use + "\x00" + state))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// begin makes a flow that the holder of the secret behind bindingHash can finish.
func (f flows) begin(ctx context.Context, bindingHash []byte) (flow, error) {
	state, err := secret(f.rand)
	if err != nil {
		return flow{}, err
	}
	kept := Flow{
		StateHash: hashOf(state), Face: f.face, BindingHash: bindingHash,
		ExpiresAt: f.now().Add(FlowLifetime),
	}
	err = f.run.Do(ctx, func(ctx context.Context, t tx.Tx) error { return f.rows.InsertFlow(ctx, t, kept) })
	return f.derive(state), err
}

// take ends a flow: it works once, whatever comes after.
func (f flows) take(ctx context.Context, state, binding string) (flow, error) {
	var kept Flow
	var found bool
	err := f.run.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		kept, found, err = f.rows.TakeFlow(ctx, t, hashOf(state))
		return err
	})
	if err != nil {
		return flow{}, err
	}
	same := subtle.ConstantTimeCompare(kept.BindingHash, hashOf(binding)) == 1
	if !found || !same || kept.Face != f.face || !f.now().Before(kept.ExpiresAt) {
		return flow{}, errSignIn
	}
	return f.derive(state), nil
}

// secretBytes is the strength of every secret made here.
const secretBytes = 32

func secret(rand io.Reader) (string, error) {
	var b [secretBytes]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("cannot read random bytes for a secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

func hashOf(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}
