package witness

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"

	"madoguchi.example/shared/wire"
)

// Tap stands between the line and the backend and keeps what terminals send. Its methods
// are safe for concurrent use.
type Tap struct {
	listener net.Listener

	mu      sync.Mutex
	target  string
	sent    map[string][][]byte // record id → each different body that was sent
	arrived func()
	stored  func(wire.Batch)
	alter   func(*wire.Batch) map[string]string
}

func newTap(t testing.TB) *Tap {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Tap{listener: listener, sent: map[string][][]byte{}}
	quiet := log.New(io.Discard, "", 0) // connections that are cut are the test's doing
	server := &http.Server{ErrorLog: quiet, Handler: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			p.mu.Lock()
			defer p.mu.Unlock()
			r.SetURL(&url.URL{Scheme: "http", Host: p.target})
			r.Out.Host = r.In.Host
		},
		Transport:     passing{p},
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		FlushInterval: -1,
		ErrorLog:      quiet,
	}}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-ended })
	return p
}

// Address gives the tap's host:port.
func (p *Tap) Address() string { return p.listener.Addr().String() }

func (p *Tap) lead(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// WhenArrived has f called once, when the next batch is here and before the backend has it.
func (p *Tap) WhenArrived(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrived = f
}

// WhenStored has f called with each batch to which the backend has answered and before the
// answer goes on its way; nil ends it.
func (p *Tap) WhenStored(f func(wire.Batch)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stored = f
}

// Alter has f change each batch before the backend has it. f gives the ids that it made,
// with the terminal's own for each: the terminal is answered under its own. For controls
// that must fail.
func (p *Tap) Alter(f func(*wire.Batch) (ownIDs map[string]string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alter = f
}

// passing carries one request, and reads the batches.
type passing struct{ *Tap }

// RoundTrip implements http.RoundTripper.
func (p passing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/terminal/v1/batches" {
		return http.DefaultTransport.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	batch, err := wire.DecodeBatch(body)
	if err != nil {
		return nil, err
	}
	arrived, stored, alter := p.note(batch)
	var own map[string]string
	if alter != nil {
		if own = alter(&batch); len(own) > 0 {
			p.note(batch)
			if body, err = wire.EncodeBatch(batch); err != nil {
				return nil, err
			}
		}
	}
	if arrived != nil {
		arrived()
	}
	out := r.Clone(r.Context())
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err == nil && resp.StatusCode == http.StatusOK && stored != nil {
		stored(batch)
	}
	if err != nil || len(own) == 0 {
		return resp, err
	}
	return renamed(resp, own)
}

// note keeps what the batch holds and gives what is to be called.
func (p *Tap) note(batch wire.Batch) (arrived func(), stored func(wire.Batch), alter func(*wire.Batch) map[string]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, rec := range batch.Records {
		same := func(b []byte) bool { return bytes.Equal(b, rec.Body) }
		if !slices.ContainsFunc(p.sent[rec.ID], same) {
			p.sent[rec.ID] = append(p.sent[rec.ID], rec.Body)
		}
	}
	arrived, p.arrived = p.arrived, nil
	return arrived, p.stored, p.alter
}

// forms gives each different body that was sent under an id.
func (p *Tap) forms(id string) [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent[id]
}

// renamed gives the terminal the ids that it knows.
func renamed(resp *http.Response, own map[string]string) (*http.Response, error) {
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	for to, from := range own {
		raw = bytes.ReplaceAll(raw, []byte(to), []byte(from))
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	return resp, nil
}
