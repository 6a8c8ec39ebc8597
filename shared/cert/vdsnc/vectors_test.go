package vdsnc_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/vdsnc"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/trust"
)

// vectorsDir gives the folder of the published vectors, or passes with a log line where it
// is absent.
func vectorsDir(t testing.TB) (string, bool) {
	t.Helper()
	dir := os.Getenv("MADOGUCHI_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "vectors")
	}
	dir = filepath.Join(dir, "vdsnc")
	if _, err := os.Stat(filepath.Join(dir, "cases.json")); err != nil {
		t.Log("vectors: folder absent, 0 cases ran")
		return "", false
	}
	return dir, true
}

type vector struct {
	ID     string
	Files  []string
	Key    string
	Clock  string
	Expect string
}

type vectorRun struct {
	t   *testing.T
	dir string
}

func (r vectorRun) read(name string) []byte {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(name)))
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// input gives the case's document: of a case named after an element of an array, that.
func (r vectorRun) input(v vector) []byte {
	text := r.read(v.Files[0])
	if !strings.HasSuffix(v.ID, "-0") {
		return text
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(text, &elements); err != nil {
		r.t.Fatal(err)
	}
	return elements[0]
}

// embedded gives the certificate within a document.
func (r vectorRun) embedded(text []byte) []byte {
	var d struct{ Sig struct{ Cer string } }
	if err := json.Unmarshal(text, &d); err != nil {
		r.t.Fatal(err)
	}
	der, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(d.Sig.Cer, "="))
	if err != nil {
		r.t.Fatal(err)
	}
	return der
}

// snapshot pins the case's certificates and lists in the layout of --trust.
func (r vectorRun) snapshot(v vector) trust.Snapshot {
	files := fstest.MapFS{}
	switch {
	case strings.HasPrefix(v.Key, "trust/"):
		files["vdsnc/csca.der"] = &fstest.MapFile{Data: r.read(v.Key)}
	case v.Key == "embedded cer pinned":
		files["vdsnc/signer.der"] = &fstest.MapFile{Data: r.embedded(r.input(v))}
	}
	for _, name := range v.Files[1:] {
		files["vdsnc/"+filepath.Base(name)] = &fstest.MapFile{Data: r.read(name)}
	}
	return r.load(files)
}

func (r vectorRun) load(files fstest.MapFS) trust.Snapshot {
	r.t.Helper()
	snap, err := trust.Load(files, []trust.Section{vdsnc.Section})
	if err != nil || len(snap.Notes()) != 0 {
		r.t.Fatal(err, snap.Notes())
	}
	return snap
}

func (r vectorRun) clock(v vector) time.Time {
	if v.Clock == "-" {
		return at
	}
	clock, err := time.Parse(time.RFC3339, v.Clock)
	if err != nil {
		r.t.Fatal(err)
	}
	return clock
}

// good tells whether an outcome is what the case expects.
func good(expect string, v cert.Verdict) bool {
	switch expect {
	case "accept":
		return v.Outcome == cert.Valid
	case "policy":
		return v.Outcome == cert.StaleRevocation
	case "signature ok, untrusted chain": // with the signer pinned; the case without follows
		return v.Outcome == cert.Valid
	case "signature ok, schema invalid":
		return v.Outcome == cert.Malformed
	}
	return v.Outcome != cert.Valid
}

// outcomes gives the rows of the committed table by case.
func outcomes(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("OUTCOMES.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			rows[strings.TrimSpace(cells[1])] = strings.TrimSpace(line)
		}
	}
	return rows
}

// TestVectors runs every published case, and each through the table of formats too.
func TestVectors(t *testing.T) {
	dir, ok := vectorsDir(t)
	if !ok {
		return
	}
	r := vectorRun{t, dir}
	var vectors []vector
	if err := json.Unmarshal(r.read("cases.json"), &vectors); err != nil {
		t.Fatal(err)
	}
	table := outcomes(t)
	for _, v := range vectors {
		snap, input, clock := r.snapshot(v), r.input(v), r.clock(v)
		got := vdsnc.Verify(input, snap, clock)
		if !good(v.Expect, got) {
			t.Errorf("%s: %s %v %s, want %s", v.ID, got.Outcome, got.Findings, got.Reason, v.Expect)
		}
		row := fmt.Sprintf("| %s | %s | %s | %s |", v.ID, v.Expect, got.Outcome, joined(got.Findings))
		if table[v.ID] != row {
			t.Errorf("%s: OUTCOMES.md has another row; now it is\n%s", v.ID, row)
		}
		if through := verify.Verify(input, snap, clock); through.Outcome != got.Outcome && v.ID != "not-a-vds" {
			t.Errorf("%s: through the table of formats %s", v.ID, through.Outcome)
		}
	}
	t.Logf("vectors: %d of %d cases ran", len(vectors), len(vectors))
}

// TestVectorsBeside holds what the cases' words say besides their one verdict.
func TestVectorsBeside(t *testing.T) {
	dir, ok := vectorsDir(t)
	if !ok {
		return
	}
	r := vectorRun{t, dir}
	clock := time.Date(2022, 1, 15, 0, 0, 0, 0, time.UTC)
	japan := r.read("jpn-miyake-3dose.json")
	both := func(names ...string) trust.Snapshot {
		files := fstest.MapFS{}
		for _, name := range names {
			files["vdsnc/"+name] = &fstest.MapFile{Data: r.read("trust/" + name)}
		}
		return r.load(files)
	}
	for _, c := range []struct {
		name    string
		snap    trust.Snapshot
		outcome cert.Outcome
	}{
		{"a link certificate beside", both("jpn-csca-e3.der", "jpn-csca-e5-link.der"), cert.Valid},
		{"the link certificate alone", both("jpn-csca-e5-link.der"), cert.Valid},
		{"all", both("jpn-csca-e3.der", "jpn-csca-e5-link.der", "aus-csca-16f2.der", "aus-2021-08.crl"), cert.Valid},
	} {
		v := vdsnc.Verify(japan, c.snap, clock)
		if v.Outcome != c.outcome {
			t.Errorf("%s: %s %s", c.name, v.Outcome, v.Reason)
			continue
		}
		if n := len(v.Certificate.Doses); n != 3 || v.Certificate.TravelDocument != "TK0000000" || v.Certificate.HolderRaw != "MIYAKE SHOTA" {
			t.Errorf("%s: %d doses", c.name, n)
		}
	}
	var list []json.RawMessage
	if err := json.Unmarshal(japan, &list); err != nil {
		t.Fatal(err)
	}
	usage, err := vdsnc.ReadBSC(r.embedded(list[0]))
	if err != nil || usage.Country != "JP" || !usage.Until.Equal(time.Date(2023, 2, 16, 2, 49, 59, 0, time.UTC)) ||
		!usage.Expires.Equal(time.Date(2031, 11, 16, 2, 49, 59, 0, time.UTC)) {
		t.Errorf("Japan's signer: %+v, %v", usage, err)
	}
	utopia := vector{ID: "dotnet-0", Files: []string{"dotnet-examples.json"}}
	if v := vdsnc.Verify(r.input(utopia), both("jpn-csca-e3.der"), clock); v.Outcome != cert.UntrustedIssuer {
		t.Errorf("Utopia without its signer: %s %s", v.Outcome, v.Reason)
	}
	unpinned := both("aus-csca-16f2.der")
	if v := vdsnc.Verify(r.read("dotnet-examples.json"), unpinned, clock); v.Outcome != cert.UntrustedIssuer || len(v.Findings) < 2 {
		t.Errorf("both elements: %s %v", v.Outcome, v.Findings)
	}
	if v := vdsnc.Verify(r.read("uto-smith-seq-as-string.json"), unpinned, clock); v.Outcome != cert.Malformed {
		t.Errorf("a sequence as text, without its signer: %s", v.Outcome)
	}
}
