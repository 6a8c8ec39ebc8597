package witness

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"madoguchi.example/shared/wire"
)

// Tap stands between the line and the backend and keeps what terminals send. Its methods
// are safe for concurrent use.
type Tap struct {
	listener net.Listener
	ledger   *ledger

	mu      sync.Mutex
	target  string
	arrived func()
	stored  func(wire.Batch, <-chan struct{})
	ended   map[string]chan struct{} // by remote address; closed when the connection is
	alter   func(*wire.Batch) map[string]string
}

func newTap(t testing.TB, l *ledger) *Tap {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Tap{listener: listener, ledger: l, ended: map[string]chan struct{}{}}
	quiet := log.New(io.Discard, "", 0) // connections that are cut are the test's doing
	server := &http.Server{ErrorLog: quiet, ConnState: p.connection, Handler: &httputil.ReverseProxy{
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
// answer goes on its way. The channel is closed when the connection on which it goes ends.
func (p *Tap) WhenStored(f func(b wire.Batch, ended <-chan struct{})) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stored = f
}

// connection notes that one begins or ends.
func (p *Tap) connection(c net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch name := c.RemoteAddr().String(); state {
	case http.StateNew:
		p.ended[name] = make(chan struct{})
	case http.StateClosed, http.StateHijacked:
		close(p.ended[name])
		delete(p.ended, name)
	}
}

func (p *Tap) endOf(name string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.ended[name]; c != nil {
		return c
	}
	ended := make(chan struct{})
	close(ended)
	return ended
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
		stored(batch, p.endOf(r.RemoteAddr))
	}
	if err != nil || len(own) == 0 {
		return resp, err
	}
	return renamed(resp, own)
}

// note keeps what the batch holds and gives what is to be called.
func (p *Tap) note(batch wire.Batch) (arrived func(), stored func(wire.Batch, <-chan struct{}), alter func(*wire.Batch) map[string]string) {
	for _, rec := range batch.Records {
		p.ledger.note(rec.ID, rec.Body)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	arrived, p.arrived = p.arrived, nil
	return arrived, p.stored, p.alter
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
