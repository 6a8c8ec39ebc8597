package charge_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"madoguchi.example/shared/charge"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
)

func day(t testing.TB, s string) civil.Date {
	t.Helper()
	d, err := civil.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestBands(t *testing.T) {
	for _, c := range []struct {
		birth, visit string
		want         charge.Band
	}{
		// School age: the year ends with the child who turns six on 1 April.
		{"2020-04-01", "2026-03-31", charge.Preschool},
		{"2020-04-01", "2026-04-01", charge.School},
		{"2020-04-02", "2026-04-01", charge.Preschool},
		{"2020-04-02", "2027-03-31", charge.Preschool},
		{"2020-04-02", "2027-04-01", charge.School},
		{"2021-03-31", "2027-03-31", charge.Preschool},
		{"2021-03-31", "2027-04-01", charge.School},
		{"2020-12-31", "2027-03-31", charge.Preschool},
		{"2020-12-31", "2027-04-01", charge.School},
		{"2020-02-29", "2026-03-31", charge.Preschool}, // reaches six on 28 February 2026
		{"2020-02-29", "2026-04-01", charge.School},
		{"2026-11-22", "2026-11-22", charge.Preschool}, // born today
		{"2026-11-23", "2026-11-22", ""},               // not born yet
		// 70: from the month after; born on the first, from that month.
		{"1956-11-02", "2026-11-30", charge.School},
		{"1956-11-02", "2026-12-01", charge.From70},
		{"1956-11-01", "2026-10-31", charge.School},
		{"1956-11-01", "2026-11-01", charge.From70},
		{"1956-12-31", "2026-12-31", charge.School},
		{"1956-12-31", "2027-01-01", charge.From70},
		{"1956-02-29", "2026-02-28", charge.School}, // reached on 28 February: from March
		{"1956-02-29", "2026-03-01", charge.From70},
		{"1957-01-01", "2026-12-31", charge.School},
		{"1957-01-01", "2027-01-01", charge.From70},
		// 75: on the birthday itself.
		{"1951-11-22", "2026-11-21", charge.From70},
		{"1951-11-22", "2026-11-22", charge.LateStage},
		{"1952-02-29", "2027-02-28", charge.From70},
		{"1952-02-29", "2027-03-01", charge.LateStage},
		{"1900-01-01", "2026-11-22", charge.LateStage},
	} {
		if got := charge.BandOn(day(t, c.birth), day(t, c.visit)); got != c.want {
			t.Errorf("born %s, visit %s: %q, want %q", c.birth, c.visit, got, c.want)
		}
	}
	if got := charge.BandOn(civil.Date{}, day(t, "2026-11-22")); got != "" {
		t.Errorf("without a birth date: %q", got)
	}
}

// A person goes through the bands in one direction, each change on a first of April, a first
// of a month, or a birthday.
func TestBandsOnlyRise(t *testing.T) {
	order := map[charge.Band]int{charge.Preschool: 1, charge.School: 2, charge.From70: 3, charge.LateStage: 4}
	rapid.Check(t, func(t *rapid.T) {
		birth := civil.Date{Year: 1920, Month: 1, Day: 1}.AddDays(rapid.IntRange(0, 40_000).Draw(t, "birth"))
		last := charge.Band("")
		for _, age := range []int{0, 6, 7, 69, 70, 71, 74, 75, 76} {
			for d := birth.AddDays(365*age - 3); d.Before(birth.AddDays(365*age + 40)); d = d.AddDays(1) {
				band := charge.BandOn(birth, d)
				if order[band] < order[last] {
					t.Fatalf("born %s: %s on %s after %s", birth, band, d, last)
				}
				last = band
			}
		}
	})
}

func TestTheShippedTable(t *testing.T) {
	table := charge.Shipped()
	visit := "2026-11-22"
	for _, c := range []struct {
		birth   string
		stated  int
		percent int
		rule    string
		asked   bool
	}{
		{"1980-04-01", 0, 30, "outage-general", false},
		{"1980-04-01", 10, 30, "outage-general", false}, // a word does not set it below 70
		{"2022-04-01", 0, 20, "outage-preschool", false},
		{"2022-04-01", 30, 20, "outage-preschool", false},
		{"1954-01-05", 0, 20, "outage-70-74", true},
		{"1954-01-05", 30, 30, "outage-70-74", false},
		{"1940-01-05", 0, 10, "outage-75", true},
		{"1940-01-05", 20, 20, "outage-75", false},
		{"1940-01-05", 30, 30, "outage-75", false},
	} {
		got, ok := table.Choose(charge.Facts{VisitDay: day(t, visit), BirthDate: day(t, c.birth), Evidence: eligibility.EvidenceNotice, Stated: c.stated})
		if !ok || got.Percent != c.percent || got.Rule.ID != c.rule || got.Asked != c.asked {
			t.Errorf("born %s, stated %d: %d by %s, asked %v", c.birth, c.stated, got.Percent, got.Rule.ID, got.Asked)
		}
		if got.Rule.Source == "" || got.Rule.ValidFrom.IsZero() {
			t.Errorf("%s has no source or no day", got.Rule.ID)
		}
	}
	if _, ok := table.Choose(charge.Facts{VisitDay: day(t, "2023-07-09"), BirthDate: day(t, "1980-04-01")}); ok {
		t.Error("the circular holds before it was written")
	}
}

func TestTheFirstRuleThatHoldsAndApplies(t *testing.T) {
	r := func(id, from, to string, percent int, bands []charge.Band, evidence ...eligibility.Evidence) charge.Rule {
		rule := charge.Rule{ID: id, Title: charge.Words{JA: "あ", JAEasy: "あ", EN: "a"}, Source: "x", ValidFrom: day(t, from), Percent: percent}
		rule.When = charge.When{Bands: bands, Evidence: evidence}
		if to != "" {
			rule.ValidTo = day(t, to)
		}
		return rule
	}
	table := charge.Table{Schema: charge.Schema, Version: "1", Issued: day(t, "2026-01-01"), Rules: []charge.Rule{
		r("notice", "2026-01-01", "2026-03-31", 10, nil, eligibility.EvidenceNotice),
		r("old", "2025-01-01", "2025-12-31", 20, nil),
		r("school", "2026-01-01", "", 30, []charge.Band{charge.School}),
	}}
	if err := table.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		visit    string
		evidence eligibility.Evidence
		want     string
	}{
		{"2026-03-31", eligibility.EvidenceNotice, "notice"}, {"2026-04-01", eligibility.EvidenceNotice, "school"},
		{"2026-03-31", eligibility.EvidenceCardPIN, "school"}, {"2025-12-31", eligibility.EvidenceNotice, "old"}, {"2024-12-31", eligibility.EvidenceNotice, ""},
	} {
		got, _ := table.Choose(charge.Facts{VisitDay: day(t, c.visit), BirthDate: day(t, "1980-04-01"), Evidence: c.evidence})
		if got.Rule.ID != c.want {
			t.Errorf("%s %s: %q, want %q", c.visit, c.evidence, got.Rule.ID, c.want)
		}
	}
}

func keys(t testing.TB) (signers []crypto.Signer, public []charge.Key) {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []crypto.Signer{ec, ed} {
		k, err := charge.KeyOf(s.Public())
		if err != nil {
			t.Fatal(err)
		}
		signers, public = append(signers, s), append(public, k)
	}
	return signers, public
}

func TestSigned(t *testing.T) {
	signers, public := keys(t)
	for i, s := range signers {
		signed, err := charge.Sign(charge.Shipped(), s, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		got, err := charge.Parse(signed, public)
		if err != nil || got.Version != charge.Shipped().Version || len(got.Rules) != len(charge.Shipped().Rules) {
			t.Errorf("key %d: %v", i, err)
		}
		if _, err := charge.Parse(signed, public[1-i:2-i]); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("key %d: another key opens it: %v", i, err)
		}
		if _, err := charge.Parse(signed, nil); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("key %d: no key opens it: %v", i, err)
		}
	}
}

// Every byte of the payload and of the type is signed.
func TestAChangedTableIsRefused(t *testing.T) {
	signers, public := keys(t)
	signed, err := charge.Sign(charge.Shipped(), signers[0], rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	if err := json.Unmarshal(signed, &e); err != nil {
		t.Fatal(err)
	}
	body, err := base64.StdEncoding.DecodeString(e["payload"].(string))
	if err != nil {
		t.Fatal(err)
	}
	change := func(name string, to any) []byte {
		c := map[string]any{}
		for k, v := range e {
			c[k] = v
		}
		c[name] = to
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	cheaper := base64.StdEncoding.EncodeToString(bytes.Replace(body, []byte(`"percent": 30`), []byte(`"percent": 10`), 1))
	for name, c := range map[string]struct {
		bytes []byte
		code  fault.Code
	}{
		"another table":     {change("payload", cheaper), fault.Forbidden},
		"another type":      {change("payloadType", "application/json"), fault.InvalidArgument},
		"no signature":      {change("signatures", []any{}), fault.InvalidArgument},
		"url-safe base64":   {change("payload", strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(e["payload"].(string))), fault.InvalidArgument},
		"one member more":   {change("x", 1), fault.InvalidArgument},
		"a member twice":    {append([]byte(`{"payload":"",`), signed[1:]...), fault.InvalidArgument},
		"another spelling":  {bytes.Replace(signed, []byte(`"payloadType"`), []byte(`"payloadtype"`), 1), fault.InvalidArgument},
		"bytes behind it":   {append(bytes.Clone(signed), '{', '}'), fault.InvalidArgument},
		"half of it":        {signed[:len(signed)/2], fault.InvalidArgument},
		"nothing":           {nil, fault.InvalidArgument},
		"too large":         {bytes.Repeat([]byte(" "), charge.MaxSignedBytes+1), fault.TooLarge},
		"too many":          {change("signatures", make([]map[string]string, 9)), fault.InvalidArgument},
		"signature no text": {change("signatures", []any{map[string]any{"keyid": "a", "sig": "%"}}), fault.Forbidden},
	} {
		if _, err := charge.Parse(c.bytes, public); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFaultsOfATable(t *testing.T) {
	good := string(mustEncode(t, charge.Shipped()))
	for name, c := range map[string]struct{ from, to, place string }{
		"schema":         {`"schema": 1`, `"schema": 2`, "schema"},
		"version":        {`"2023-07-10.1"`, `"a b"`, "version"},
		"issued":         {`"issued": "2023-07-10"`, `"issued": ""`, "issued"},
		"percent":        {`"percent": 30`, `"percent": 25`, "rules[1].percent"},
		"twice":          {`"outage-general"`, `"outage-preschool"`, "rules[1].id"},
		"band":           {`"school"`, `"adult"`, "rules[1].when.bands"},
		"stated":         {"20,\n        30\n", "20,\n        20\n", "rules[2].stated"},
		"no such day":    {`"valid_from": "2023-07-10"`, `"valid_from": "2023-02-30"`, "table"},
		"unknown member": {`"schema": 1`, `"schema": 1, "note": ""`, "table"},
		"ends first":     {`"valid_to": ""`, `"valid_to": "2020-01-01"`, "rules[0].valid_to"},
	} {
		bad := strings.Replace(good, c.from, c.to, 1)
		if bad == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		_, err := charge.ParseTable([]byte(bad))
		if first := firstOf(err); fault.PlaceOf(first) != c.place {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := charge.ParseTable(bytes.Repeat([]byte(" "), charge.MaxTableBytes+1)); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("too large: %v", err)
	}
}

func firstOf(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}

func mustEncode(t testing.TB, table charge.Table) []byte {
	t.Helper()
	b, err := table.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestKeys(t *testing.T) {
	signers, public := keys(t)
	for i, s := range signers {
		der, err := x509.MarshalPKIXPublicKey(s.Public())
		if err != nil {
			t.Fatal(err)
		}
		k, err := charge.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		if err != nil || k.ID != public[i].ID || len(k.ID) != 64 {
			t.Errorf("key %d: %v", i, err)
		}
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := charge.KeyOf(rsaKey.Public()); err == nil {
		t.Error("an RSA key may sign tables")
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := charge.KeyOf(p384.Public()); err == nil {
		t.Error("a key on P-384 may sign tables")
	}
	for _, bad := range [][]byte{nil, []byte("x"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte{1}}), bytes.Repeat([]byte("x"), 5000)} {
		if _, err := charge.ParseKey(bad); err == nil {
			t.Errorf("%d bytes are a key", len(bad))
		}
	}
}

// A signature that fails tells nothing about the table: the same message for every table.
func TestErrorsRepeatNothing(t *testing.T) {
	_, err := charge.ParseTable([]byte(`{"schema":1,"version":"seeded value","issued":"2026-01-01","rules":[]}`))
	if err == nil || strings.Contains(err.Error(), "seeded") {
		t.Errorf("%v", err)
	}
	if joined := (interface{ Unwrap() []error })(nil); !errors.As(err, &joined) || len(joined.Unwrap()) != 2 {
		t.Errorf("not every fault is told: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	signers, public := keys(f)
	for _, s := range signers {
		signed, err := charge.Sign(charge.Shipped(), s, rand.Reader)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(signed)
	}
	f.Add([]byte(`{"payload":"e30=","payloadType":"application/vnd.madoguchi.charges+json","signatures":[{"keyid":"","sig":""}]}`))
	want := mustEncode(f, charge.Shipped())
	f.Fuzz(func(t *testing.T, signed []byte) {
		table, err := charge.Parse(signed, public)
		if err == nil && !bytes.Equal(mustEncode(t, table), want) {
			t.Fatal("a table that nobody signed was taken")
		}
	})
}

func FuzzParseTable(f *testing.F) {
	f.Add(mustEncode(f, charge.Shipped()))
	f.Add([]byte(`{"schema":1,"version":"1","issued":"2026-01-01","rules":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := charge.ParseTable(data)
		if err != nil {
			return
		}
		again, err := charge.ParseTable(mustEncode(t, table))
		if err != nil || !bytes.Equal(mustEncode(t, again), mustEncode(t, table)) {
			t.Fatalf("a table does not survive being written: %v", err)
		}
		for _, age := range []int{0, 6, 30, 70, 74, 75} {
			visit := civil.Date{Year: 2026, Month: 11, Day: 22}
			c, ok := table.Choose(charge.Facts{VisitDay: visit, BirthDate: civil.Date{Year: 2026 - age, Month: 11, Day: 22}})
			if ok && c.Percent != 10 && c.Percent != 20 && c.Percent != 30 {
				t.Fatalf("%d percent", c.Percent)
			}
		}
	})
}
