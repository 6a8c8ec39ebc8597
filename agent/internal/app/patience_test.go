package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
)

// crossing is a server as serveSites makes it, with a short patience.
func crossing(t *testing.T, h http.Handler) net.Addr {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- serveSites(ctx, []site{{ln, patient(h, 300*time.Millisecond)}}, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr()
}

// A caller who says half a request, or takes half an answer, is not waited for.
func TestASlowCallerIsHungUpOn(t *testing.T) {
	at := crossing(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, "too slow", http.StatusRequestTimeout)
			return
		}
		block := make([]byte, 1<<20)
		for range 64 { // more than the system takes for a caller who reads nothing
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}))
	for name, request := range map[string]string{
		"half a form":                 "POST /pair HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nname=",
		"a stream with a body":        "GET /events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
		"an answer that nobody reads": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, request)
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if strings.HasPrefix(name, "an answer") {
			first := make([]byte, 1)
			if _, err := conn.Read(first); err != nil {
				t.Fatal(err)
			}
			timer := make(chan struct{})
			time.AfterFunc(time.Second, func() { close(timer) }) // the caller does nothing for a while
			<-timer
		}
		n, err := io.Copy(io.Discard, conn)
		if errors.Is(err, context.DeadlineExceeded) || isTimeout(err) || n >= 64<<20 {
			t.Errorf("%s: still served after %d bytes: %v", name, n, err)
		}
		_ = conn.Close()
	}
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// The desk's stream lives as long as something is said on it, over either version of HTTP.
func TestAStreamLivesLongerThanACall(t *testing.T) {
	for _, two := range []bool{false, true} {
		s := httptest.NewUnstartedServer(patient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for i := range 10 {
				if _, err := fmt.Fprintln(w, i); err != nil || http.NewResponseController(w).Flush() != nil {
					return
				}
				select {
				case <-tick.C:
				case <-r.Context().Done():
					return
				}
			}
			fmt.Fprintln(w, "whole")
		}), 400*time.Millisecond))
		s.EnableHTTP2 = two
		s.StartTLS()
		client := s.Client()
		resp, err := client.Get(s.URL + streamPath)
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(resp.Body)
		if err != nil || !strings.HasSuffix(string(all), "whole\n") || (resp.ProtoMajor == 2) != two {
			t.Errorf("HTTP/%d: %v after %q", resp.ProtoMajor, err, all)
		}
		_ = resp.Body.Close()
		s.Close()
	}
}

// A neighbour who opens connections by the hundred leaves room for the others.
func TestOneAddressCannotFillTheDesk(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := bounded(inner, 5, 3)
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
	served := func(from string) (net.Conn, bool) {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := d.Dial("tcp", inner.Addr().String())
		if err != nil {
			if runtime.GOOS == "linux" { // where all of 127.0.0.0/8 is this machine's
				t.Fatalf("no address %s: %v", from, err)
			}
			t.Skipf("no address %s: %v", from, err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		line, _ := bufio.NewReader(conn).ReadString('\n')
		return conn, strings.Contains(line, "200")
	}
	var first net.Conn
	for i := range 3 {
		conn, ok := served("127.0.0.2")
		if !ok {
			t.Fatalf("caller %d of an address", i)
		}
		first = conn
	}
	if _, ok := served("127.0.0.2"); ok {
		t.Error("a fourth of one address")
	}
	for range 2 {
		if _, ok := served("127.0.0.3"); !ok {
			t.Error("another address has no room")
		}
	}
	if _, ok := served("127.0.0.4"); ok {
		t.Error("a sixth caller")
	}
	_ = first.Close()
	for range 1000 { // the server learns of it a little later
		if _, ok := served("127.0.0.4"); ok {
			return
		}
	}
	t.Error("who left makes no room")
}

// What the desk's servers bound is bounded: a server without these waits for ever.
func TestIdleConnectionsEnd(t *testing.T) {
	s := newServer(t.Context(), http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.IdleTimeout <= 0 || s.ReadHeaderTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 64<<10 {
		t.Errorf("%v %v %d", s.IdleTimeout, s.ReadHeaderTimeout, s.MaxHeaderBytes)
	}
}
