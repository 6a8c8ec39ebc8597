package eligibility_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
)

const record = "0190a000-0000-7000-8000-000000000001"

func day(y, m, d int) civil.Date { return civil.Date{Year: y, Month: time.Month(m), Day: d} }

func inquiry() eligibility.Inquiry {
	return eligibility.Inquiry{
		RecordID: record, InsurerNumber: "01130012", Symbol: "建国-12", Number: "1234567", Branch: "01",
		BirthDate: day(1980, 4, 1), VisitDay: day(2026, 11, 21),
	}
}

func answer() eligibility.Answer {
	return eligibility.Answer{
		RecordID: record, VisitDay: day(2026, 11, 21), Validity: eligibility.Valid, InsurerNumber: "01130012",
		InsurerName: "架空健康保険組合", Symbol: "建国１２", Number: "1234567", Branch: "01", CopaymentPercent: 30,
		ValidFrom: day(2025, 4, 1), HolderKanji: "試験 花子", HolderKana: "シケン ハナコ",
	}
}

func TestInquiryRoundTrip(t *testing.T) {
	b, err := inquiry().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := eligibility.ParseInquiry(b)
	if err != nil || got != inquiry() {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestInquiryRefusals(t *testing.T) {
	for place, change := range map[string]func(*eligibility.Inquiry){
		"record_id":      func(q *eligibility.Inquiry) { q.RecordID = "1" },
		"insurer_number": func(q *eligibility.Inquiry) { q.InsurerNumber = "０1130012" },
		"number":         func(q *eligibility.Inquiry) { q.Number = "" },
		"symbol":         func(q *eligibility.Inquiry) { q.Symbol = strings.Repeat("あ", 21) },
		"branch":         func(q *eligibility.Inquiry) { q.Branch = "1" },
		"birth_date":     func(q *eligibility.Inquiry) { q.BirthDate = civil.Date{} },
		"visit_day":      func(q *eligibility.Inquiry) { q.VisitDay = day(1980, 3, 31) },
	} {
		q := inquiry()
		change(&q)
		if err := q.Validate(); fault.PlaceOf(err) != place {
			t.Errorf("%s: got %v", place, err)
		}
		if _, err := q.Encode(); err == nil {
			t.Errorf("%s: written all the same", place)
		}
	}
}

func TestParseInquiryIsStrict(t *testing.T) {
	b, err := inquiry().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]string{
		"unknown member": strings.Replace(string(b), `{`, `{"extra":1,`, 1),
		"doubled member": strings.Replace(string(b), `{`, `{"number":"7",`, 1),
		"other spelling": strings.Replace(string(b), `"number"`, `"Number"`, 1),
		"trailing":       string(b) + "{}",
		"truncated":      string(b[:len(b)-5]),
		"wrong type":     strings.Replace(string(b), `"1234567"`, `1234567`, 1),
		"bad date":       strings.Replace(string(b), `1980-04-01`, `1980-4-1`, 1),
		"too large":      `{"symbol":"` + strings.Repeat("a", eligibility.MaxInquiryBytes) + `"}`,
		"empty":          "",
	} {
		_, err := eligibility.ParseInquiry([]byte(in))
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if strings.Contains(err.Error(), "1234567") {
			t.Errorf("%s: the error repeats a value: %v", name, err)
		}
	}
}

func TestAnswerToleratesTheFuture(t *testing.T) {
	b, err := answer().Encode()
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte(`{`), []byte(`{"tomorrow":{"class":"ウ"},`), 1)
	got, err := eligibility.ParseAnswer(b)
	if err != nil || !reflect.DeepEqual(got, answer()) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestAnswerNeedsAWord(t *testing.T) {
	for place, change := range map[string]func(*eligibility.Answer){
		"validity":          func(a *eligibility.Answer) { a.Validity = "" },
		"record_id":         func(a *eligibility.Answer) { a.RecordID = "" },
		"visit_day":         func(a *eligibility.Answer) { a.VisitDay = civil.Date{} },
		"copayment_percent": func(a *eligibility.Answer) { a.CopaymentPercent = -1 },
		"valid_to":          func(a *eligibility.Answer) { a.ValidTo = day(2025, 3, 31) },
		"insurer_name":      func(a *eligibility.Answer) { a.InsurerName = "a\nb" },
	} {
		a := answer()
		change(&a)
		if err := a.Validate(); fault.PlaceOf(err) != place {
			t.Errorf("%s: got %v", place, err)
		}
	}
	if _, err := eligibility.ParseAnswer([]byte(`{"record_id":"` + record + `","visit_day":"2026-11-21"}`)); err == nil {
		t.Error("an answer without a word is accepted")
	}
}

func TestCompare(t *testing.T) {
	assumed := eligibility.Assumption{
		Validity: eligibility.Valid, InsurerNumber: "01130012", Symbol: "建国-12", Number: "1234567", Branch: "01", CopaymentPercent: 30,
	}
	for _, c := range []struct {
		name   string
		change func(*eligibility.Assumption, *eligibility.Answer)
		want   []eligibility.Field
	}{
		{"equal but for width and hyphens", func(*eligibility.Assumption, *eligibility.Answer) {}, nil},
		{"nothing assumed", func(s *eligibility.Assumption, _ *eligibility.Answer) { *s = eligibility.Assumption{} }, nil},
		{"not told", func(_ *eligibility.Assumption, a *eligibility.Answer) {
			a.Branch, a.Symbol, a.CopaymentPercent = "", "", 0
		}, nil},
		{"copayment", func(_ *eligibility.Assumption, a *eligibility.Answer) { a.CopaymentPercent = 10 }, []eligibility.Field{eligibility.FieldCopayment}},
		{"moved to another insurer", func(_ *eligibility.Assumption, a *eligibility.Answer) { a.InsurerNumber, a.Number = "012344", "9" },
			[]eligibility.Field{eligibility.FieldInsurerNumber, eligibility.FieldNumber}},
		{"invalid: only that", func(_ *eligibility.Assumption, a *eligibility.Answer) {
			a.Validity, a.Number, a.CopaymentPercent = eligibility.Invalid, "9", 10
		}, []eligibility.Field{eligibility.FieldValidity}},
		{"none found", func(_ *eligibility.Assumption, a *eligibility.Answer) { a.Validity = eligibility.NoneFound }, []eligibility.Field{eligibility.FieldValidity}},
		{"not yet on the visit day", func(_ *eligibility.Assumption, a *eligibility.Answer) { a.ValidFrom = day(2026, 11, 22) }, []eligibility.Field{eligibility.FieldVisitDay}},
		{"ended on the visit day", func(_ *eligibility.Assumption, a *eligibility.Answer) { a.ValidTo = day(2026, 11, 21) }, nil},
		{"ended before", func(_ *eligibility.Assumption, a *eligibility.Answer) { a.ValidTo = day(2026, 11, 20) }, []eligibility.Field{eligibility.FieldVisitDay}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, a := assumed, answer()
			c.change(&s, &a)
			var got []eligibility.Field
			for _, d := range eligibility.Compare(s, a) {
				got = append(got, d.Field)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestLogsHoldHandlesOnly(t *testing.T) {
	var out bytes.Buffer
	a := answer()
	a.Validity = eligibility.Invalid
	diff := eligibility.Compare(eligibility.Assumption{Validity: eligibility.Valid, Number: "1234567"}, a)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "q", inquiry(), "a", a, "s", eligibility.Assumption{Number: "1234567"}, "d", diff[0])
	if s := out.String(); strings.Contains(s, "1234567") || strings.Contains(s, "試験") || !strings.Contains(s, record) {
		t.Error(s)
	}
}

func FuzzParseInquiry(f *testing.F) {
	b, err := inquiry().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, in []byte) {
		q, err := eligibility.ParseInquiry(in)
		if err != nil {
			return
		}
		b, err := q.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := eligibility.ParseInquiry(b); err != nil || again != q {
			t.Fatalf("read back otherwise: %v", err)
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	b, err := answer().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(fmt.Sprintf(`{"record_id":%q,"visit_day":"2026-11-21","validity":"none_found"}`, record)))
	f.Fuzz(func(t *testing.T, in []byte) {
		a, err := eligibility.ParseAnswer(in)
		if err != nil {
			return
		}
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := eligibility.ParseAnswer(b); err != nil || !reflect.DeepEqual(again, a) {
			t.Fatalf("read back otherwise: %v", err)
		}
		eligibility.Compare(eligibility.Assumption{Validity: eligibility.Valid, Number: "1"}, a)
	})
}
