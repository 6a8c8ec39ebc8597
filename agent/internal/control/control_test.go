package control_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"madoguchi.example/agent/internal/control"
	"madoguchi.example/shared/fault"
)

// calledAs names the socket that this test program, started anew as another user, calls.
const calledAs = "MADOGUCHI_TEST_CONTROL"

func TestMain(m *testing.M) {
	if path := os.Getenv(calledAs); path != "" {
		var code string
		err := control.Call(context.Background(), path, "launch", nil, &code)
		fmt.Printf("uid=%d code=%q fault=%s\n", os.Geteuid(), code, fault.CodeOf(err))
		return
	}
	os.Exit(m.Run())
}

// serve answers at path until the test ends. stop ends it before.
func serve(t *testing.T, path, group string, acts map[string]control.Act) (stop func()) {
	t.Helper()
	s, err := control.Listen(path, group, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, acts) }()
	done := false
	stop = func() {
		if done {
			return
		}
		done = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func launch(context.Context, control.Peer, json.RawMessage) (any, error) { return "12345678", nil }

func TestAnAgentIsAsked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", control.SocketName)
	stop := serve(t, path, "", map[string]control.Act{
		"launch": launch,
		"echo": func(_ context.Context, p control.Peer, args json.RawMessage) (any, error) {
			if runtime.GOOS == "linux" && (!p.Known || p.UID != os.Geteuid() || p.PID != os.Getpid()) {
				t.Errorf("the caller is taken for %+v", p)
			}
			return args, nil
		},
		"refuse": func(context.Context, control.Peer, json.RawMessage) (any, error) {
			return nil, fault.New(fault.Conflict, "not now")
		},
		"fail": func(context.Context, control.Peer, json.RawMessage) (any, error) {
			return nil, errors.New("secret cause")
		},
	})
	var code string
	if err := control.Call(t.Context(), path, "launch", nil, &code); err != nil || code != "12345678" {
		t.Errorf("%q %v", code, err)
	}
	var echo map[string]string
	if err := control.Call(t.Context(), path, "echo", map[string]string{"a": "い\n"}, &echo); err != nil || echo["a"] != "い\n" {
		t.Errorf("%v %v", echo, err)
	}
	for do, want := range map[string]fault.Code{"refuse": fault.Conflict, "fail": fault.Internal, "nothing": fault.NotFound} {
		err := control.Call(t.Context(), path, do, nil, nil)
		if fault.CodeOf(err) != want || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", do, err)
		}
	}
	if err := control.Call(t.Context(), path, "echo", strings.Repeat("x", control.MaxRequest), nil); err == nil {
		t.Error("a request that is too long is answered")
	}
	if _, err := control.Listen(path, "", nil); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a second agent on the same socket: %v", err)
	}
	stop()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the socket stays when the agent has ended")
	}
	if err := control.Call(t.Context(), path, "launch", nil, nil); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("no agent: %v", err)
	}
}

func TestTheSocketIsTheOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are Unix's")
	}
	dir := filepath.Join(t.TempDir(), strings.Repeat("long-", 20), "state")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, control.SocketName)
	stale, err := os.Create(path) // a file that an agent left which lost its power
	if err != nil {
		t.Fatal(err)
	}
	_ = stale.Close()
	serve(t, path, "", map[string]control.Act{"launch": launch})
	for name, want := range map[string]os.FileMode{dir: 0o700, path: 0o600} {
		if info, err := os.Lstat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %o", name, info.Mode(), err, want)
		}
	}
	var code string
	if err := control.Call(t.Context(), path, "launch", nil, &code); err != nil || code == "" {
		t.Errorf("a path longer than the kernel takes: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".control-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// What comes over the socket is one line, and a caller that says nothing holds up nobody.
func TestOddCallersHarmNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", control.SocketName)
	serve(t, path, "", map[string]control.Act{"launch": launch})
	for _, line := range []string{"", "\n", "{}\n", "[1]\n", `{"do":"launch"}`, "\x00\xff\n", strings.Repeat("x", control.MaxRequest+9) + "\n"} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(line))
		_ = conn.(*net.UnixConn).CloseWrite()
		answer, _ := bufio.NewReader(conn).ReadString('\n')
		if strings.Contains(answer, "12345678") || (answer != "" && !strings.Contains(answer, `"error"`)) {
			t.Errorf("%.20q is answered by %s", line, answer)
		}
		_ = conn.Close()
	}
	silent := make([]net.Conn, 3)
	for i := range silent {
		silent[i], _ = net.Dial("unix", path)
	}
	if err := control.Call(t.Context(), path, "launch", nil, nil); err != nil {
		t.Errorf("behind silent callers: %v", err)
	}
	for _, c := range silent {
		_ = c.Close()
	}
}

// A caller that goes away ends what it asked for.
func TestAnActEndsWithItsCaller(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s", control.SocketName)
	began, ended := make(chan struct{}), make(chan struct{})
	serve(t, path, "", map[string]control.Act{"wait": func(ctx context.Context, _ control.Peer, _ json.RawMessage) (any, error) {
		close(began)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- control.Call(ctx, path, "wait", nil, nil) }()
	<-began
	cancel()
	<-ended
	if err := <-gone; err == nil {
		t.Error("a call that was cancelled succeeded")
	}
}
