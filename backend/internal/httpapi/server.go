package httpapi

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"

	"madoguchi.example/mobile-api/apiv1"
)

// Limits of the server as a whole. A route's own limit is lower or equal.
const (
	// MaxBody is the largest body that is read at all.
	MaxBody = 1 << 20
	// MaxHeader is the largest request line with all its headers.
	MaxHeader = 16 << 10
)

// Config is what a Server needs. Routes, Gate, Log, Now and Rand are required.
type Config struct {
	Routes []Route
	Gate   Gate
	Log    *slog.Logger
	Now    func() time.Time
	Rand   io.Reader

	// ReadTimeout ends the reading of one request, header and body. Default 15 s.
	ReadTimeout time.Duration
	// WriteTimeout ends the sending of one answer to a reader that is too slow. It begins
	// when the handler has answered: a long poll may wait longer. Default 30 s.
	WriteTimeout time.Duration
	// IdleTimeout ends a kept connection without a request. Default 75 s.
	IdleTimeout time.Duration
	// Grace is how long Serve waits for requests in progress when it stops. Default 5 s.
	Grace time.Duration
	// LastMoment is how long a handler that was told to stop may still answer. Default 100 ms.
	LastMoment time.Duration
	// TLS, when set, is what the listener speaks.
	TLS *tls.Config
	// Fence, when set, is asked before each outward route.
	Fence Fence
	// ErrorPage writes the page for a Screen that failed.
	ErrorPage ErrorPage
	// Observe, when set, is told about each answered request.
	Observe func(method, route string, status int, took time.Duration)
}

func (c *Config) fill() {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&c.ReadTimeout, 15*time.Second)
	set(&c.WriteTimeout, 30*time.Second)
	set(&c.IdleTimeout, 75*time.Second)
	set(&c.Grace, 5*time.Second)
	set(&c.LastMoment, 100*time.Millisecond)
}

// Server answers HTTP on one listener. Make it with New.
type Server struct {
	config    Config
	gate      Gate
	log       *slog.Logger
	app       *fiber.App
	api       huma.API
	base      context.Context
	stop      context.CancelCauseFunc
	abandoned atomic.Int64
	draining  atomic.Bool
}

// New makes a server with its routes. Two routes with one method and path are an error.
func New(c Config) (*Server, error) {
	c.fill()
	if err := distinct(c.Routes); err != nil {
		return nil, err
	}
	s := &Server{config: c, gate: c.Gate, log: c.Log}
	s.base, s.stop = context.WithCancelCause(context.Background())
	s.app = fiber.New(fiber.Config{
		Immutable:                    true,
		StrictRouting:                true,
		CaseSensitive:                true,
		DisableStartupMessage:        true,
		DisablePreParseMultipartForm: true,
		BodyLimit:                    MaxBody,
		ReadBufferSize:               MaxHeader,
		ReadTimeout:                  c.ReadTimeout,
		WriteTimeout:                 c.WriteTimeout,
		IdleTimeout:                  c.IdleTimeout,
		ErrorHandler:                 s.onError,
	})
	s.app.Server().SecureErrorLogMessage = true
	s.app.Server().Handler = s.knownMethods(s.app.Server().Handler)
	s.app.Use(s.outermost)
	apiv1.Prepare()
	s.api = humafiber.New(s.app, s.humaConfig())
	for _, r := range c.Routes {
		s.fence(r)
		r.install(s, r)
	}
	return s, nil
}

func distinct(routes []Route) error {
	seen := map[string]bool{}
	for _, r := range routes {
		if r.install == nil {
			return errors.New("cannot serve a route that was not made by Bind, Raw, Screen or Files")
		}
		key := r.Method + " " + r.Path
		if seen[key] {
			return fmt.Errorf("cannot serve two routes for %s", key)
		}
		seen[key] = true
	}
	return nil
}

// humaConfig is the contract's frame, with the trace put into every problem.
func (s *Server) humaConfig() huma.Config {
	c := apiv1.Config()
	c.Transformers = []huma.Transformer{func(ctx huma.Context, _ string, v any) (any, error) {
		p, ok := v.(*apiv1.Problem)
		if ok && p.Trace == "" {
			p.Trace = TraceOf(ctx.Context())
		}
		if ok && later(p.Status) {
			ctx.SetHeader("Retry-After", retryAfter)
		}
		return v, nil
	}}
	return c
}

// handle installs a Fiber handler under the contract's way of writing a path.
func (s *Server) handle(r Route, h fiber.Handler) {
	s.app.Add(r.Method, fiberPath(r.Path), h)
}

func fiberPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

// Abandoned gives how many handlers outlived their deadline since the start.
func (s *Server) Abandoned() int64 { return s.abandoned.Load() }

// Routes gives the route table.
func (s *Server) Routes() []Route { return s.config.Routes }

// Document gives the OpenAPI document of the operations that are bound.
func (s *Server) Document() ([]byte, error) { return apiv1.Render(s.api.OpenAPI()) }

// Draining tells whether the server has been told to stop.
func (s *Server) Draining() bool { return s.draining.Load() }

// Serve answers on ln until ctx is done, then lets requests in progress finish for the
// configured grace, closes every connection and returns nil. ln is closed.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	tracked := newTracked(ln)
	var accept net.Listener = tracked
	if s.config.TLS != nil {
		accept = tls.NewListener(tracked, s.config.TLS)
	}
	served := make(chan error, 1)
	go func() { served <- s.app.Listener(accept) }()
	select {
	case err := <-served:
		return fmt.Errorf("cannot serve: %w", err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	tracked.drain()
	s.stop(errDrain)
	stopped := make(chan error, 1)
	go func() { stopped <- s.app.ShutdownWithTimeout(2 * s.config.Grace) }()
	t := time.NewTimer(s.config.Grace)
	defer t.Stop()
	select {
	case <-stopped:
	case <-t.C:
		tracked.closeAll()
		<-stopped
	}
	tracked.closeAll()
	_ = ln.Close() // a shutdown that came before the first Accept has closed nothing
	<-served
	return nil
}

type traceKey struct{}

// TraceOf gives the request's trace id, which the person is shown and the log carries.
func TraceOf(ctx context.Context) string {
	t, _ := ctx.Value(traceKey{}).(string)
	return t
}

func (s *Server) newTrace() string {
	var b [12]byte
	if _, err := io.ReadFull(s.config.Rand, b[:]); err != nil {
		return "unknown"
	}
	return hex.EncodeToString(b[:])
}

func mediaType(header string) string {
	t, _, _ := strings.Cut(header, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// statusOf gives the status of an error that Fiber made; every other is 500.
func statusOf(err error) int {
	if e, ok := errors.AsType[*fiber.Error](err); ok {
		return e.Code
	}
	return http.StatusInternalServerError
}
