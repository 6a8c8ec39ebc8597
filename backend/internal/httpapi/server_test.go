package httpapi

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/fault"
)

// openGate lets in everybody who brings any credential at all.
type openGate struct{}

func (openGate) Citizen(_ context.Context, c Credentials) (actor.Citizen, error) {
	if c.Bearer == "" {
		return actor.Citizen{}, fault.New(fault.Unauthenticated, "no token")
	}
	return actor.Citizen{ID: "ctz_1"}, nil
}

func (openGate) Terminal(_ context.Context, c Credentials) (actor.Terminal, error) {
	if c.Bearer == "" {
		return actor.Terminal{}, fault.New(fault.Unauthenticated, "no token")
	}
	return actor.Terminal{ID: "trm_1"}, nil
}

func (openGate) Staff(_ context.Context, c Credentials) (actor.Staff, error) {
	if c.Session == "" {
		return actor.Staff{}, fault.New(fault.Unauthenticated, "no session")
	}
	return actor.Staff{ID: "stf_1", Roles: []actor.Role{actor.Clerk}}, nil
}

// running is a server on a real listener.
type running struct {
	*Server
	base string
	stop func() error
}

func serve(t testing.TB, log io.Writer, change func(*Config), routes ...Route) *running {
	t.Helper()
	c := Config{
		Routes: routes, Gate: openGate{}, Log: slog.New(slog.NewJSONHandler(log, nil)),
		Now: time.Now, Rand: rand.Reader, Grace: 500 * time.Millisecond,
	}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	r := &running{Server: s, base: "http://" + ln.Addr().String()}
	var stopped bool
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { _ = r.stop() })
	return r
}
