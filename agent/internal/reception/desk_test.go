package reception_test

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/reception"
	"madoguchi.example/agent/internal/rehearsal"
	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/eligibility"
)

// says fails where a part of the page lacks the words.
func says(t *testing.T, body string, all ...string) {
	t.Helper()
	for _, words := range all {
		if !strings.Contains(body, words) {
			t.Errorf("%q is not said", words)
		}
	}
}

// A doubt that stood under the field while the number was typed holds nobody up; another
// one does.
func TestADoubtThatWasSeenIsNotAskedTwice(t *testing.T) {
	form := url.Values{"insurer_number": {"33120016"}, "number": {"1"}}
	s := open(t)
	status, kind := s.post(t, "/checks/kind", form)
	if status != http.StatusOK {
		t.Fatal(status)
	}
	says(t, kind, "検証番号が合いません", `name="seen" value="check_digit"`)
	s.desk.doubts = []check.Doubt{{Field: check.FieldInsurer, Code: "check_digit"}}
	form.Set("seen", "check_digit")
	if status, _ := s.post(t, "/checks", form); status != http.StatusCreated {
		t.Errorf("a doubt that was seen: %d", status)
	}
	s.desk.doubts = append(s.desk.doubts, check.Doubt{Field: check.FieldSymbol, Code: "symbol"})
	if status, body := s.post(t, "/checks", form); status != http.StatusOK || !strings.Contains(body, `name="override" value="1"`) {
		t.Errorf("another doubt: %d", status)
	}
}

// While numbers are typed the desk tells the scheme, the birth date in both calendars, and
// the share with its rule. It says nothing of a My Number.
func TestWhatIsSaidWhileTyping(t *testing.T) {
	s := open(t)
	for typed, want := range map[string]string{"33120015": "", "０１１３００１２": "協会けんぽ", "39131008": "後期高齢者医療", "331207": "国民健康保険"} {
		if _, body := s.post(t, "/checks/kind", url.Values{"insurer_number": {typed}}); !strings.Contains(body, want) {
			t.Errorf("%s: %s", typed, body)
		}
	}
	for _, typed := range []string{"", "331", "123456789018", "abc"} {
		if _, body := s.post(t, "/checks/kind", url.Values{"insurer_number": {typed}}); strings.TrimSpace(body) != "" {
			t.Errorf("%q: %s", typed, body)
		}
	}
	form := url.Values{"birth_date": {"R5.4.1"}, "visit_day": {"2026-11-21"}, "evidence": {"self_declaration"}}
	_, body := s.post(t, "/checks/share", form)
	says(t, body, "2023-04-01", "令和5年", "2割")
	form.Set("birth_date", "1980-13-40")
	if _, body := s.post(t, "/checks/share", form); strings.TrimSpace(body) != "" {
		t.Errorf("an impossible date: %s", body)
	}
}

// After a correction the form is an empty one: nothing of the old record hangs on it.
func TestACorrectionLeavesNothingOnTheForm(t *testing.T) {
	r := room(t)
	s := open(t, func(s *stage) {
		s.also = func(c *reception.Config) { c.Desk, c.Verifier, c.Line = r.Desk(), r.Reader(), r.Line }
	})
	p := rehearsal.Sheets()[0]
	form := url.Values{
		"insurer_number": {p.Insurer}, "symbol": {p.Symbol}, "number": {p.Number}, "branch": {p.Branch}, "birth_date": {p.Born.String()},
		"label": {p.Kana}, "evidence": {"certificate"}, "override": {"1"},
	}
	if status, body := s.post(t, "/checks", form); status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	rows, _, err := r.Desk().Today(t.Context())
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	old := rows[0].RecordID
	if _, body := s.get(t, "/cases/"+old+"/amend"); !strings.Contains(body, `name="amends" value="`+old+`"`) || !strings.Contains(body, `value="`+p.Number+`"`) {
		t.Error("the form does not hold the record that it amends")
	}
	form.Set("amends", old)
	if status, body := s.post(t, "/checks", form); status < 400 || !strings.Contains(body, "入力してください") {
		t.Errorf("without a reason: %d", status)
	}
	form.Set("reason", "typo")
	status, body := s.post(t, "/checks", form)
	if status != http.StatusCreated || !strings.Contains(body, `name="amends" value=""`) || strings.Contains(body, `id="reason"`) {
		t.Errorf("%d: the form still amends", status)
	}
	_, body = s.get(t, "/?case="+old)
	says(t, body, "取り消し済み", "直した後の記録を見る", "入力の間違い")
	if strings.Contains(body, `id="amend"`) {
		t.Error("a record that was taken back may be amended again")
	}
}

// What cannot be sent to the clinic's own terminal is shown to the person, with the field.
func TestACharacterThatCannotBeSentIsNamed(t *testing.T) {
	for _, lang := range []string{"ja", "ja-easy", "en"} {
		s := open(t)
		s.desk.cases = []check.View{kase("refused", check.DisplayRefused, func(c *casebook.Case) {
			c.State, c.Refusal, c.RefusedField, c.Unsendable = eligibility.Refused, "unsendable", "symbol", "𠮷"
			c.Task = &casebook.Task{Kind: casebook.TaskRefused, RaisedAt: noon}
		})}
		_, body := s.get(t, "/?case=refused&lang="+lang)
		says(t, body, "𠮷", "F7")
		if missing.MatchString(body) {
			t.Errorf("%s: %s", lang, missing.FindString(body))
		}
	}
}

// Every fault of a card and everything that may lie there has words in every language.
func TestEveryWordOfACardIsSaid(t *testing.T) {
	for _, lang := range []string{"ja", "ja-easy", "en"} {
		words := reception.Catalogue(lang)
		for _, w := range card.Words() {
			if words["card.e_"+string(w)] == "" {
				t.Errorf("%s: no words for %s", lang, w)
			}
		}
		for _, k := range []counter.Kind{counter.None, counter.MyNumber, counter.MyNumberPhone, counter.MyNumberNoPIN, counter.Other, counter.Mute} {
			if words["card.k_"+string(k)] == "" || words["bar.card_"+string(k)] == "" {
				t.Errorf("%s: no words for the card %s", lang, k)
			}
		}
		for _, e := range eligibility.Evidences() {
			if words["ev."+string(e)] == "" {
				t.Errorf("%s: no words for %s", lang, e)
			}
		}
		for _, r := range eligibility.AmendReasons() {
			if words["reason."+string(r)] == "" {
				t.Errorf("%s: no words for %s", lang, r)
			}
		}
	}
}

// The bar says what keeps the terminal from its work, and the help how it is mended.
func TestTheDoctorsFindingsAreSaid(t *testing.T) {
	findings := []doctor.Finding{{Part: doctor.Trust}, {Part: doctor.PCSCD, Fault: "no_pcscd"}}
	s := open(t, func(s *stage) {
		s.also = func(c *reception.Config) {
			c.Findings = func(context.Context) []doctor.Finding { return findings }
		}
	})
	for _, lang := range []string{"ja", "ja-easy", "en"} {
		_, bar := s.get(t, "/parts/bar?lang="+lang)
		_, help := s.get(t, "/?tab=help&lang="+lang)
		if !strings.Contains(bar, "trouble") || strings.Count(help, `class="wrong"`) != 1 || strings.Count(help, `class="well"`) != 1 {
			t.Errorf("%s: what is wrong is not said", lang)
		}
		if strings.Contains(help, "|") || missing.MatchString(help) {
			t.Errorf("%s: words are missing", lang)
		}
	}
}

// scans is a scripted scanner.
type scans struct {
	next  []scanner.Scan
	count uint64
}

func (s *scans) Take() (scanner.Scan, bool) {
	if len(s.next) == 0 {
		return scanner.Scan{}, false
	}
	first := s.next[0]
	s.next = s.next[1:]
	return first, true
}

func (s *scans) Count() uint64 { return s.count }

// What a scanner delivers is verified and goes nowhere else; what cannot be read is named.
func TestScansOfADevice(t *testing.T) {
	big := bytes.Repeat([]byte("A"), 4<<10)
	for name, c := range map[string]struct {
		scan scanner.Scan
		want string
		got  []byte
	}{
		"a large code":  {scanner.Scan{Bytes: big}, "証明書として読めません", big},
		"a binary code": {scanner.Scan{Bytes: []byte{0, 0xff, 0x9c, 1}, Faults: []string{scanner.FaultBinary}}, "証明書として読めません", []byte{0, 0xff, 0x9c, 1}},
		"a layout":      {scanner.Scan{Faults: []string{scanner.FaultLayout}}, `data-scan-fault="layout_unrepairable"`, nil},
		"too long":      {scanner.Scan{Faults: []string{scanner.FaultTooLong}}, `data-scan-fault="too_long"`, nil},
		"hostile text":  {scanner.Scan{Bytes: []byte(`"><script>alert(1)</script>`)}, "証明書として読めません", []byte(`"><script>alert(1)</script>`)},
	} {
		s := open(t, func(s *stage) {
			s.also = func(k *reception.Config) { k.Scans = &scans{next: []scanner.Scan{c.scan}} }
		})
		s.reader.verdict = cert.Verdict{Outcome: cert.Malformed, Findings: []cert.Finding{}}
		_, body := s.post(t, "/scanned", nil)
		if !strings.Contains(body, c.want) || !bytes.Equal(s.reader.got, c.got) || strings.Contains(body, "<script>alert") {
			t.Errorf("%s: %q is not said, or %d bytes were verified", name, c.want, len(s.reader.got))
		}
		if len(s.desk.entries) != 0 {
			t.Errorf("%s: recorded", name)
		}
		if status, _ := s.post(t, "/scanned", nil); status != http.StatusNoContent {
			t.Errorf("%s: it is handed out twice: %d", name, status)
		}
	}
}

// Counters and shelters have no page, part or act about insurance.
func TestCountersAndShelters(t *testing.T) {
	for _, class := range []profile.Class{profile.Counter, profile.Shelter} {
		s := open(t, func(s *stage) { s.class = class })
		for _, path := range []string{"/checks", "/checks/kind", "/checks/share", "/park", "/undo", "/past", "/cases/valid/close", "/cases/valid/void", "/bookings"} {
			if status, _ := s.post(t, path, typed); status != http.StatusForbidden {
				t.Errorf("%s: POST %s: %d", class, path, status)
			}
		}
		for _, path := range []string{"/cases/valid", "/cases/valid/copy", "/cases/valid/slip", "/print/day"} {
			if status, _ := s.get(t, path); status != http.StatusForbidden {
				t.Errorf("%s: GET %s: %d", class, path, status)
			}
		}
		for _, path := range []string{"/", "/?tab=numbers", "/?tab=month", "/?tab=card", "/?tab=help", "/?case=valid", "/act/declare"} {
			_, body := s.get(t, path)
			for _, word := range []string{"保険者", "記号", "枝番", "負担割合", "7654321", "insurer_number", "申立書"} {
				if strings.Contains(body, word) {
					t.Errorf("%s: %s says %q", class, path, word)
				}
			}
		}
	}
}
