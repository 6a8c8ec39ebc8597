package stage_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"madoguchi.example/deploy/stage"
)

func newLink(t *testing.T, h http.HandlerFunc) *stage.Link {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	l, err := stage.NewLink("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	l.Lead(u.Host)
	return l
}

// fresh makes a connection for each request: on a kept one the client itself asks again.
var fresh = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func get(l *stage.Link, path string) (string, error) {
	resp, err := fresh.Get(l.URL() + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestACutLinkRefusesAndComesBackAtTheSameAddress(t *testing.T) {
	l := newLink(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") })
	for range 20 {
		if got, err := get(l, "/"); err != nil || got != "here" {
			t.Fatalf("%q %v", got, err)
		}
		l.Cut()
		if _, err := get(l, "/"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("a cut link answered %v", err)
		}
		if other, err := net.Listen("tcp", l.Address()); err == nil {
			other.Close()
			t.Fatal("somebody else got the port of a cut link")
		}
		if err := l.Restore(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACutClosesOpenConnections(t *testing.T) {
	arrived, leave := make(chan struct{}), make(chan struct{})
	l := newLink(t, func(http.ResponseWriter, *http.Request) { close(arrived); <-leave })
	t.Cleanup(func() { close(leave) })
	failed := make(chan error, 1)
	go func() { _, err := get(l, "/"); failed <- err }()
	<-arrived
	l.Cut()
	if err := <-failed; err == nil {
		t.Error("a question in flight was answered over a cut link")
	}
}

func TestAnAnswerCanBeLostAfterItWasGiven(t *testing.T) {
	var served atomic.Int32
	l := newLink(t, func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		io.WriteString(w, strings.Repeat("x", 10_000))
	})
	for _, after := range []int{0, 1, 500} {
		before, told := served.Load(), make(chan struct{})
		l.BreakNext(stage.Break{Request: "GET /lost", After: after, Then: func() { close(told) }})
		if got, err := get(l, "/other"); err != nil || len(got) != 10_000 {
			t.Fatalf("another request was broken: %v", err)
		}
		if got, err := get(l, "/lost"); err == nil && len(got) == 10_000 {
			t.Errorf("after %d: the whole answer came", after)
		}
		<-told
		if served.Load() < before+2 {
			t.Errorf("after %d: the far end did not answer", after)
		}
		if got, err := get(l, "/lost"); err != nil || len(got) != 10_000 {
			t.Errorf("after %d: the break struck twice: %v", after, err)
		}
	}
}

func TestLinksStayOnLoopback(t *testing.T) {
	if l, err := stage.NewLink("0.0.0.0:0"); err == nil {
		l.Close()
		t.Error("a link to the outside was made")
	}
}
