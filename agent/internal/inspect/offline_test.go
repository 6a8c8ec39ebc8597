package inspect_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"madoguchi.example/agent/internal/inspect"
)

// needsHere skips the test, or fails it where everything must be there.
func needsHere(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs %s", what)
	}
	t.Skipf("this test needs %s", what)
}

// aPackage is what `go list` tells of one.
type aPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
}

// closure lists everything that is built into the packages.
func closure(t *testing.T, patterns ...string) []aPackage {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-deps", "-json=ImportPath,Standard,Imports"}, patterns...)...).Output()
	if err != nil {
		t.Fatalf("cannot list: %v", err)
	}
	var all []aPackage
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p aPackage
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// TestNothingThatVerifiesCanOpenAConnection looks at what is built in. The library's package
// net is there, since reading X.509 certificates needs its addresses; so nothing outside of
// the library may import it, nor anything else that reaches out, and of the library nothing
// that talks a protocol is there at all.
func TestNothingThatVerifiesCanOpenAConnection(t *testing.T) {
	packages := closure(t, "madoguchi.example/agent/internal/inspect", "madoguchi.example/shared/cert/...", "madoguchi.example/shared/trust")
	protocols := []string{"net/http", "net/rpc", "net/smtp", "net/textproto", "crypto/tls", "log/syslog", "os/exec", "plugin"}
	ways := append([]string{"net", "net/netip", "syscall", "internal/syscall", "golang.org/x/sys", "golang.org/x/net"}, protocols...)
	ours := 0
	for _, p := range packages {
		for _, protocol := range protocols {
			if p.ImportPath == protocol || strings.HasPrefix(p.ImportPath, protocol+"/") {
				t.Errorf("%s is built in", p.ImportPath)
			}
		}
		if p.Standard {
			continue
		}
		ours++
		for _, way := range ways {
			if slices.ContainsFunc(p.Imports, func(i string) bool { return i == way || (way != "net" && strings.HasPrefix(i, way+"/")) }) {
				t.Errorf("%s imports %s", p.ImportPath, way)
			}
		}
	}
	if ours < 10 {
		t.Fatalf("only %d packages were looked at", ours)
	}
	t.Logf("%d packages, %d of them not the library's", len(packages), ours)
}

// ownNetwork gives the flags with which unshare starts a program without a network: as the
// superuser, or in a user namespace.
func ownNetwork(t *testing.T) []string {
	t.Helper()
	for _, flags := range [][]string{{"-n"}, {"-r", "-n"}} {
		if exec.Command("unshare", append(slices.Clone(flags), "true")...).Run() == nil {
			return flags
		}
	}
	needsHere(t, "unshare -n, as the superuser or in a user namespace")
	return nil
}

// Without any network the built program gives the same verdict, on a link too.
func TestTheProgramVerifiesInANetworkOfItsOwn(t *testing.T) {
	alone := ownNetwork(t)
	d, program := newDesk(t), build(t)
	for file, want := range map[string]int{"card.txt": inspect.ExitValid, "card.png": inspect.ExitValid, "card.smart-health-card": inspect.ExitValid, "bad.txt": inspect.ExitOther} {
		code, out := runProgram(t, exec.Command("unshare", append(slices.Clone(alone), program, "verify", "--json",
			"--trust", filepath.Join(d.dir, "trust"), "--at", "2026-11-21T10:00:01Z", filepath.Join(d.dir, file))...))
		if code != want {
			t.Errorf("%s: exit %d, %s", file, code, out)
		}
	}
}
