package hcert_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/trust"
)

// TestRevocationEntries holds our hashes of the three kinds against published ones.
func TestRevocationEntries(t *testing.T) {
	dir, ok := vectors(t)
	if !ok {
		return
	}
	var samples []struct {
		Text       string `json:"barcodeData"`
		UCI        string `json:"expUCI"`
		CountryUCI string `json:"expCOUNTRYCODEUCI"`
		Signature  string `json:"expSIGNATURE"`
	}
	readJSON(t, &samples, dir, "revocation.json")
	for n, s := range samples {
		got, err := hcert.RevocationEntries([]byte(s.Text))
		if err != nil || got.UCI.String() != s.UCI || got.CountryUCI.String() != s.CountryUCI || got.Signature.String() != s.Signature {
			t.Errorf("sample %d: %v %v", n, got, err)
		}
	}
	t.Logf("%d samples compared", len(samples))
	if _, err := hcert.RevocationEntries([]byte("HC1:")); err == nil {
		t.Error("entries for nothing")
	}
}

func withList(t testing.TB, dsc []byte, revocations string) trust.Snapshot {
	t.Helper()
	return list(t, fstest.MapFS{"hcert/a.der": {Data: dsc}, "hcert/" + hcert.RevocationFile: {Data: []byte(revocations)}})
}

func TestRevocation(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	text := issue(t, key, dsc, claims(), hcert.Options{})
	dvc := issue(t, key, dsc, claims(), hcert.Options{Kind: hcert.DVC})
	of, err := hcert.RevocationEntries([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if of.KeyID != hcert.KeyID(dsc) || of.UCI != hcert.UCIRevocation(testUVCI) {
		t.Errorf("%+v", of)
	}
	for name, c := range revocationCases(t, of) {
		snap := withList(t, dsc, c.list)
		v := hcert.Verify([]byte(text), snap, at)
		if v.Outcome != c.want {
			t.Errorf("%s: %s, want %s", name, v.Outcome, c.want)
		}
		if (len(snap.Notes()) > 0) != c.note {
			t.Errorf("%s: notes %v", name, snap.Notes())
		}
		if c.want == cert.StaleRevocation && (len(v.Findings) != 1 || v.Findings[0] != cert.NoRevocationList) {
			t.Errorf("%s: %v", name, v.Findings)
		}
		if name == "by id" {
			if v := hcert.Verify([]byte(dvc), snap, at); v.Outcome != cert.Revoked {
				t.Errorf("the WHO certificate with the same id is %s", v.Outcome)
			}
		}
	}
}

type revocationCase struct {
	list string
	want cert.Outcome
	note bool
}

func revocationCases(t testing.TB, of hcert.Revocable) map[string]revocationCase {
	kid := keyIDBytes(t, of.KeyID)
	other := strings.Repeat("00", 16)
	entry := func(kid string, kind hcert.RevocationType, hashes ...string) string {
		return fmt.Sprintf(`{"kid":%q,"type":%q,"hashes":["%s"]}`, kid, kind, strings.Join(hashes, `","`))
	}
	return map[string]revocationCase{
		"empty":                  {"[]", cert.Valid, false},
		"by id":                  {"[" + entry(of.KeyID, hcert.ByUCI, other, of.UCI.String()) + "]", cert.Revoked, false},
		"by country and id":      {"[" + entry(of.KeyID, hcert.ByCountryUCI, of.CountryUCI.String(), other) + "]", cert.Revoked, false},
		"by signature":           {"[" + entry(of.KeyID, hcert.BySignature, of.Signature.String()) + "]", cert.Revoked, false},
		"of another type":        {"[" + entry(of.KeyID, hcert.BySignature, of.UCI.String()) + "]", cert.Valid, false},
		"of another key":         {"[" + entry("AAAAAAAAAAA=", hcert.ByUCI, of.UCI.String()) + "]", cert.Valid, false},
		"in two lists":           {"[" + entry(of.KeyID, hcert.ByUCI, other) + "," + entry(of.KeyID, hcert.ByUCI, of.UCI.String()) + "]", cert.Revoked, false},
		"upper case digits":      {"[" + entry(of.KeyID, hcert.ByUCI, strings.ToUpper(of.UCI.String())) + "]", cert.Revoked, false},
		"lower case type":        {"[" + entry(of.KeyID, "uci", of.UCI.String()) + "]", cert.Revoked, false},
		"hash in base64":         {"[" + entry(of.KeyID, hcert.ByUCI, base64.StdEncoding.EncodeToString(of.UCI[:])) + "]", cert.Revoked, false},
		"hash in base64url":      {"[" + entry(of.KeyID, hcert.ByUCI, base64.RawURLEncoding.EncodeToString(of.UCI[:])) + "]", cert.Revoked, false},
		"key id in digits":       {"[" + entry(hex.EncodeToString(kid), hcert.ByUCI, of.UCI.String()) + "]", cert.Revoked, false},
		"key id in base64url":    {"[" + entry(base64.RawURLEncoding.EncodeToString(kid), hcert.ByUCI, of.UCI.String()) + "]", cert.Revoked, false},
		"short hash":             {"[" + entry(of.KeyID, hcert.ByUCI, "00") + "]", cert.StaleRevocation, true},
		"short hash and ours":    {"[" + entry(of.KeyID, hcert.ByUCI, "00", of.UCI.String()) + "]", cert.Revoked, true},
		"unknown type":           {"[" + entry(of.KeyID, "OTHER", of.UCI.String()) + "]", cert.StaleRevocation, true},
		"unknown type elsewhere": {"[" + entry("AAAAAAAAAAA=", "OTHER", of.UCI.String()) + "]", cert.Valid, true},
		"bad key id":             {"[" + entry("AAAA", hcert.ByUCI, of.UCI.String()) + "]", cert.StaleRevocation, true},
		"cut":                    {"[" + entry(of.KeyID, hcert.ByUCI, of.UCI.String()), cert.StaleRevocation, true},
		"no list":                {"{}", cert.StaleRevocation, true},
		"nothing":                {"", cert.StaleRevocation, true},
	}
}

func TestWriteRevocations(t *testing.T) {
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	hash := hcert.UCIRevocation(testUVCI).String()
	other := strings.Repeat("ff", 16)
	lists := []hcert.RevocationList{
		{KeyID: hcert.KeyID(dsc), Type: hcert.ByUCI, Hashes: []string{other, hash, hash}}, {KeyID: "AAAAAAAAAAA=", Type: hcert.BySignature, Hashes: nil},
	}
	text, err := hcert.WriteRevocations(lists)
	if err != nil {
		t.Fatal(err)
	}
	lists[0], lists[1] = lists[1], lists[0]
	if again, err := hcert.WriteRevocations(lists); err != nil || string(again) != string(text) {
		t.Errorf("the same entries give %s and %s, %v", text, again, err)
	}
	if v := hcert.Verify([]byte(issue(t, key, dsc, claims(), hcert.Options{})), withList(t, dsc, string(text)), at); v.Outcome != cert.Revoked {
		t.Errorf("%s %s", v.Outcome, text)
	}
	for _, bad := range []hcert.RevocationList{
		{KeyID: "x", Type: hcert.ByUCI}, {KeyID: hcert.KeyID(dsc), Type: "OTHER"}, {KeyID: hcert.KeyID(dsc), Type: hcert.ByUCI, Hashes: []string{"00"}},
	} {
		if text, err := hcert.WriteRevocations([]hcert.RevocationList{bad}); err == nil {
			t.Errorf("written: %s", text)
		}
	}
	if text, err := hcert.WriteRevocations(nil); err != nil || string(text) != "[]" {
		t.Errorf("%s %v", text, err)
	}
}
