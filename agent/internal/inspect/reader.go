package inspect

import (
	"context"
	"sync"
	"time"

	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/trust"
)

// ReaderConfig is what a Reader is made of.
type ReaderConfig struct {
	Snapshot func(context.Context) (trust.Snapshot, error)
	Clock    func() clockfloor.Reading
	Links    Fetcher // nil: links are not followed
}

// Reader is the desk's eye: it puts split codes together over several scans and gives the
// verdict from the terminal's own trust snapshot. It is safe for concurrent use.
type Reader struct {
	config ReaderConfig
	cache  cache

	mu       sync.Mutex
	assembly scanner.Assembly
}

// NewReader makes a Reader. A snapshot that cannot be had counts as an empty one, so that
// the verdict says untrusted_issuer and not nothing.
func NewReader(c ReaderConfig) *Reader { return &Reader{config: c} }

// Verify gives the verdict on one scan, file or picture. While parts of a split code are
// missing it gives how many of how many were read. A part of another card begins anew. It
// opens no connection.
func (r *Reader) Verify(ctx context.Context, input []byte) (v cert.Verdict, read, of int, err error) {
	snap, clock := r.trust(ctx), r.config.Clock()
	if v, ok := r.cache.get(input, snap, clock); ok {
		return v, 0, 0, nil
	}
	code := scanner.Code{Text: string(input)}
	if scanner.IsPicture(input) {
		if code, err = scanner.Decode(input); err != nil {
			return noCode(err), 0, 0, nil
		}
	}
	whole, read, of := r.assemble(code.Text)
	if read < of {
		return cert.Verdict{}, read, of, nil
	}
	code.Text = whole
	v = timed(clock, func(at time.Time) cert.Verdict { return codeAt(code, snap, at) })
	if of == 1 {
		r.cache.put(input, v, snap, clock)
	}
	return v, 0, 0, nil
}

// assemble gives the text that is to be judged, and how many of how many parts it is.
func (r *Reader) assemble(text string) (whole string, read, of int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	state, err := r.assembly.Add(text)
	if err != nil { // not a part, or a part of another card
		r.assembly.Reset()
		if state, err = r.assembly.Add(text); err != nil {
			return text, 1, 1
		}
	}
	if !state.Complete() {
		return "", state.Read, state.Total
	}
	r.assembly.Reset()
	return state.Text, state.Read, state.Total
}

// Fetch follows a link over the network, which a person has asked for, and gives the verdict
// on what it leads to. Without a fetcher it gives the verdict on the link itself.
func (r *Reader) Fetch(ctx context.Context, link []byte, passcode string) cert.Verdict {
	snap, clock := r.trust(ctx), r.config.Clock()
	if r.config.Links == nil {
		return Now(link, snap, clock)
	}
	return Link(ctx, r.config.Links, link, passcode, snap, clock)
}

// TrustAsOf is the time of the snapshot in use; zero where there is none.
func (r *Reader) TrustAsOf(ctx context.Context) time.Time { return r.trust(ctx).AsOf() }

// Clock is what the terminal's clock says, checked against the last trusted time.
func (r *Reader) Clock() clockfloor.Reading { return r.config.Clock() }

func (r *Reader) trust(ctx context.Context) trust.Snapshot {
	snap, err := r.config.Snapshot(ctx)
	if err != nil {
		return trust.Snapshot{}
	}
	return snap
}
