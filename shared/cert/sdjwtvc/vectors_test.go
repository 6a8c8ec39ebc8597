package sdjwtvc_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/sdjwtvc"
	"madoguchi.example/shared/trust"
)

// issuers names who signed the published cases: no file says it.
var issuers = map[string]string{
	"a4-vaccination": "https://example.com/issuer", "a4-vaccination-kb": "https://example.com/issuer",
	"s5.1-complete": "https://issuer.example.com", "a2-structured": "https://issuer.example.com",
}

func vectorRow(id, expect string, v cert.Verdict) string {
	words := make([]string, 0, len(v.Findings))
	for _, f := range v.Findings {
		words = append(words, string(f))
	}
	return fmt.Sprintf("| %s | %s | %s | %s |", id, expect, v.Outcome, strings.Join(words, ", "))
}

func TestVectors(t *testing.T) {
	dir, ok := vectorsDir(t)
	if !ok {
		return
	}
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var cases []struct {
		ID, Key, Expect string
		Files           []string
		Clock           time.Time
	}
	if err := json.Unmarshal(read("cases.json"), &cases); err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("OUTCOMES.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		file := fmt.Sprintf(`{"iss":%q,"jwks":{"keys":[%s]}}`, issuers[c.ID], read(c.Key))
		snap, err := trust.Load(fstest.MapFS{"sdjwt/issuer.json": {Data: []byte(file)}}, []trust.Section{sdjwtvc.Section})
		if err != nil {
			t.Fatal(err)
		}
		text := []byte(strings.TrimSpace(string(read(c.Files[0]))))
		v := sdjwtvc.Verify(text, snap, c.Clock)
		if (v.Outcome == cert.Valid) != (c.Expect == "accept") {
			t.Errorf("%s: %s %s, want %s", c.ID, v.Outcome, v.Reason, c.Expect)
		}
		if row := vectorRow(c.ID, c.Expect, v); !strings.Contains(string(table), row+"\n") {
			t.Errorf("OUTCOMES.md has another row; now it is\n%s", row)
		}
		if got := sdjwtvc.Verify(text, trust.Snapshot{}, c.Clock); got.Outcome != cert.UntrustedIssuer {
			t.Errorf("%s without anchors: %s", c.ID, got.Outcome)
		}
		checkContent(t, c.ID, v)
		if c.ID == "a4-vaccination-kb" {
			v = sdjwtvc.VerifyPresentation(text, snap, time.Unix(1748454271+60, 0), sdjwtvc.Expect{Nonce: "1234567890", Audience: "https://verifier.example.org"})
			if v.Outcome != cert.Valid || !v.Certificate.HolderBound || !sameFindings(v.Findings, sdjwtvc.OtherType, cert.NoHolderName) {
				t.Errorf("%s as the answer to its request: %s %v %s", c.ID, v.Outcome, v.Findings, v.Reason)
			}
		}
	}
	t.Logf("vectors: %d cases ran", len(cases))
}

func checkContent(t *testing.T, id string, v cert.Verdict) {
	t.Helper()
	c := v.Certificate
	switch id {
	case "a4-vaccination":
		d := c.Doses[0]
		if c.Holder.Latin() != "Marion Mustermann" || c.BirthDate.String() != "1961-08-17" || c.Sex != "F" || c.HolderBound ||
			d.Number != 3 || d.Of != 3 || d.Code != "J07BX03" || d.On.String() != "2021-06-23" || d.Lot != "1626382736" || d.Country != "GE" {
			t.Errorf("%s: %+v", id, c.Doses)
		}
	case "a4-vaccination-kb":
		if !c.HolderBound || len(c.Doses) != 1 || c.Doses[0].Product != "COVID-19 Vaccine Moderna" || c.Doses[0].Lot != "" {
			t.Errorf("%s: %+v", id, c.Doses)
		}
	case "s5.1-complete":
		if c.Holder.Latin() != "John Doe" || c.BirthDate.String() != "1940-01-01" || c.Content != cert.OtherContent {
			t.Errorf("%s: %v", id, c.Content)
		}
	}
}
