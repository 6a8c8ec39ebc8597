package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/wire"
)

// clinic enrols a terminal at the counter of site, and gives its name and what its profile
// says an export is sealed to.
func clinic(t *testing.T, dir, file string) (terminal, recipient string) {
	t.Helper()
	people := filepath.Join(dir, "people")
	write(t, filepath.Join(people, "offices.csv"), "office_ref,municipality_code,class,name,institution_code\nminato-counter,990019,counter,総合窓口,\n")
	if out, err := run(t, "import", "--config", file, people); err != nil {
		t.Fatal(out, err)
	}
	code, err := run(t, "terminal", "code", "--config", file, "--office", "minato-counter")
	if err != nil {
		t.Fatal(err)
	}
	p := &program{getenv: func(string) string { return "" }, stdout: os.Stdout, stderr: os.Stderr, now: time.Now, rand: rand.Reader}
	h, err := p.openData(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	own, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	done, err := h.fleet.Enrol(t.Context(), actor.Anyone{}, audit.TerminalOperation, wire.Enrolment{
		Code: strings.TrimSpace(code), Recipient: own.Recipient().String(),
		PublicKey: fmt.Appendf(nil, `{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, encode(point[1:33]), encode(point[33:])),
	})
	if err != nil {
		t.Fatal(err)
	}
	profile, err := h.fleet.Profile(t.Context(), actor.Terminal{ID: done.Terminal}, audit.TerminalOperation)
	if err != nil || len(profile.ReceiptKeys) != 1 || profile.SpreadMS != 300_000 {
		t.Fatalf("profile %+v, %v", profile, err)
	}
	return done.Terminal, profile.ExportRecipient
}

// exported writes an export of two records.
func exported(t *testing.T, path, terminal, recipient string) {
	t.Helper()
	to, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seal, err := age.Encrypt(f, to)
	if err != nil {
		t.Fatal(err)
	}
	w, err := wire.NewExportWriter(seal, wire.ExportHeader{Terminal: terminal, At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(wire.CertificateVerification{Format: "shc", Outcome: "valid", Day: civil.In(time.Now())})
	if err != nil {
		t.Fatal(err)
	}
	head := wire.Genesis(terminal, "q1")
	for seq := range uint64(2) {
		id, err := handle.Source{Now: time.Now, Rand: rand.Reader}.UUID()
		if err != nil {
			t.Fatal(err)
		}
		r := wire.Record{
			ID: id.String(), Epoch: "q1", Sequence: seq + 1, Kind: wire.KindCertificateVerification, At: time.Now().UTC(), Body: body, Prev: head,
		}
		head = wire.After(r)
		if err := w.Write(wire.ExportEntry{Record: r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := seal.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestASealedExportIsTakenIn(t *testing.T) {
	dir, file := site(t, "")
	terminal, recipient := clinic(t, dir, file)
	path := filepath.Join(dir, "queue.age")
	exported(t, path, terminal, recipient)
	for _, want := range []string{": 2 accepted, 0 duplicate", ": 0 accepted, 2 duplicate"} {
		out, err := run(t, "terminal", "import-export", "--config", file, path)
		if err != nil || !strings.HasPrefix(out, terminal+want) {
			t.Errorf("%q, %v", out, err)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 10 { // cut anywhere, it is taken for nothing whole
		cut := filepath.Join(dir, "cut.age")
		write(t, cut, string(raw[:len(raw)*n/10]))
		if out, err := run(t, "terminal", "import-export", "--config", file, cut); err == nil {
			t.Errorf("cut at %d of ten: %q", n, out)
		}
	}
	_, elsewhere := site(t, "")
	if out, err := run(t, "terminal", "import-export", "--config", elsewhere, path); err == nil {
		t.Errorf("of another deployment: %q", out)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	exported(t, path, terminal, other.Recipient().String())
	if out, err := run(t, "terminal", "import-export", "--config", file, path); err == nil {
		t.Errorf("sealed to another: %q", out)
	}
	exported(t, path, "trm_01jd00000000000000000000ab", recipient)
	if out, err := run(t, "terminal", "import-export", "--config", file, path); err == nil {
		t.Errorf("of a terminal that is not ours: %q", out)
	}
	withdraw(t, file, terminal)
	exported(t, path, terminal, recipient) // other records in places that are taken: a fork, of which nothing is lost
	if out, err := run(t, "terminal", "import-export", "--config", file, path); err != nil || !strings.HasPrefix(out, terminal+": 2 accepted, 0 duplicate, 0 conflict") {
		t.Errorf("of a terminal that was withdrawn: %q, %v", out, err)
	}
}

// withdraw takes a terminal out of use.
func withdraw(t *testing.T, file, terminal string) {
	t.Helper()
	_, h := homeOf(t, file, os.Stderr)
	who := actor.Staff{ID: "stf_1", Municipality: "990019", Roles: actor.Roles()}
	if err := h.fleet.Disable(t.Context(), who, audit.TerminalOperation, terminal); err != nil {
		t.Fatal(err)
	}
}
