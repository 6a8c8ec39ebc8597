package inspect_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/shared/cert"
)

// document is one published document with what to believe when it is verified.
type document struct {
	id     string // of cases.json, with the form behind it where a case has several
	input  []byte
	trust  map[string][]byte // the --trust folder
	clock  string
	expect string
	row    string // the case's row in the format's table of outcomes; "" where it has another form there
}

type published struct {
	t     *testing.T
	dir   string
	table string
}

// openVectors gives a set of vectors with its format's table of outcomes.
func openVectors(t *testing.T, set, format string) (published, []vector) {
	t.Helper()
	root := os.Getenv("MADOGUCHI_VECTORS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "vectors")
	}
	p := published{t: t, dir: filepath.Join(root, set)}
	if _, err := os.Stat(filepath.Join(p.dir, "cases.json")); err != nil {
		t.Logf("vectors of %s: folder absent, 0 cases ran", set)
		return p, nil
	}
	table, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "cert", format, "OUTCOMES.md"))
	if err != nil {
		t.Fatal(err)
	}
	p.table = string(table)
	var cases []vector
	if err := json.Unmarshal(p.read("cases.json"), &cases); err != nil {
		t.Fatal(err)
	}
	return p, cases
}

// vector is one case of cases.json.
type vector struct {
	ID, Key, Clock, Expect string
	Files                  []string
}

func (p published) read(name string) []byte {
	p.t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, filepath.FromSlash(name)))
	if err != nil {
		p.t.Fatal(err)
	}
	return bytes.TrimPrefix(b, []byte("\ufeff"))
}

// outcome gives the outcome that the format's table names for a case.
func (p published) outcome(id string) string {
	p.t.Helper()
	for line := range strings.Lines(p.table) {
		if cells := strings.Split(line, "|"); len(cells) > 4 && strings.TrimSpace(cells[1]) == id {
			return strings.TrimSpace(cells[3])
		}
	}
	p.t.Errorf("%s: not in the table of outcomes", id)
	return ""
}

// cards gives every document of the SMART Health Cards set, each form by itself.
func cards(p published, c vector) (out []document) {
	if c.Key == "-" {
		return nil // a key set, payload or bundle: through the Go API
	}
	iss, crl := "https://spec.smarthealth.cards/examples/issuer", p.read("trust/spec-issuer-crl-3Kfdg.json")
	if rest, ok := strings.CutPrefix(filepath.ToSlash(filepath.Dir(c.Key)), "badcrl/"); ok {
		iss = "https://raw.githubusercontent.com/smart-on-fhir/health-cards-dev-tools/main/testdata/badcrl/" + rest
		crl = p.read("badcrl/" + rest + "/crl.json")
	}
	d := document{clock: c.Clock, expect: c.Expect, row: p.outcome(c.ID), trust: map[string][]byte{
		"shc/issuer.json": fmt.Appendf(nil, `{"iss":%q,"jwks":%s,"crls":[%s]}`, iss, p.read(c.Key), crl),
	}}
	var codes [][]byte
	for _, name := range c.Files {
		base := filepath.Base(name)
		switch {
		case strings.Contains(base, "-a-fhirBundle"), strings.Contains(base, "-b-jws-payload"), base == "jwks.json", base == "crl.json":
		case strings.Contains(base, "-qr") || strings.Contains(base, "qrnumeric") || strings.HasPrefix(base, "jws-"):
			codes = append(codes, p.read(name))
		default:
			one := d
			one.id, one.input = c.ID+" "+base, p.read(name)
			if c.ID == "spec-02" {
				one.row = "valid" // one text: not split, as the row says of the codes
			}
			out = append(out, one)
		}
	}
	if len(codes) > 0 {
		d.id, d.input = c.ID, bytes.Join(codes, []byte("\n"))
		out = append(out, d)
	}
	return out
}

// seals gives the documents of the VDS-NC set.
func seals(p published, c vector) []document {
	d := document{id: c.ID, input: p.read(c.Files[0]), trust: map[string][]byte{}, clock: c.Clock, expect: c.Expect, row: p.outcome(c.ID)}
	var list []json.RawMessage
	if c.ID == "dotnet-0" && json.Unmarshal(d.input, &list) == nil {
		d.input = list[0]
	}
	switch c.Key {
	case "-":
	case "embedded cer pinned":
		var seal struct{ Sig struct{ Cer string } }
		if err := json.Unmarshal(d.input, &seal); err != nil {
			p.t.Fatal(err)
		}
		der, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(seal.Sig.Cer, "="))
		if err != nil {
			p.t.Fatal(err)
		}
		d.trust["vdsnc/signer.der"] = der
	default:
		d.trust["vdsnc/"+filepath.Base(c.Key)] = p.read(c.Key)
	}
	for _, name := range c.Files[1:] {
		d.trust["vdsnc/"+filepath.Base(name)] = p.read(name)
	}
	if d.clock == "-" {
		d.clock = "2022-01-01T00:00:00Z"
	}
	if c.ID == "not-a-vds" {
		d.row = string(cert.Unsupported) // of no format at all, as the table says
	}
	return []document{d}
}

// certificates gives the documents of the HC1 set: the text, and the picture where there is one.
func certificates(p published, c vector) []document {
	var file struct {
		Prefix, Base45 string
		Picture        string                       `json:"2DCODE"`
		Context        struct{ Certificate string } `json:"TESTCTX"`
	}
	if err := json.Unmarshal(p.read(c.Files[0]), &file); err != nil {
		p.t.Fatal(err)
	}
	signer, err := base64.StdEncoding.DecodeString(file.Context.Certificate)
	if err != nil {
		p.t.Fatal(err)
	}
	d := document{id: c.ID, input: []byte(file.Prefix), trust: map[string][]byte{"hcert/x.der": signer}, clock: c.Clock, expect: c.Expect, row: p.outcome(c.ID)}
	picture := d
	picture.id += " picture"
	if picture.input, err = base64.StdEncoding.DecodeString(file.Picture); err != nil {
		p.t.Fatal(err)
	}
	png, err := os.ReadFile(filepath.Join(p.dir, "png", c.ID+".png"))
	switch {
	case c.ID == "common-Q1": // what should be its picture is none; the text beside it is good
		picture.row = string(cert.Unsupported)
		return []document{picture}
	case err == nil:
		picture.input = png
		return []document{d, picture}
	}
	return []document{d}
}

// tokens gives the documents of the SD-JWT set. Who signed them stands in no file.
func tokens(p published, c vector) []document {
	iss := "https://issuer.example.com"
	if strings.HasPrefix(c.ID, "a4-") {
		iss = "https://example.com/issuer"
	}
	return []document{{id: c.ID, input: p.read(c.Files[0]), clock: c.Clock, expect: c.Expect, row: p.outcome(c.ID), trust: map[string][]byte{
		"sdjwt/issuer.json": fmt.Appendf(nil, `{"iss":%q,"jwks":{"keys":[%s]}}`, iss, p.read(c.Key)),
	}}}
}

// lay writes the document and its --trust folder and gives the command's arguments.
func (d document) lay(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "trust"), 0o755); err != nil {
		t.Fatal(err)
	}
	d.trust["../document"] = d.input
	for name, content := range d.trust {
		path := filepath.Join(dir, "trust", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"--trust", filepath.Join(dir, "trust"), "--at", d.clock, "--json", filepath.Join(dir, "document")}
}

// judged is what the command printed.
type judged struct {
	Outcome  cert.Outcome
	Findings []cert.Finding
	Reason   string
}

func (d document) check(t *testing.T, code int, out []byte) {
	t.Helper()
	var v judged
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("%s: exit %d, %q", d.id, code, out)
	}
	if (code == inspect.ExitValid) != (v.Outcome == cert.Valid) || v.Findings == nil {
		t.Errorf("%s: exit %d with %s", d.id, code, v.Outcome)
	}
	if string(v.Outcome) != d.row {
		t.Errorf("%s: %s %v (%s), OUTCOMES.md says %s", d.id, v.Outcome, v.Findings, v.Reason, d.row)
	}
	good := map[string]bool{
		"accept": v.Outcome == cert.Valid, "reject": v.Outcome != cert.Valid, "warn": v.Outcome == cert.Valid && len(v.Findings) > 0,
		"policy":                        v.Outcome == cert.StaleRevocation,
		"signature ok, untrusted chain": v.Outcome == cert.Valid && len(v.Findings) > 0, // its signer pinned, and told so
		"signature ok, schema invalid":  v.Outcome == cert.Malformed,
	}
	if !good[d.expect] {
		t.Errorf("%s: %s %v (%s), expected %s", d.id, v.Outcome, v.Findings, v.Reason, d.expect)
	}
}

// TestPublishedDocuments runs every published document of four formats through the command,
// and some of them through the built program.
func TestPublishedDocuments(t *testing.T) {
	const sample = 9 // every ninth through the built program
	program := ""
	for _, set := range []struct {
		name, format string
		documents    func(published, vector) []document
	}{{"shc", "shc", cards}, {"vdsnc", "vdsnc", seals}, {"dcc", "hcert", certificates}, {"sdjwt", "sdjwtvc", tokens}} {
		p, cases := openVectors(t, set.name, set.format)
		ran, ids, built := 0, map[string]bool{}, 0
		for _, c := range cases {
			for _, d := range set.documents(p, c) {
				args := d.lay(t)
				var out, errs bytes.Buffer
				code := inspect.Command{Stdout: &out, Stderr: &errs, Now: time.Now}.Run(t.Context(), args)
				d.check(t, code, out.Bytes())
				if ran++; ran%sample == 1 {
					if program == "" {
						program = build(t)
					}
					code, out := runProgram(t, exec.Command(program, append([]string{"verify"}, args...)...))
					d.check(t, code, out)
					built++
				}
				ids[c.ID] = true
			}
		}
		if cases != nil {
			t.Logf("vectors of %s: %d of %d cases ran as %d documents, %d of them through the built program too (the others are key sets, bundles and payloads: through the Go API)",
				set.name, len(ids), len(cases), ran, built)
		}
	}
}

// build makes the program once for a test.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "madoguchi-agent")
	if out, err := exec.Command("go", "build", "-o", program, "madoguchi.example/agent/cmd/madoguchi-agent").CombinedOutput(); err != nil {
		t.Fatalf("cannot build: %v\n%s", err, out)
	}
	return program
}

// runProgram gives the exit code and what was printed.
func runProgram(t *testing.T, c *exec.Cmd) (int, []byte) {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if c.ProcessState == nil {
		t.Fatalf("cannot run: %v", err)
	}
	return c.ProcessState.ExitCode(), out.Bytes()
}
