package inspect

import (
	"context"
	"sync"
	"time"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/trust"
)

// Reader is the desk's eye: it puts split codes together over several scans and gives the
// verdict from the terminal's own trust snapshot. It is safe for concurrent use.
type Reader struct {
	snapshot func(context.Context) (trust.Snapshot, error)
	now      func() time.Time

	mu       sync.Mutex
	assembly scanner.Assembly
}

// NewReader makes a Reader. A snapshot that cannot be had counts as an empty one, so that
// the verdict says untrusted_issuer and not nothing.
func NewReader(snapshot func(context.Context) (trust.Snapshot, error), now func() time.Time) *Reader {
	return &Reader{snapshot: snapshot, now: now}
}

// Verify gives the verdict on one scan, file or picture. While parts of a split code are
// missing it gives how many of how many were read. A part of another card begins anew.
func (r *Reader) Verify(ctx context.Context, input []byte) (v cert.Verdict, read, of int, err error) {
	snap := r.trust(ctx)
	if scanner.IsPicture(input) {
		return Now(input, snap, r.now()), 0, 0, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	state, err := r.assembly.Add(string(input))
	if err != nil { // not a part, or a part of another card: judged by itself
		r.assembly.Reset()
		return Now(input, snap, r.now()), 0, 0, nil
	}
	if !state.Complete() {
		return cert.Verdict{}, state.Read, state.Total, nil
	}
	r.assembly.Reset()
	return Now([]byte(state.Text), snap, r.now()), 0, 0, nil
}

// TrustAsOf is the time of the snapshot in use; zero where there is none.
func (r *Reader) TrustAsOf(ctx context.Context) time.Time { return r.trust(ctx).AsOf() }

func (r *Reader) trust(ctx context.Context) trust.Snapshot {
	snap, err := r.snapshot(ctx)
	if err != nil {
		return trust.Snapshot{}
	}
	return snap
}
