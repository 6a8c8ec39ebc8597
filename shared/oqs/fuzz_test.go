package oqs_test

import (
	"reflect"
	"strings"
	"testing"

	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/oqs"
)

func seeds(f *testing.F) {
	f.Helper()
	f.Add(doc(head, body("1", results(full))))
	f.Add(doc(head, body("5", "")))
	f.Add(doc(strings.Replace(head, "<SegmentOfResult>1<", "<SegmentOfResult>9<", 1)))
	f.Add([]byte("\xef\xbb\xbf<XmlMsg/>"))
	f.Add([]byte("<?xml version='1.0' encoding='Shift_JIS'?><XmlMsg><MessageBody><ResultList/><QualificationValidity>1</QualificationValidity></MessageBody></XmlMsg>"))
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY a "b">]><XmlMsg>&a;</XmlMsg>`))
}

// checkResult holds what every reading promises.
func checkResult(t *testing.T, b []byte, r oqs.Result, err error, parse func([]byte) (oqs.Result, error)) {
	t.Helper()
	if err != nil {
		if oqs.WordOf(err) == "" {
			t.Fatalf("a refusal without a word: %v", err)
		}
		return
	}
	if again, _ := parse(b); !reflect.DeepEqual(r, again) {
		t.Fatal("the same bytes are read in two ways")
	}
	if len(r.Remarks) > oqs.MaxRemarks || r.Segment != oqs.Done && len(r.Items) > 0 {
		t.Fatalf("%d remarks, %d items at %s", len(r.Remarks), len(r.Items), r.Segment)
	}
	for _, i := range r.Items {
		a := i.Answer(record, visit)
		if _, err := a.Encode(); err != nil {
			t.Fatalf("an answer that is none: %v", err)
		}
		if a.Validity == eligibility.Invalid && i.ValidityCode != "2" {
			t.Fatal("invalid without the word")
		}
	}
	if a, ok := r.Answer(record, visit); ok == (r.Segment == oqs.InProgress) || ok && a.Validate() != nil {
		t.Fatalf("at %s: %v %v", r.Segment, ok, a.Validate())
	}
}

func FuzzParseResult(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := oqs.ParseResult(b)
		checkResult(t, b, r, err, oqs.ParseResult)
	})
}

func FuzzParseBulkResult(f *testing.F) {
	seeds(f)
	f.Add(doc(head, "<MessageBody><BulkConfirmUnit><ProcessingResultStatus>1</ProcessingResultStatus></BulkConfirmUnit></MessageBody>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := oqs.ParseBulkResult(b)
		checkResult(t, b, r, err, oqs.ParseBulkResult)
	})
}

func FuzzParseReception(f *testing.F) {
	seeds(f)
	f.Add(doc(head, "<MessageBody><ReceptionNumber>7</ReceptionNumber></MessageBody>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := oqs.ParseReception(b)
		if err != nil && oqs.WordOf(err) == "" {
			t.Fatalf("a refusal without a word: %v", err)
		}
		if err == nil && r.ReceptionNumber != "" {
			if _, err := (oqs.BulkCollect{Institution: institution, Identifier: "b", Reception: r.ReceptionNumber}).Encode(oqs.UTF8); err != nil {
				t.Fatalf("a number that cannot be asked with: %v", err)
			}
		}
	})
}

func FuzzParseFileName(f *testing.F) {
	f.Add("OQSsiquc01res_202302210001.xml")
	f.Add("OQSsiquc01res_face_1311111111Arn_20230221174835.xml")
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := oqs.ParseFileName(s)
		if !ok || n.Zip {
			return
		}
		kind := n.Kind
		if kind == oqs.FaceResult {
			kind = oqs.SingleResult
		}
		if again, ok := oqs.ParseFileName(oqs.FileName(kind, n.Suffix)); !ok || again != n {
			t.Fatalf("%q is not read again", s)
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add("建国－12", "89", "01")
	f.Add("<&>", "0", "")
	f.Fuzz(func(t *testing.T, symbol, number, branch string) {
		q := inquiry()
		q.Symbol, q.Number, q.Branch = symbol, number, branch
		if q.Validate() != nil {
			return
		}
		for _, enc := range []oqs.Encoding{oqs.UTF8, oqs.ShiftJIS} {
			b, err := oqs.RequestOf(institution, q, false).Encode(enc)
			if err != nil {
				continue
			}
			// The reader takes our own writing: the same element names carry the echo.
			r, err := oqs.ParseResult(b)
			if err != nil || r.Identifier != record || r.Encoding != enc {
				t.Fatalf("%s: %v", enc, err)
			}
		}
	})
}

func BenchmarkParseResult(b *testing.B) {
	one := doc(head, body("1", results(full)))
	b.SetBytes(int64(len(one)))
	for b.Loop() {
		if _, err := oqs.ParseResult(one); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseBulkResult(b *testing.B) {
	unit := "<BulkConfirmUnit><ProcessingResultStatus>1</ProcessingResultStatus><QualificationValidity>1</QualificationValidity><ResultOfQualificationConfirmation>" +
		full + "</ResultOfQualificationConfirmation></BulkConfirmUnit>"
	all := doc(head, "<MessageBody>", strings.Repeat(unit, 200), "</MessageBody>")
	b.SetBytes(int64(len(all)))
	for b.Loop() {
		if _, err := oqs.ParseBulkResult(all); err != nil {
			b.Fatal(err)
		}
	}
}
