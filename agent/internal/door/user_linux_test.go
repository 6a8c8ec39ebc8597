package door_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"madoguchi.example/agent/internal/control"
)

// asOther names the address that this test program, started anew as another user, visits
// with the cookie after it.
const asOther = "MADOGUCHI_TEST_VISIT"

func TestMain(m *testing.M) {
	if visit := os.Getenv(asOther); visit != "" {
		address, cookie, _ := strings.Cut(visit, " ")
		r, err := http.NewRequest(http.MethodGet, address, nil)
		if err == nil {
			r.Header.Set("Cookie", cookie)
			var resp *http.Response
			if resp, err = http.DefaultClient.Do(r); err == nil {
				body, _ := io.ReadAll(resp.Body)
				fmt.Printf("uid=%d status=%d patient=%t", os.Geteuid(), resp.StatusCode, strings.Contains(string(body), secretName))
			}
		}
		if err != nil {
			fmt.Println(err)
		}
		return
	}
	os.Exit(m.Run())
}

// visitAs visits the desk as another user of the machine.
func visitAs(t *testing.T, uid int, address, cookie string) string {
	t.Helper()
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "visit-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "visitor")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Env, cmd.Dir = []string{asOther + "=" + address + " " + cookie}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// Cookies know no port: a program of another user of the machine may be handed the desk's by
// the browser. It opens nothing to that user.
func TestAStolenCookieIsNoUseToAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		needs(t, "the superuser, to become another user")
	}
	s := newStage(t)
	b := s.browser().come("op_1", "2580")
	cookie := "madoguchi-session=" + b.cookies["madoguchi-session"]
	if got, want := visitAs(t, 65534, s.URL+"/", cookie), "uid=65534 status=401 patient=false"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := visitAs(t, 0, s.URL+"/", cookie), "uid=0 status=200 patient=true"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if !strings.Contains(s.logged(), "another user of this machine") {
		t.Error("nobody is told")
	}
}

// The door's own acts, asked for over the real socket by another user, give no code.
func TestAnotherUserGetsNoCode(t *testing.T) {
	s := newStage(t)
	path := filepath.Join(t.TempDir(), "state", control.SocketName)
	c, err := control.Listen(path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(t.Context(), s.door.Acts(func() string { return s.URL })) }()
	var l struct{ URL, Code string }
	if err := control.Call(t.Context(), path, "launch", nil, &l); err != nil || len(l.Code) != 8 {
		t.Errorf("%+v %v", l, err)
	}
	if err := control.Call(t.Context(), path, "reset_pin", "op_9", nil); err == nil {
		t.Error("the PIN of nobody was taken away")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}
