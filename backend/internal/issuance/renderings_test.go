package issuance_test

import (
	"fmt"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/mrz"
)

// zone writes the lines of a passport, with right check digits.
func zone(name, number, birth, sex, expires string) []string {
	first := "P<JPN" + name
	first += strings.Repeat("<", 44-len(first))
	field := func(s string) string { return s + string(mrz.CheckDigit(s)) }
	n, b, e, o := field(number), field(birth), field(expires), field(strings.Repeat("<", 14))
	return []string{first, n + "JPN" + b + sex + e + o + string(mrz.CheckDigit(n+b+e+o))}
}

func hanako() []string { return zone("YAMADA<<HANAKO", "TZ1234567", "850401", "F", "300101") }

func TestOverseasInAllFormats(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := loaded(t, db)
		mother := b.Citizen(t, "990019", "R1")
		c, err := b.askWith(t, mother, "key-overseas-0000001", issuance.Asked{Person: mother.ID, Use: issuance.Overseas, MRZ: hanako()})
		if err != nil {
			t.Fatal(err)
		}
		if len(c.LeftOut) > 0 || len(c.Renderings) != 3 {
			t.Fatalf("%d renderings, left out %v", len(c.Renderings), c.LeftOut)
		}
		got := b.verify(t, c)
		for _, format := range []cert.Format{shc.Format, issuance.HCERT} {
			if v := got[format]; v.Outcome != cert.Valid {
				t.Errorf("%s: %s, %s", format, v.Outcome, v.Reason)
			}
		}
		border := c.Renderings[2]
		if border.Format != issuance.VDSNC || !border.Specimen || border.Doses != 2 || !strings.Contains(border.Text, "TZ1234567") {
			t.Errorf("the border's form: %v specimen %v, %d doses", border.Format, border.Specimen, border.Doses)
		}
		if v := got[issuance.VDSNC]; v.Outcome != cert.UntrustedIssuer && v.Outcome != cert.UnknownKey {
			t.Errorf("a specimen is %s", v.Outcome)
		}
		stored, err := b.List(t.Context(), mother, "certificate_display", func(string) bool { return false })
		if err != nil || fmt.Sprint(stored.Certificates[0].Renderings) != fmt.Sprint(c.Renderings) || stored.Certificates[0].Reference != c.Reference {
			t.Errorf("read otherwise than made: %v", err)
		}
		b.nowhere(t, "TZ1234567")
	})
}

// nowhere looks for a passport's number outside of the signed documents.
func (b *bench) nowhere(t *testing.T, number string) {
	t.Helper()
	for table, column := range map[string]string{
		"certificate": "claims || signed", "audit_entry": "object || items", "idempotency": "CAST(response AS TEXT)", "counter_reference": "object",
		"certificate_rendering": "CASE WHEN format = 'vdsnc' THEN '' ELSE qr_text END || token",
	} {
		if table == "idempotency" && b.DB.Engine() == store.Postgres {
			column = "encode(response, 'escape')"
		}
		if n := b.Count(t, `SELECT count(*) FROM `+table+` WHERE `+column+` LIKE $1`, "%"+number+"%"); n > 0 {
			t.Errorf("%s holds the passport's number", table)
		}
	}
}

func TestWithoutPassport(t *testing.T) {
	b := loaded(t, storetest.Open(t, store.SQLite))
	mother, child := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R2")
	c, err := b.ask(t, mother, "key-overseas-0000002", mother.ID, issuance.Overseas)
	if err != nil || len(c.Renderings) != 2 || fmt.Sprint(c.LeftOut) != "[{vdsnc no_passport}]" {
		t.Errorf("%v, left out %v, %v", len(c.Renderings), c.LeftOut, err)
	}
	domestic, err := b.ask(t, mother, "key-domestic-0000002", child.ID, issuance.Domestic)
	if err != nil || len(domestic.Renderings) != 1 || len(domestic.LeftOut) != 0 {
		t.Errorf("domestic: %d renderings, left out %v, %v", len(domestic.Renderings), domestic.LeftOut, err)
	}
}

// A product without international codes leaves the other formats out, and the card is issued.
func TestProductWithoutCode(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite))
	b.Import(t, map[string]string{"vaccinations.csv": head + "N1,R4,990019,999,何か,だれか,X1,1,2021-07-01,どこか,JPN\n"}, b.Importer())
	who := b.Citizen(t, "990019", "R4")
	c, err := b.askWith(t, who, "key-overseas-0000003", issuance.Asked{Person: who.ID, Use: issuance.Overseas,
		MRZ: zone("TAKAHASHI<<MAKOTO", "TZ7654321", "600607", "M", "300101")})
	if err != nil || fmt.Sprint(c.LeftOut) != "[{hcert no_code} {vdsnc no_code}]" || len(c.Renderings) != 1 {
		t.Errorf("%d renderings, left out %v, %v", len(c.Renderings), c.LeftOut, err)
	}
}

func TestPassportsThatAreRefused(t *testing.T) {
	b := loaded(t, storetest.Open(t, store.SQLite))
	mother := b.Citizen(t, "990019", "R1")
	spoil := func(line, at int) []string {
		lines := hanako()
		text := []byte(lines[line])
		text[at] = '0' + (text[at]-'0'+1)%10
		lines[line] = string(text)
		return lines
	}
	swapped := hanako()
	swapped[0], swapped[1] = swapped[1], swapped[0]
	for name, c := range map[string]struct {
		lines         []string
		place, reason string
		referred      bool
	}{
		"number":           {spoil(1, 9), "body.mrz.1", "number_check", false},
		"birth":            {spoil(1, 19), "body.mrz.1", "birth_date_check", false},
		"expiry":           {spoil(1, 27), "body.mrz.1", "expiry_check", false},
		"optional":         {append(hanako()[:1], hanako()[1][:42]+"3"+hanako()[1][43:]), "body.mrz.1", "optional_check", false},
		"composite":        {spoil(1, 43), "body.mrz.1", "composite_check", false},
		"one line":         {hanako()[:1], "body.mrz.0", "length", false},
		"expired":          {zone("YAMADA<<HANAKO", "TZ1234567", "850401", "F", "250101"), "body.mrz.1", "expired", true},
		"of another birth": {zone("YAMADA<<HANAKO", "TZ1234567", "850402", "F", "300101"), "body.mrz.1", "other_birth_date", true},
		"of another name":  {zone("SUZUKI<<HANAKO", "TZ1234567", "850401", "F", "300101"), "body.mrz.0", "other_name", true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.askWith(t, mother, "key-mrz-"+strings.ReplaceAll(name, " ", "-")+"-000000", issuance.Asked{Person: mother.ID, Use: issuance.Overseas, MRZ: c.lines})
			if fault.CodeOf(err) != fault.InvalidArgument || fault.PlaceOf(err) != c.place {
				t.Fatalf("%v at %s", err, fault.PlaceOf(err))
			}
			e, ok := err.(interface{ Explain() (a, b, c string) })
			if !ok {
				t.Fatalf("nothing is explained: %T", err)
			}
			reason, ref, correction := e.Explain()
			if reason != c.reason || (ref != "") != c.referred || (correction == "name") != c.referred {
				t.Errorf("reason %s, reference %q, correction %q", reason, ref, correction)
			}
			if strings.Contains(err.Error(), "TZ1234567") {
				t.Error("the number stands in the fault")
			}
		})
	}
	if _, err := b.askWith(t, mother, "key-mrz-domestic-000", issuance.Asked{Person: mother.ID, Use: issuance.Domestic, MRZ: hanako()}); fault.PlaceOf(err) != "body.mrz" {
		t.Errorf("a passport at home: %v", err)
	}
	if n := b.Count(t, `SELECT count(*) FROM counter_reference WHERE kind = 'refusal'`); n != 3 {
		t.Errorf("%d refusals have a reference", n)
	}
}

// One vaccination that two municipalities recorded is one dose.
func TestTheSameDoseOfTwoMunicipalities(t *testing.T) {
	b := loaded(t, storetest.Open(t, store.SQLite))
	moved := b.Citizen(t, "990027", "T1")
	b.Import(t, map[string]string{"vaccinations.csv": head + "V8,T1,990027,207,スパイクバックス筋注,モデルナ,MX0001,1,2021-08-01,やまのべ町保健センター,JPN\n"}, b.Importer())
	c, err := b.ask(t, moved, "key-moved-0000000001", moved.ID, issuance.Domestic)
	if err != nil || len(c.Claims.Doses) != 2 {
		t.Errorf("%d doses, %v", len(c.Claims.Doses), err)
	}
}
