package oqs_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/japanese"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/oqs"
)

const institution = insurance.InstitutionCode("1311234568")

func inquiry() eligibility.Inquiry {
	return eligibility.Inquiry{
		RecordID: record, InsurerNumber: "012344", Symbol: "建国－12", Number: "89", Branch: "01",
		BirthDate: civil.Date{Year: 1980, Month: time.April, Day: 1}, VisitDay: visit,
	}
}

func encode(t *testing.T, r interface {
	Encode(oqs.Encoding) ([]byte, error)
}, enc oqs.Encoding) []byte {
	t.Helper()
	b, err := r.Encode(enc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRequest(t *testing.T) {
	b := encode(t, oqs.RequestOf(institution, inquiry(), true), oqs.UTF8)
	for _, want := range []string{
		`<?xml version="1.0" encoding="UTF-8" standalone="no"?>`,
		"<QualificationConfirmationDate>20261120</QualificationConfirmationDate>",
		"<ArbitraryFileIdentifier>" + record + "</ArbitraryFileIdentifier>",
		"<InsurerNumber>  012344</InsurerNumber>", // padded with blanks, as that terminal pads
		"<InsuredCardSymbol>建国－12</InsuredCardSymbol>",
		"<Birthdate>19800401</Birthdate>",
		"<LimitApplicationCertificateRelatedConsFlg>1<",
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is missing in\n%s", want, b)
		}
	}
	if strings.Contains(string(b), "<ArbitraryIdentifier>") {
		t.Error("a single request names its person twice")
	}
	none := encode(t, oqs.RequestOf(institution, inquiry(), false), oqs.UTF8)
	if !strings.Contains(string(none), "<LimitApplicationCertificateRelatedConsFlg>0<") {
		t.Error("no consent is told as one")
	}
}

func TestRequestInShiftJIS(t *testing.T) {
	q := inquiry()
	q.Symbol = "髙−〜１"
	b := encode(t, oqs.RequestOf(institution, q, false), oqs.ShiftJIS)
	text, err := japanese.ShiftJIS.NewDecoder().Bytes(b)
	if err != nil || !strings.Contains(string(text), `encoding="Shift_JIS"`) || !strings.Contains(string(text), "<InsuredCardSymbol>髙－～１<") {
		t.Errorf("got %s %v", text, err)
	}
	q.Symbol = "𠮷葛\U000E0100𠮷"
	_, err = oqs.RequestOf(institution, q, false).Encode(oqs.ShiftJIS)
	u, ok := errors.AsType[*oqs.UnsendableError](err)
	if !ok || u.Place != "symbol" || string(u.Runes) != "𠮷\U000E0100" {
		t.Fatalf("got %v", err)
	}
	if strings.ContainsAny(fmt.Sprintf("%v %+v %s", err, err, u.LogValue()), "𠮷") || fault.PlaceOf(err) != "symbol" || oqs.WordOf(err) != oqs.RefusedCharacter {
		t.Errorf("the error tells %v", err)
	}
	if _, err := oqs.RequestOf(institution, q, false).Encode(oqs.UTF8); err != nil {
		t.Errorf("UTF-8 carries it: %v", err)
	}
}

func TestRequestsThatCannotBeWritten(t *testing.T) {
	good := oqs.RequestOf(institution, inquiry(), false)
	for place, spoil := range map[string]func(*oqs.Request){
		"visit_day":        func(r *oqs.Request) { r.Day = civil.Date{} },
		"institution_code": func(r *oqs.Request) { r.Institution = "13112" },
		"identifier":       func(r *oqs.Request) { r.Identifier = strings.Repeat("x", oqs.MaxIdentifier+1) },
		"insurer_number":   func(r *oqs.Request) { r.Search.Insurer = "1234567" },
		"number":           func(r *oqs.Request) { r.Search.Number = "" },
		"symbol":           func(r *oqs.Request) { r.Search.Symbol = "a\x01b" },
		"branch":           func(r *oqs.Request) { r.Search.Branch = "5" },
		"birth_date":       func(r *oqs.Request) { r.Search.BirthDate = civil.Date{} },
	} {
		r := good
		spoil(&r)
		if b, err := r.Encode(oqs.UTF8); fault.PlaceOf(err) != place || b != nil {
			t.Errorf("%s: got %v", place, err)
		}
	}
	if _, err := good.Encode("euc"); err == nil {
		t.Error("another character set is taken")
	}
	many := oqs.BulkRequest{Day: visit, Institution: institution, Identifier: "b", Searches: make([]oqs.Search, oqs.MaxSearches+1)}
	if _, err := many.Encode(oqs.UTF8); oqs.WordOf(err) != oqs.RefusedTooLarge {
		t.Errorf("got %v", err)
	}
	if _, err := (oqs.BulkCollect{Institution: institution, Identifier: "b"}).Encode(oqs.UTF8); fault.PlaceOf(err) != "reception" {
		t.Errorf("got %v", err)
	}
}

func TestNothingInARequestIsMarkup(t *testing.T) {
	q := inquiry()
	q.Symbol = "<&>\"'"
	b := encode(t, oqs.RequestOf(institution, q, false), oqs.UTF8)
	if bytes.Contains(b, []byte("<&>")) || len(tree(t, b)) != len(tree(t, encode(t, oqs.RequestOf(institution, inquiry(), false), oqs.UTF8))) {
		t.Errorf("%s", b)
	}
}

func TestBulkRequests(t *testing.T) {
	r := oqs.BulkRequest{Day: visit, Institution: institution, Identifier: "batch-1"}
	for range oqs.MaxSearches {
		r.Searches = append(r.Searches, oqs.SearchOf(inquiry(), true))
	}
	b := encode(t, r, oqs.ShiftJIS)
	if n := bytes.Count(b, []byte("<ArbitraryIdentifier>"+record+"<")); n != oqs.MaxSearches {
		t.Errorf("%d people are named", n)
	}
	c := encode(t, oqs.BulkCollect{Institution: institution, Identifier: "batch-1", Reception: "R-77"}, oqs.UTF8)
	want := []string{
		"XmlMsg", "XmlMsg/MessageHeader", "XmlMsg/MessageHeader/MedicalInstitutionCode", "XmlMsg/MessageHeader/MedicalInstitutionCode=1311234568",
		"XmlMsg/MessageHeader/ArbitraryFileIdentifier", "XmlMsg/MessageHeader/ArbitraryFileIdentifier=batch-1",
		"XmlMsg/MessageBody", "XmlMsg/MessageBody/ReceptionNumber", "XmlMsg/MessageBody/ReceptionNumber=R-77",
	}
	if got := tree(t, c); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %v", got)
	}
}

func TestFileNames(t *testing.T) {
	at := time.Date(2023, 2, 21, 17, 48, 35, 0, civil.Japan)
	for name, want := range map[string]oqs.Name{
		"OQSsiquc01req_202302210001.xml":                            {Kind: oqs.SingleRequest, Suffix: "202302210001"},
		"OQSsiquc01res_202302210001.XML":                            {Kind: oqs.SingleResult, Suffix: "202302210001"},
		"OQSsiquc01res_202302210001.zip":                            {Kind: oqs.SingleResult, Suffix: "202302210001", Zip: true},
		"OQSmuquc01req_1.xml":                                       {Kind: oqs.BulkAsk, Suffix: "1"},
		"OQSmuquc01res_1.xml":                                       {Kind: oqs.BulkReception, Suffix: "1"},
		"OQSmuquc02req_1.xml":                                       {Kind: oqs.BulkCollection, Suffix: "1"},
		"OQSmuquc02res_1.xml":                                       {Kind: oqs.BulkResult, Suffix: "1"},
		"OQSsiquc01res_face_1311111111ArnHCeDfN_20230221174835.xml": {Kind: oqs.FaceResult, Suffix: "face_1311111111ArnHCeDfN_20230221174835", At: at},
	} {
		if got, ok := oqs.ParseFileName(name); !ok || got.Kind != want.Kind || got.Suffix != want.Suffix || got.Zip != want.Zip || !got.At.Equal(want.At) {
			t.Errorf("%s: got %+v %v", name, got, ok)
		}
	}
	for _, name := range []string{
		"", "OQSsiquc01res_.xml", "OQSsiquc01res.xml", "OQSsiquc02res_1.xml", "OQSsiimm01res_1.xml", "OQSsiquc01res_1.xml.tmp", "~OQSsiquc01res_1.xml",
		"OQSsiquc01res_../1.xml", "OQSsiquc01res_face_1_20231321174835.xml", "OQSsiquc01res_" + strings.Repeat("1", 200) + ".xml",
	} {
		if got, ok := oqs.ParseFileName(name); ok {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	name := oqs.FileName(oqs.SingleRequest, strings.Repeat("9", oqs.MaxSuffix))
	if _, ok := oqs.ParseFileName(name); !ok || len(name) > 40 {
		t.Errorf("%s has %d characters", name, len(name))
	}
}
