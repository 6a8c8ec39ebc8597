package verify_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/trust"
)

// vectorsDir gives the folder of the published vectors, or skips the reader's work with a
// log line where it is absent: the tests pass without it.
func vectorsDir(t testing.TB) (string, bool) {
	t.Helper()
	dir := os.Getenv("MADOGUCHI_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "vectors")
	}
	dir = filepath.Join(dir, "shc")
	if _, err := os.Stat(filepath.Join(dir, "cases.json")); err != nil {
		t.Log("vectors: folder absent, 0 cases ran")
		return "", false
	}
	return dir, true
}

// vector is one case of cases.json.
type vector struct {
	ID     string
	Files  []string
	Key    string
	Clock  time.Time
	Expect string
}

const specIssuer = "https://spec.smarthealth.cards/examples/issuer"

type vectorRun struct {
	t     *testing.T
	dir   string
	given map[string]string // a case's id to its row in the table of outcomes
}

func (r vectorRun) read(name string) []byte {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(name)))
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// snapshot pins the case's key set in the layout of --trust.
func (r vectorRun) snapshot(v vector) trust.Snapshot {
	r.t.Helper()
	iss, crls := specIssuer, []string{string(r.read("trust/spec-issuer-crl-3Kfdg.json"))}
	if rest, ok := strings.CutPrefix(filepath.ToSlash(filepath.Dir(v.Key)), "badcrl/"); ok {
		iss = "https://raw.githubusercontent.com/smart-on-fhir/health-cards-dev-tools/main/testdata/badcrl/" + rest
		crls = []string{string(r.read("badcrl/" + rest + "/crl.json"))}
	}
	text := fmt.Sprintf(`{"iss":%q,"jwks":%s,"crls":[%s]}`, iss, r.read(v.Key), strings.Join(crls, ","))
	snap, err := verify.LoadTrust(fstest.MapFS{"shc/issuer.json": {Data: []byte(text)}})
	if err != nil {
		r.t.Fatal(err)
	}
	return snap
}

func joined(findings []cert.Finding) string {
	words := make([]string, 0, len(findings))
	for _, f := range findings {
		words = append(words, string(f))
	}
	return strings.Join(words, ", ")
}

// readOutcomes gives the rows of the committed table by case.
func readOutcomes(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "shc", "OUTCOMES.md"))
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

// TestVectors runs every published case that needs no picture decoder.
func TestVectors(t *testing.T) {
	dir, ok := vectorsDir(t)
	if !ok {
		return
	}
	r := vectorRun{t, dir, map[string]string{}}
	var vectors []vector
	if err := json.Unmarshal(r.read("cases.json"), &vectors); err != nil {
		t.Fatal(err)
	}
	ran := 0
	table := readOutcomes(t)
	for _, v := range vectors {
		if strings.HasPrefix(v.ID, "png-") {
			continue
		}
		ran++
		t.Run(v.ID, func(t *testing.T) { vectorRun{t, dir, r.given}.run(v) })
		if table[v.ID] != r.given[v.ID] {
			t.Errorf("%s: OUTCOMES.md has another row; now it is\n%s", v.ID, r.given[v.ID])
		}
	}
	t.Logf("vectors: %d of %d cases ran (the pictures run beside the picture decoder)", ran, len(vectors))
}

func (r vectorRun) run(v vector) {
	switch {
	case strings.HasPrefix(v.ID, "key-"):
		r.keys(v)
	case strings.HasPrefix(v.ID, "b-"):
		c := shc.CheckPayload(r.read(v.Files[0]), v.Clock)
		r.expect(v, c.Outcome, c.Findings, c.Reason)
	case strings.HasPrefix(v.ID, "a-"):
		c := shc.CheckBundle(r.read(v.Files[0]))
		r.expect(v, c.Outcome, c.Findings, c.Reason)
	case strings.HasPrefix(v.ID, "spec-0") && !strings.Contains(v.ID[5:], "-"):
		r.allForms(v)
	default:
		r.signed(v)
	}
}

func (r vectorRun) expect(v vector, outcome cert.Outcome, findings []cert.Finding, reason string) {
	r.t.Helper()
	r.t.Logf("%s: %s %v %s", v.ID, outcome, findings, reason)
	r.given[v.ID] = fmt.Sprintf("| %s | %s | %s | %s |", v.ID, v.Expect, outcome, joined(findings))
	good := map[string]bool{
		"accept": outcome == cert.Valid,
		"warn":   outcome == cert.Valid && len(findings) > 0,
		"reject": outcome != cert.Valid,
	}
	if !good[v.Expect] {
		r.t.Errorf("outcome %s %v, want %s", outcome, findings, v.Expect)
	}
	if findings == nil {
		r.t.Error("findings are nil")
	}
}

// keys checks a key set. The sets with certificates name this issuer.
func (r vectorRun) keys(v vector) {
	const issuer = "https://smarthealth.cards/examples/issuer"
	keys, err := trust.ParseJWKS(r.read(v.Files[0]), issuer)
	if (err == nil) != (v.Expect == "accept") {
		r.t.Errorf("%d keys, error %v, want %s", len(keys), err, v.Expect)
	}
	r.given[v.ID] = fmt.Sprintf("| %s | %s | %s | |", v.ID, v.Expect, map[bool]string{true: "key set taken", false: "key set refused"}[err == nil])
	if err != nil && len(keys) != 0 {
		r.t.Errorf("%d keys of a refused set of one", len(keys))
	}
}

// signed joins the parts of a split code and verifies a card.
func (r vectorRun) signed(v vector) {
	var lines []string
	for _, name := range v.Files {
		if !strings.HasPrefix(name, "badcrl/") || strings.Contains(name, "/jws-") {
			lines = append(lines, string(r.read(name)))
		}
	}
	got := verify.Verify([]byte(strings.Join(lines, "\n")), r.snapshot(v), v.Clock)
	r.expect(v, got.Outcome, got.Findings, got.Reason)
}

// allForms checks that every form of an example is accepted and says the same.
func (r vectorRun) allForms(v vector) {
	var bundle, payload any
	var codes []string
	var verdicts []cert.Verdict
	snap := r.snapshot(v)
	for _, name := range v.Files {
		text := r.read(name)
		switch {
		case strings.Contains(name, "-a-"):
			r.unmarshal(text, &bundle)
			c := shc.CheckBundle(text)
			r.expect(v, c.Outcome, c.Findings, c.Reason)
		case strings.Contains(name, "-b-"):
			r.unmarshal(text, &payload)
			c := shc.CheckPayload(text, v.Clock)
			r.expect(v, c.Outcome, c.Findings, c.Reason)
		case strings.Contains(name, "-f-"):
			codes = append(codes, string(text))
		default:
			verdicts = append(verdicts, verify.Verify(text, snap, v.Clock))
		}
	}
	slices.Reverse(codes)
	verdicts = append(verdicts, verify.Verify([]byte(strings.Join(codes, "\r\n")), snap, v.Clock))
	for _, got := range verdicts {
		r.expect(v, got.Outcome, got.Findings, got.Reason)
		if !reflect.DeepEqual(got.Certificate, verdicts[0].Certificate) {
			r.t.Error("two forms of one card say different things")
		}
	}
	if within := payload.(map[string]any)["vc"].(map[string]any)["credentialSubject"].(map[string]any)["fhirBundle"]; !reflect.DeepEqual(within, bundle) {
		r.t.Error("the bundle is not the payload's")
	}
}

func (r vectorRun) unmarshal(text []byte, into any) {
	r.t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		r.t.Fatal(err)
	}
}
