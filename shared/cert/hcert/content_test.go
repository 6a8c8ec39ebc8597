package hcert_test

import (
	"slices"
	"strings"
	"testing"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/hcert"
)

// pairs writes a map of texts to what is given, in order: names before values.
func pairs(items ...any) []byte {
	var out [][]byte
	for _, item := range items {
		switch v := item.(type) {
		case string:
			out = append(out, text(v))
		case int:
			out = append(out, i(int64(v)))
		case []byte:
			out = append(out, v)
		case nil:
			out = append(out, []byte{0xf6})
		}
	}
	return dict(out...)
}

// with gives the items with one value changed, without where the value is absent, or with
// one more.
type absent struct{}

func with(items []any, name string, value any) []any {
	out := slices.Clone(items)
	for n := 0; n < len(out); n += 2 {
		if out[n] != name {
			continue
		}
		if value == (absent{}) {
			return slices.Delete(out, n, n+2)
		}
		out[n+1] = value
		return out
	}
	return append(out, name, value)
}

var (
	nameItems = []any{"fn", "Mihon", "fnt", "MIHON", "gn", "Hanako", "gnt", "HANAKO"}
	vItems    = []any{
		"tg", "840539006", "vp", "1119349007", "mp", "EU/1/20/1528", "ma", "ORG-100030215", "dn", 2, "sd", 2,
		"dt", "2021-08-22", "co", "JP", "is", "Specimen", "ci", testUVCI,
	}
	tItems = []any{"tg", "840539006", "tt", "LP6464-4", "sc", "2026-11-20T10:00:00Z", "tr", "260415000", "co", "JP", "is", "Specimen", "ci", testUVCI}
	rItems = []any{"tg", "840539006", "fr", "2026-08-01", "co", "JP", "is", "Specimen", "df", "2026-08-12", "du", "2027-01-28", "ci", testUVCI}
)

func topItems(group string, entry []any) []any {
	return []any{"ver", "1.3.0", "dob", "1990-04-01", "nam", pairs(nameItems...), group, array(pairs(entry...))}
}

// contentBytes gives the content of claim -260 of a good DCC.
func contentBytes(testing.TB) []byte { return dict(i(1), pairs(topItems("v", vItems)...)) }

type contentCase struct {
	items    []any
	want     cert.Outcome
	findings []cert.Finding
}

func dccCases() map[string]contentCase {
	tag0 := func(s string) []byte { return append([]byte{0xc0}, text(s)...) }
	v := func(name string, value any) []any { return topItems("v", with(vItems, name, value)) }
	test := func(name string, value any) []any { return topItems("t", with(tItems, name, value)) }
	recovery := func(name string, value any) []any { return topItems("r", with(rItems, name, value)) }
	top := func(name string, value any) []any { return with(topItems("v", vItems), name, value) }
	nam := func(name string, value any) []any { return top("nam", pairs(with(nameItems, name, value)...)) }
	long, longJa := strings.Repeat("a", 81), strings.Repeat("見", 80)
	good := cert.Valid
	bad := cert.Malformed
	none := []cert.Finding(nil)
	return map[string]contentCase{
		"vaccination": {topItems("v", vItems), good, none}, "test": {topItems("t", tItems), good, []cert.Finding{cert.NoVaccination}},
		"recovery": {topItems("r", rItems), good, []cert.Finding{cert.NoVaccination}},

		"no version": {top("ver", absent{}), bad, none}, "version of two numbers": {top("ver", "1.3"), bad, none}, "version of words": {top("ver", "1x3x0"), bad, none},
		"version 2": {top("ver", "2.0.0"), cert.Unsupported, none}, "version 12": {top("ver", "12.0.0"), cert.Unsupported, none}, "version as number": {top("ver", 1), bad, none},
		"no name": {top("nam", absent{}), bad, none}, "no birth date": {top("dob", absent{}), bad, none}, "null birth date": {top("dob", nil), bad, none},
		"year of birth": {top("dob", "1990"), good, []cert.Finding{cert.PartialDate}}, "month of birth": {top("dob", "1990-04"), good, []cert.Finding{cert.PartialDate}},
		"empty birth date": {top("dob", ""), good, none}, "birth date with time": {top("dob", "1990-04-01T00:00:00"), good, []cert.Finding{hcert.DateWithTime}},
		"no such day": {top("dob", "1990-02-31"), good, []cert.Finding{hcert.NoSuchBirthDate}}, "born in 1809": {top("dob", "1809-02-28"), bad, none},
		"birth date of words": {top("dob", "1990-04-01 or so"), bad, none}, "birth date cut": {top("dob", "1990-0"), bad, none}, "tagged birth date": {top("dob", tag0("1990-04-01")), good, []cert.Finding{hcert.DateTagged}},
		"unknown member": {top("x", "y"), good, []cert.Finding{hcert.UnknownMember}},

		"only a family name": {nam("gn", absent{}), good, none}, "no standard name": {top("nam", pairs("fn", "Mihon")), bad, none},
		"null given name": {nam("gn", nil), good, []cert.Finding{hcert.NullMember}}, "standard name in small letters": {nam("fnt", "Mihon"), bad, none},
		"empty names": {top("nam", pairs("fnt", "")), good, []cert.Finding{cert.NoHolderName}}, "long name": {nam("fn", long), bad, none}, "80 kanji": {nam("fn", longJa), good, none},
		"name not a map": {top("nam", "Mihon"), bad, none}, "unknown name": {nam("mn", "x"), good, []cert.Finding{hcert.UnknownMember}}, "name twice": {top("nam", pairs("fnt", "A", "fnt", "B")), bad, none},

		"no group": {top("v", absent{}), bad, none}, "two groups": {with(topItems("v", vItems), "t", array(pairs(tItems...))), bad, none},
		"null beside": {with(topItems("v", vItems), "t", nil), good, []cert.Finding{hcert.NullGroup}}, "empty beside": {with(topItems("v", vItems), "r", array()), good, []cert.Finding{hcert.NullGroup}},
		"empty alone": {top("v", array()), bad, none}, "null alone": {top("v", nil), bad, none}, "two entries": {top("v", array(pairs(vItems...), pairs(vItems...))), bad, none},
		"group not an array": {top("v", pairs(vItems...)), bad, none}, "entry not a map": {top("v", array(text("x"))), bad, none},

		"no dose number": {v("dn", absent{}), bad, none}, "dose 0": {v("dn", 0), bad, none}, "dose as text": {v("dn", "2"), bad, none}, "dose beyond reason": {v("dn", 1<<40), bad, none},
		"more than the series": {v("dn", 3), good, none}, "day with time": {v("dt", "2021-08-22T10:00:00Z"), good, []cert.Finding{hcert.DateWithTime}},
		"day with words": {v("dt", "2021-08-22 noon"), bad, none}, "no such day given": {v("dt", "2021-02-30"), bad, none}, "month alone": {v("dt", "2021-08"), bad, none},
		"tagged day": {v("dt", tag0("2021-08-22")), good, []cert.Finding{hcert.DateTagged}}, "day in another tag": {v("dt", append([]byte{0xc1}, text("2021-08-22")...)), bad, none},
		"an organisation": {v("co", "UNHCR"), good, none}, "a country in small letters": {v("co", "jp"), bad, none}, "no letters": {v("co", ""), bad, none}, "a long country": {v("co", "ABCDEFGHIJK"), bad, none},
		"long issuer": {v("is", long), bad, none}, "long id": {v("ci", long), bad, none}, "no id": {v("ci", absent{}), bad, none}, "null disease": {v("tg", nil), bad, none},
		"product of another list": {v("mp", "CoronaVac"), good, none}, "unknown in the entry": {v("xx", 1), good, []cert.Finding{hcert.UnknownMember}},

		"tested with centre": {test("tc", "C134"), good, []cert.Finding{cert.NoVaccination}}, "null centre": {test("tc", nil), good, []cert.Finding{hcert.NullMember, cert.NoVaccination}},
		"tagged time":        {test("sc", tag0("2026-11-20T10:00:00Z")), good, []cert.Finding{hcert.DateTagged, cert.NoVaccination}},
		"zone without colon": {test("sc", "2026-11-20T10:00:00+0200"), good, []cert.Finding{hcert.DateTimeForm, cert.NoVaccination}},
		"time of no zone":    {test("sc", "2026-11-20T10:00:00"), good, []cert.Finding{hcert.DateTimeForm, cert.NoVaccination}}, "sampled on a day": {test("sc", "2026-11-20"), bad, none},
		"long time": {test("sc", strings.Repeat("2", 99)), bad, none}, "no result": {test("tr", absent{}), bad, none}, "named": {test("nm", "x"), good, []cert.Finding{cert.NoVaccination}},
		"long test name": {test("nm", long), bad, none}, "null maker": {test("ma", nil), good, []cert.Finding{hcert.NullMember, cert.NoVaccination}},

		"recovered, over": {recovery("du", "2026-11-01"), good, []cert.Finding{cert.NoVaccination, hcert.OutsidePeriod}}, "recovered, not yet": {recovery("df", "2026-12-01"), good, []cert.Finding{cert.NoVaccination, hcert.OutsidePeriod}},
		"recovered, no end": {recovery("du", absent{}), bad, none}, "unknown in recovery": {recovery("x", "y"), good, []cert.Finding{hcert.UnknownMember, cert.NoVaccination}},
	}
}

func TestDCC(t *testing.T) {
	dsc := newDSC(t, testKey(t, 7))
	snap := believe(t, dsc)
	for name, c := range dccCases() {
		got := hcert.Verify(seal(t, dsc, token(pairs(c.items...))), snap, at)
		if got.Outcome != c.want || (c.want == cert.Valid && !slices.Equal(got.Findings, c.findings) && len(got.Findings)+len(c.findings) > 0) {
			t.Errorf("%s: %s %v %s", name, got.Outcome, got.Findings, got.Reason)
		}
		if strings.Contains(got.Reason, "Mihon") || strings.Contains(got.Reason, "1990") {
			t.Errorf("%s: the reason tells a personal value: %s", name, got.Reason)
		}
	}
}

func TestDVC(t *testing.T) {
	dsc := newDSC(t, testKey(t, 7))
	snap := believe(t, dsc)
	dose := []any{
		"dn", "B", "tg", "1D47", "vp", "XM0N24", "mp", "YF", "ma", "Specimen maker", "mid", "25", "bo", "L1", "dt", "2026-08-23",
		"cn", "Specimen doctor", "is", "Specimen centre", "vls", "2026-09-02",
	}
	holder := func(v []byte) []any {
		return []any{"n", "Hanako Mihon", "dob", "1990-04-01", "s", "female", "ntl", "JP", "nid", "TK0000000", "ndt", "PPN", "gn", "Specimen guardian", "v", v}
	}
	change := func(name string, value any) []byte { return pairs(holder(pairs(with(dose, name, value)...))...) }
	top := func(name string, value any) []byte { return pairs(with(holder(pairs(dose...)), name, value)...) }
	good := pairs(holder(pairs(dose...))...)
	for name, c := range map[string]struct {
		content  []byte
		want     cert.Outcome
		findings []cert.Finding
	}{
		"a map": {good, cert.Valid, nil}, "an array of one": {array(good), cert.Valid, nil}, "an array of two": {array(good, good), cert.Malformed, nil}, "no content": {array(), cert.Malformed, nil},
		"several doses": {top("v", array(pairs(dose...), pairs(dose...))), cert.Valid, nil}, "no dose": {top("v", array()), cert.Malformed, nil},
		"too many": {top("v", array(slices.Repeat([][]byte{pairs(dose...)}, 17)...)), cert.Malformed, nil}, "no vaccination": {top("v", absent{}), cert.Malformed, nil},
		"no name": {top("n", absent{}), cert.Malformed, nil}, "no birth date": {top("dob", absent{}), cert.Malformed, nil}, "year of birth": {top("dob", "1990"), cert.Valid, []cert.Finding{cert.PartialDate}},
		"null guardian": {top("gn", nil), cert.Valid, []cert.Finding{hcert.NullMember}}, "unknown": {top("x", 1), cert.Valid, []cert.Finding{hcert.UnknownMember}},
		"no vaccine": {change("vp", absent{}), cert.Malformed, nil}, "no day": {change("dt", absent{}), cert.Malformed, nil}, "no lot": {change("bo", absent{}), cert.Valid, []cert.Finding{hcert.MissingMember}},
		"counts later": {change("vls", "2026-12-24"), cert.Valid, []cert.Finding{hcert.OutsidePeriod}}, "counts no more": {change("vle", "2026-11-01"), cert.Valid, []cert.Finding{hcert.OutsidePeriod}},
		"another document": {top("ndt", "NI"), cert.Valid, nil}, "dose as number": {change("dn", 2), cert.Valid, nil}, "unknown of the dose": {change("x", 1), cert.Valid, []cert.Finding{hcert.UnknownMember}},
	} {
		claims := dict(i(1), text("JP"), i(6), i(at.Unix()), i(4), i(expires.Unix()), i(-260), dict(i(-6), c.content))
		v := hcert.Verify(seal(t, dsc, claims), snap, at)
		if v.Outcome != c.want || (c.want == cert.Valid && !slices.Equal(v.Findings, c.findings) && len(v.Findings)+len(c.findings) > 0) {
			t.Errorf("%s: %s %v %s", name, v.Outcome, v.Findings, v.Reason)
		}
		if name == "another document" && v.Certificate.TravelDocument != "" {
			t.Error("a number that is not a passport's is told as one")
		}
		if name != "a map" {
			continue
		}
		d := v.Certificate.Doses[0]
		if v.Certificate.Sex != "F" || v.Certificate.TravelDocument != "TK0000000" || d.Number != 0 || d.Disease != "1D47" || d.CodeSystem != cert.ICD11 ||
			d.Lot != "L1" || d.Performer != "Specimen doctor" || v.Certificate.Issuer != "Specimen centre (JP)" {
			t.Errorf("%+v", v.Certificate)
		}
	}
}

func TestOtherContents(t *testing.T) {
	dsc := newDSC(t, testKey(t, 7))
	snap := believe(t, dsc)
	dcc := pairs(topItems("v", vItems)...)
	dvc := pairs("n", "Hanako Mihon", "dob", "1990-04-01", "v", pairs("vp", "XM0N24", "dt", "2026-08-23", "bo", "L1", "is", "x"))
	for name, c := range map[string]struct {
		content []byte
		want    cert.Outcome
	}{
		"DDCC": {dict(i(3), dict()), cert.Unsupported}, "a link": {dict(i(5), array(dict())), cert.Unsupported}, "nothing": {dict(), cert.Unsupported},
		"of a name": {dict(text("1"), dcc), cert.Unsupported}, "both": {dict(i(1), dcc, i(-6), dvc), cert.Malformed}, "DVC": {dict(i(-6), dvc), cert.Valid}, "DCC beside another": {dict(i(3), dict(), i(1), dcc), cert.Valid},
		"not a map": {array(), cert.Malformed},
	} {
		v := hcert.Verify(seal(t, dsc, dict(i(6), i(1), i(4), i(expires.Unix()), i(-260), c.content)), snap, at)
		if v.Outcome != c.want || (v.Outcome == cert.Unsupported) != (v.Certificate == nil && v.Outcome != cert.Malformed) {
			t.Errorf("%s: %s %v %s", name, v.Outcome, v.Certificate, v.Reason)
		}
	}
}
