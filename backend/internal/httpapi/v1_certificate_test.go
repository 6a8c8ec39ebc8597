package httpapi

import (
	"fmt"
	"strings"
	"testing"

	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/shared/mrz"
)

// passportOf writes the lines of a passport, with right check digits.
func passportOf(name, birth string) (string, string) {
	field := func(s string) string { return s + string(mrz.CheckDigit(s)) }
	first := "P<JPN" + name
	n, b, e, o := field("TZ1234567"), field(birth), field("300101"), field(strings.Repeat("<", 14))
	return first + strings.Repeat("<", 44-len(first)), n + "JPN" + b + "F" + e + o + string(mrz.CheckDigit(n+b+e+o))
}

func issueBody(person, use string, lines ...string) string {
	mrz := ""
	if len(lines) > 0 {
		mrz = fmt.Sprintf(`,"mrz":["%s"]`, strings.Join(lines, `","`))
	}
	return fmt.Sprintf(`{"person":%q,"use":%q%s}`, person, use, mrz)
}

func TestCertificateInItsForms(t *testing.T) {
	h := openHall(t)
	mother := h.Citizen(t, "990019", "R1")
	names, dates := passportOf("YAMADA<<HANAKO", "850401")
	post := func(key, body string) reply {
		t.Helper()
		return h.ask(t, mother, "POST", "/v1/certificates", body, "Idempotency-Key", key)
	}
	c := read[apiv1.Certificate](t, post("key-forms-0000000001", issueBody(string(mother.ID), "overseas", names, dates)), 201)
	where := ""
	for _, r := range c.Renderings {
		where += fmt.Sprintf("%s %s %v;", r.Format, r.Where, r.Specimen)
		if r.Title == "" || len(r.QRPNG) == 0 || r.QRText == "" || r.Doses == 0 {
			t.Errorf("%s lacks a title, a picture or doses", r.Format)
		}
	}
	if where != "shc overseas_clinic false;hcert eu_who false;vdsnc border true;" || len(c.LeftOut) != 0 || c.LeftOut == nil {
		t.Errorf("%s left out %v", where, c.LeftOut)
	}
	if !strings.HasPrefix(c.Reference, "C-") || c.RevokedAt != nil || c.QRText != c.Renderings[0].QRText {
		t.Errorf("reference %q", c.Reference)
	}
	if strings.Contains(h.log.String(), "TZ1234567") {
		t.Error("the log holds the passport's number")
	}

	_, other := passportOf("YAMADA<<HANAKO", "850402")
	p := read[apiv1.Problem](t, post("key-forms-0000000002", issueBody(string(mother.ID), "overseas", names, other)), 422)
	if fmt.Sprint(p.Places) != "[body.mrz.1]" || p.Reason != "other_birth_date" || p.Correction != "name" || !strings.HasPrefix(p.Reference, "R-") || p.Counter == nil {
		t.Errorf("%+v", p)
	}
	wrong := dates[:9] + string('0'+(dates[9]-'0'+1)%10) + dates[10:]
	p = read[apiv1.Problem](t, post("key-forms-0000000003", issueBody(string(mother.ID), "overseas", names, wrong)), 422)
	if fmt.Sprint(p.Places) != "[body.mrz.1]" || p.Reason != "number_check" || p.Reference != "" {
		t.Errorf("%+v", p)
	}
	single := h.Citizen(t, "990019", "R4")
	p = read[apiv1.Problem](t, h.ask(t, single, "POST", "/v1/certificates", issueBody(string(single.ID), "domestic"), "Idempotency-Key", "key-forms-0000000004"), 404)
	if p.Code != "no_record" || p.Correction != "missing" || p.Reference == "" || p.Counter == nil {
		t.Errorf("%+v", p)
	}
}

func TestCorrectionsOverHTTP(t *testing.T) {
	h := openHall(t)
	single := h.Citizen(t, "990019", "R4")
	ask := func(key, words string) reply {
		t.Helper()
		return h.ask(t, single, "POST", "/v1/corrections", fmt.Sprintf(`{"person":%q,"kind":"missing","words":%q}`, single.ID, words), "Idempotency-Key", key)
	}
	got := read[apiv1.Correction](t, ask("key-correct-00000001", "7月に受けた記録がありません"), 201)
	if !strings.HasPrefix(got.Reference, "K-") || got.State != "open" || got.Counter.Phone == "" {
		t.Errorf("%+v", got)
	}
	p := read[apiv1.Problem](t, ask("key-correct-00000002", "わたしは 123456789018"), 422)
	if p.Code != "my_number_refused" || fmt.Sprint(p.Places) != "[body.words]" {
		t.Errorf("%+v", p)
	}
	list := h.ask(t, single, "GET", "/v1/corrections", "")
	all := read[struct{ Corrections []apiv1.Correction }](t, list, 200)
	if len(all.Corrections) != 1 || all.Corrections[0].Reference != got.Reference {
		t.Errorf("%+v", all)
	}
	if again := h.ask(t, single, "GET", "/v1/corrections", "", "If-None-Match", list.header.Get("ETag")); again.status != 304 {
		t.Errorf("the same list again: %d", again.status)
	}
}
