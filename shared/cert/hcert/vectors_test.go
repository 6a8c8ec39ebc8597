package hcert_test

import (
	"bytes"
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
	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/trust"
)

// vectors gives the folder of the published vectors, or tells that it is absent: the tests
// pass without it.
func vectors(t testing.TB) (dir string, ok bool) {
	t.Helper()
	dir = os.Getenv("MADOGUCHI_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "vectors")
	}
	dir = filepath.Join(dir, "dcc")
	if _, err := os.Stat(filepath.Join(dir, "cases.json")); err != nil {
		t.Log("vectors: folder absent, 0 cases ran")
		return "", false
	}
	return dir, true
}

// readJSON reads a JSON file, which may begin with a byte order mark.
func readJSON(t testing.TB, into any, path ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), into); err != nil {
		t.Fatalf("%s: %v", filepath.Join(path...), err)
	}
}

// vector is one case of cases.json.
type vector struct {
	ID     string
	Files  []string
	Clock  time.Time
	Expect string
}

// published is one file of the test data.
type published struct {
	Prefix  string         `json:"PREFIX"`
	JSON    map[string]any `json:"JSON"`
	Context struct {
		Certificate string `json:"CERTIFICATE"`
	} `json:"TESTCTX"`
}

// load gives the case's text, its signer's certificate and the snapshot that lists it.
func (v vector) load(t testing.TB, dir string) (text []byte, snap trust.Snapshot) {
	t.Helper()
	var p published
	readJSON(t, &p, dir, filepath.FromSlash(v.Files[0]))
	der, err := base64.StdEncoding.DecodeString(p.Context.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(p.Prefix), list(t, fstest.MapFS{"hcert/signer.der": {Data: der}})
}

func list(t testing.TB, files fstest.MapFS) trust.Snapshot {
	t.Helper()
	snap, err := trust.Load(files, []trust.Section{hcert.Section})
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// listClean is list where nothing may be left out.
func listClean(t testing.TB, files fstest.MapFS) trust.Snapshot {
	t.Helper()
	snap := list(t, files)
	if notes := snap.Notes(); len(notes) > 0 {
		t.Fatalf("left out: %v", notes)
	}
	return snap
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

func row(id, expect string, v cert.Verdict) string {
	words := make([]string, 0, len(v.Findings))
	for _, f := range v.Findings {
		words = append(words, string(f))
	}
	return fmt.Sprintf("| %s | %s | %s | %s |", id, expect, v.Outcome, strings.Join(words, ", "))
}

// onlyPicture is the case whose fault is in its picture: its text is good.
const onlyPicture = "common-Q1"

func TestVectors(t *testing.T) {
	dir, ok := vectors(t)
	if !ok {
		return
	}
	var cases []vector
	readJSON(t, &cases, dir, "cases.json")
	table := outcomes(t)
	for _, c := range cases {
		text, snap := c.load(t, dir)
		v := hcert.Verify(text, snap, c.Clock)
		accepted := v.Outcome == cert.Valid
		switch {
		case c.ID == onlyPicture:
		case c.Expect == "reject" && accepted, c.Expect != "reject" && !accepted:
			t.Errorf("%s: %s %v %s, want %s", c.ID, v.Outcome, v.Findings, v.Reason, c.Expect)
		case c.Expect == "warn" && len(v.Findings) == 0:
			t.Errorf("%s: no finding", c.ID)
		}
		if got := row(c.ID, c.Expect, v); table[c.ID] != got {
			t.Errorf("%s: OUTCOMES.md has another row (%s); now it is\n%s", c.ID, v.Reason, got)
		}
	}
	t.Logf("vectors: %d cases ran", len(cases))
}
