package oqs_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"

	"madoguchi.example/deploy/practice/coverage"
	"madoguchi.example/deploy/practice/oqs"
)

const institution = "4710000009"

const residents = `resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since
R1,990019,髙橋﨑,花子,タカハシザキ,ガク,T,H,1980-04-01,2,000-0101,架空県みなと市本町1丁目𠮷番,2010-04-01
R2,990019,青海,太郎,アオミ,タロウ,A,T,2022-05-05,1,000-0101,架空県みなと市本町2丁目,2022-05-05
R3,990019,青海,次郎,アオミ,ジロウ,A,J,2022-05-05,1,000-0101,架空県みなと市本町2丁目,2022-05-05
R4,990019,山野,キヨ,ヤマノ,キヨ,Y,K,1954-06-01,2,000-0102,架空県みなと市港町3丁目,2010-04-01
`

const lines = `resident_ref,municipality_code,payer,insurer_number,insurer_name,symbol,number,branch,valid_from,valid_to,copayment_percent,insured_kind
R1,990019,registry,990119,みなと市国保,みな・港12,77310042,01,2024-04-01,2026-10-31,30,insured
R1,990019,registry,06990118,みなと健保組合,５５,88420153,00,2026-11-01,,30,insured
R2,990019,registry,990119,みなと市国保,みな・港12,77310042,02,2024-04-01,,20,dependant
R3,990019,registry,990119,みなと市国保,みな・港12,77310042,03,2024-04-01,,20,dependant
R4,990019,registry,990119,みなと市国保,みな・港13,55310042,01,2024-04-01,2025-03-31,20,insured
`

type bench struct {
	*oqs.Terminal
	t   *testing.T
	dir string
	at  time.Time
	n   int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	people := t.TempDir()
	for name, text := range map[string]string{"residents.csv": residents, "coverage.csv": lines} {
		if err := os.WriteFile(filepath.Join(people, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	register, err := coverage.Load(people)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: t.TempDir(), at: time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)}
	b.Terminal, err = oqs.New(oqs.Config{Dir: b.dir, Register: register, Institution: institution, Now: func() time.Time { return b.at }})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) set(x oqs.Behaviour) {
	b.t.Helper()
	if err := b.Set(x); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) sweep() {
	b.t.Helper()
	if err := b.Sweep(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) later(d time.Duration) { b.at = b.at.Add(d); b.sweep() }

// ask is a request for R1's old coverage on a day.
const ask = `<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<XmlMsg><MessageHeader><QualificationConfirmationDate>20261020</QualificationConfirmationDate><MedicalInstitutionCode>4710000009</MedicalInstitutionCode><ArbitraryFileIdentifier>019ab</ArbitraryFileIdentifier></MessageHeader>
<MessageBody><QualificationConfirmSearchInfo><InsurerNumber>  990119</InsurerNumber><InsuredCardSymbol>みな・港12</InsuredCardSymbol><InsuredIdentificationNumber>77310042</InsuredIdentificationNumber><InsuredBranchNumber>01</InsuredBranchNumber><Birthdate>19800401</Birthdate><LimitApplicationCertificateRelatedConsFlg>1</LimitApplicationCertificateRelatedConsFlg></QualificationConfirmSearchInfo></MessageBody></XmlMsg>`

func with(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(ask) }

// put moves a request in, whole, and gives the name that its answer will have.
func (b *bench) put(kind, doc string) string {
	b.t.Helper()
	b.n++
	name := fmt.Sprintf("%sreq_20261121%04d.xml", kind, b.n)
	b.place(name, []byte(doc))
	return strings.Replace(name, "req_", "res_", 1)
}

func (b *bench) place(name string, raw []byte) {
	b.t.Helper()
	temporary := filepath.Join(b.dir, "new.tmp")
	if err := os.WriteFile(temporary, raw, 0o600); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Rename(temporary, filepath.Join(b.dir, oqs.Req, name)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) raw(name string) []byte {
	b.t.Helper()
	raw, err := os.ReadFile(filepath.Join(b.dir, oqs.Res, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return raw
}

func (b *bench) there(name string) bool {
	_, err := os.Stat(filepath.Join(b.dir, oqs.Res, name))
	return err == nil
}

// texts reads a document with the standard library alone: the last text of each element.
func texts(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(raw))
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		if label != "Shift_JIS" {
			return nil, fmt.Errorf("label %s", label)
		}
		return japanese.ShiftJIS.NewDecoder().Reader(in), nil
	}
	out := map[string]string{}
	name := ""
	for {
		token, err := d.Token()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, raw)
		}
		switch x := token.(type) {
		case xml.StartElement:
			name = x.Name.Local
			out[name+"#"] += "i"
		case xml.CharData:
			if s := string(x); strings.TrimSpace(s) != "" {
				out[name] = s
			}
		}
	}
}

func (b *bench) answer(kind, doc string) map[string]string {
	b.t.Helper()
	name := b.put(kind, doc)
	b.sweep()
	return texts(b.t, b.raw(name))
}

func TestAnswersAreForTheDayThatIsAskedFor(t *testing.T) {
	b := newBench(t)
	newer := with("  990119", "06990118", "みな・港12", "５５", "77310042", "88420153", ">01<", ">00<")
	for name, c := range map[string]struct{ doc, validity, number string }{
		"valid then":            {ask, "1", "77310042"},
		"newer since":           {with("20261020", "20261121"), "3", "77310042"},
		"before it began":       {with("20261020", "20200101"), "2", "77310042"},
		"the newer one":         {strings.Replace(newer, "20261020", "20261101", 1), "1", "88420153"},
		"ended, nothing newer":  {with("みな・港12", "みな・港13", "77310042", "55310042", "19800401", "19540601"), "2", "55310042"},
		"another birth date":    {with("19800401", "19800402"), "4", ""},
		"another number":        {with("77310042", "77310043"), "4", ""},
		"twins without branch":  {with("19800401", "20220505", "<InsuredBranchNumber>01</InsuredBranchNumber>", ""), "5", ""},
		"as the card prints it": {with("みな・港12", "みな・港１２"), "1", "77310042"},
	} {
		got := b.answer("OQSsiquc01", c.doc)
		if got["SegmentOfResult"] != "1" || got["ProcessingResultStatus"] != "1" || got["QualificationValidity"] != c.validity {
			t.Errorf("%s: segment %s, validity %s, error %s %s", name, got["SegmentOfResult"], got["QualificationValidity"], got["ErrorCode"], got["ErrorMessage"])
		}
		if (got["ResultOfQualificationConfirmation#"] != "") != (c.number != "") {
			t.Errorf("%s: a result is told: %v", name, got["ResultOfQualificationConfirmation#"])
		}
		if got["ArbitraryFileIdentifier"] != "019ab" || got["MedicalInstitutionCode"] != institution || got["ReferenceClassification"] != "2" || got["CharacterCodeIdentifier"] != "0" {
			t.Errorf("%s: header %v", name, got)
		}
	}
}

func TestAnAnswerIsWrittenAsTheRealOneWritesIt(t *testing.T) {
	b := newBench(t)
	name := b.put("OQSsiquc01", ask)
	b.sweep()
	raw := b.raw(name)
	got := texts(t, raw)
	for element, want := range map[string]string{
		"NameKana": "ﾀｶﾊｼｻﾞｷ ｶﾞｸ", "Name": "髙橋﨑　花子", "Sex1": "2", "PersonalFamilyClassification": "1", "PostNumber": "000-0101",
		"QualificationDate": "20240401", "DisqualificationDate": "20261101", "InsuredPartialContributionRatio": "030",
		"QualificationConfirmationDate": "20261020", "ProcessExecutionTime": "20261121120000",
		"LimitApplicationCertificateClassificationFlag": "A03",
	} {
		if got[element] != want {
			t.Errorf("%s is %q, want %q", element, got[element], want)
		}
	}
	if !bytes.Contains(raw, []byte("<InsurerNumber>  990119</InsurerNumber>")) || bytes.Contains(raw, []byte(">990119<")) {
		t.Error("the insurer's number is not padded with blanks")
	}
	child := b.answer("OQSsiquc01", with("19800401", "20220505", ">01<", ">02<"))
	if child["PreschoolClassification"] != "1" || child["PersonalFamilyClassification"] != "2" || child["InsuredName"] != "" {
		t.Errorf("a child: %v", child)
	}
	old := b.answer("OQSsiquc01", with("みな・港12", "みな・港13", "77310042", "55310042", "19800401", "19540601", "20261020", "20250101"))
	if old["ElderlyRecipientContributionRatio"] != "020" {
		t.Errorf("70 and over: %v", old)
	}
}

func TestRequestsThatTheRealOneWouldRefuse(t *testing.T) {
	b := newBench(t)
	const secret = "77310042"
	for name, c := range map[string]struct{ doc, code, element string }{
		"no insurer":          {with("  990119", ""), "PRACTICE-04", "InsurerNumber"},
		"insurer not padded":  {with("  990119", "990119"), "PRACTICE-05", "InsurerNumber"},
		"padded with zeros":   {with("  990119", "00990119"), "", ""}, // 8 digits are a form, and no insurer has them
		"one blank":           {with("  990119", " 990119"), "PRACTICE-05", "InsurerNumber"},
		"full-width insurer":  {with("  990119", "００９９０１１９"), "PRACTICE-05", "InsurerNumber"},
		"no number":           {with(secret, ""), "PRACTICE-04", "InsuredIdentificationNumber"},
		"no birth date":       {with("<Birthdate>19800401</Birthdate>", ""), "PRACTICE-04", "Birthdate"},
		"birth date dashed":   {with("19800401", "1980-04-01"), "PRACTICE-05", "Birthdate"},
		"birth date nowhere":  {with("19800401", "19800431"), "PRACTICE-05", "Birthdate"},
		"day with slashes":    {with("20261020", "2026/10/20"), "PRACTICE-05", "QualificationConfirmationDate"},
		"no day":              {with("20261020", ""), "PRACTICE-04", "QualificationConfirmationDate"},
		"branch of one digit": {with(">01<", ">1<"), "PRACTICE-05", "InsuredBranchNumber"},
		"no consent":          {with("<LimitApplicationCertificateRelatedConsFlg>1</LimitApplicationCertificateRelatedConsFlg>", ""), "PRACTICE-04", "LimitApplicationCertificateRelatedConsFlg"},
		"odd consent":         {with("Flg>1<", "Flg>2<"), "PRACTICE-05", "LimitApplicationCertificateRelatedConsFlg"},
		"another clinic":      {with(institution, "4710000017"), "PRACTICE-07", "MedicalInstitutionCode"},
		"unknown element":     {with("<Birthdate>", "<Name>x</Name><Birthdate>"), "PRACTICE-06", "Name"},
		"out of order":        {with("<InsurerNumber>  990119</InsurerNumber>", "", "<Birthdate>", "<InsurerNumber>  990119</InsurerNumber><Birthdate>"), "PRACTICE-06", "InsurerNumber"},
		"twice":               {with("<Birthdate>", "<InsuredBranchNumber>01</InsuredBranchNumber><Birthdate>"), "PRACTICE-06", "InsuredBranchNumber"},
		"two people":          {with("</QualificationConfirmSearchInfo>", "</QualificationConfirmSearchInfo><QualificationConfirmSearchInfo></QualificationConfirmSearchInfo>"), "PRACTICE-09", "QualificationConfirmSearchInfo"},
		"nobody":              {ask[:strings.Index(ask, "<MessageBody>")] + "<MessageBody></MessageBody></XmlMsg>", "PRACTICE-04", "QualificationConfirmSearchInfo"},
		"no body":             {ask[:strings.Index(ask, "<MessageBody>")] + "</XmlMsg>", "PRACTICE-04", "MessageBody"},
		"another root":        {with("XmlMsg", "Message"), "PRACTICE-06", "Message"},
		"attribute":           {with("<MessageBody>", `<MessageBody x="1">`), "PRACTICE-03", ""},
		"half":                {ask[:len(ask)/2], "PRACTICE-03", ""},
		"empty":               {"", "PRACTICE-03", ""},
		"document type":       {with("<XmlMsg>", `<!DOCTYPE x [<!ENTITY a "b">]><XmlMsg>`), "PRACTICE-03", ""},
		"shift_jis as utf-8":  {sjis(t, ask), "PRACTICE-02", ""},
		"another encoding":    {with("UTF-8", "EUC-JP"), "PRACTICE-02", ""},
	} {
		got := b.answer("OQSsiquc01", c.doc)
		if c.code == "" {
			if got["SegmentOfResult"] != "1" {
				t.Errorf("%s: %v", name, got)
			}
			continue
		}
		if got["SegmentOfResult"] != "9" || got["ErrorCode"] != c.code || !strings.Contains(got["ErrorMessage"], c.element) || got["QualificationValidity"] != "" {
			t.Errorf("%s: segment %s, error %s %q", name, got["SegmentOfResult"], got["ErrorCode"], got["ErrorMessage"])
		}
		if strings.Contains(got["ErrorMessage"], secret) {
			t.Errorf("%s: the message repeats a number", name)
		}
	}
	for _, name := range []string{"OQSsiquc01req_あ.xml", "OQSsiquc01req_" + strings.Repeat("1", 41) + ".xml", "OQSsiquc09req_1.xml"} {
		b.place(name, []byte(ask))
		b.sweep()
		if got := texts(t, b.raw(strings.Replace(name, "req_", "res_", 1))); got["ErrorCode"] != "PRACTICE-01" {
			t.Errorf("%s: %v", name, got)
		}
	}
	b.place("receipts.xml", []byte("x"))
	b.sweep()
	if _, err := os.Stat(filepath.Join(b.dir, oqs.Req, "receipts.xml")); err != nil {
		t.Error("another program's file was touched")
	}
}

func sjis(t *testing.T, s string) string {
	t.Helper()
	out, err := japanese.ShiftJIS.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestShiftJISBothWays(t *testing.T) {
	b := newBench(t)
	b.set(oqs.Behaviour{Encoding: oqs.ShiftJIS})
	name := b.put("OQSsiquc01", sjis(t, with("UTF-8", "Shift_JIS")))
	b.sweep()
	raw := b.raw(name)
	got := texts(t, raw)
	if got["QualificationValidity"] != "1" || got["CharacterCodeIdentifier"] != "1" || utf8.Valid(raw) {
		t.Errorf("got %v", got)
	}
	if got["Address"] != "架空県みなと市本町1丁目●番" {
		t.Errorf("what Shift_JIS lacks is not ●: %q", got["Address"])
	}
	for _, c := range []struct {
		e           oqs.Encoding
		label, word string
		valid       bool
	}{{oqs.ShiftJISAsUTF8, "UTF-8", "0", false}, {oqs.UTF8AsShiftJIS, "Shift_JIS", "1", true}} {
		b.set(oqs.Behaviour{Encoding: c.e})
		name := b.put("OQSsiquc01", ask)
		b.sweep()
		raw := b.raw(name)
		if !bytes.Contains(raw, []byte(`encoding="`+c.label+`"`)) || utf8.Valid(raw) != c.valid || !bytes.Contains(raw, []byte("<CharacterCodeIdentifier>"+c.word)) {
			t.Errorf("%s: %s", c.e, raw[:80])
		}
	}
	b.set(oqs.Behaviour{Rare: true})
	if got := b.answer("OQSsiquc01", ask); got["Name"] != "●橋●　花子" {
		t.Errorf("rare kanji: %q", got["Name"])
	}
}

func TestBehaviours(t *testing.T) {
	b := newBench(t)
	t.Run("delay", func(t *testing.T) {
		b.set(oqs.Behaviour{DelayMS: 5000})
		name := b.put("OQSsiquc01", ask)
		b.sweep()
		b.later(4 * time.Second)
		if b.there(name) {
			t.Error("too early")
		}
		b.later(time.Second)
		if !b.there(name) {
			t.Error("never")
		}
	})
	t.Run("silent, and once", func(t *testing.T) {
		b.set(oqs.Behaviour{Silent: true, Times: 1})
		name := b.put("OQSsiquc01", ask)
		b.sweep()
		b.later(time.Hour)
		if b.there(name) || b.State().Waiting != 0 {
			t.Error("it spoke")
		}
		if b.answer("OQSsiquc01", ask)["QualificationValidity"] != "1" {
			t.Error("the next one too is silent")
		}
	})
	t.Run("half", func(t *testing.T) {
		b.set(oqs.Behaviour{HalfMS: 3000})
		name := b.put("OQSsiquc01", ask)
		b.sweep()
		half := len(b.raw(name))
		b.later(3 * time.Second)
		if whole := b.raw(name); half == 0 || half >= len(whole) || texts(t, whole)["QualificationValidity"] != "1" {
			t.Errorf("%d of %d bytes", half, len(whole))
		}
	})
	t.Run("in progress", func(t *testing.T) {
		b.set(oqs.Behaviour{InProgress: 2})
		name := b.put("OQSsiquc01", ask)
		b.sweep()
		for i, want := range []string{"2", "2", "1"} {
			if got := texts(t, b.raw(name))["SegmentOfResult"]; got != want {
				t.Errorf("step %d: segment %s", i, got)
			}
			b.later(time.Second)
		}
	})
	for name, c := range map[string]struct {
		b    oqs.Behaviour
		code string
	}{
		"abnormal end": {oqs.Behaviour{Abnormal: "OQX-1"}, "OQX-1"},
		"line cut":     {oqs.Behaviour{LineCut: true}, string(oqs.LineCut)},
	} {
		b.set(c.b)
		if got := b.answer("OQSsiquc01", ask); got["SegmentOfResult"] != "9" || got["ErrorCode"] != c.code || got["QualificationValidity"] != "" || got["ArbitraryFileIdentifier"] != "019ab" {
			t.Errorf("%s: %v", name, got)
		}
	}
	b.set(oqs.Behaviour{Omit: []string{"NameKana", "ReferenceClassification"}, Reorder: true, Remark: "3か月以内"})
	name := b.put("OQSsiquc01", ask)
	b.sweep()
	raw := b.raw(name)
	if got := texts(t, raw); got["NameKana"] != "" || got["ReferenceClassification"] != "" || got["Birthdate"] != "19800401" || got["ProcessingResultMessage"] != "3か月以内" {
		t.Errorf("omitted: %v", got)
	}
	if bytes.Index(raw, []byte("<MessageBody>")) > bytes.Index(raw, []byte("<MessageHeader>")) {
		t.Error("not reordered")
	}
	b.set(oqs.Behaviour{ZIP: true})
	name = b.put("OQSsiquc01", ask)
	b.sweep()
	r, err := zip.OpenReader(filepath.Join(b.dir, oqs.Res, strings.TrimSuffix(name, ".xml")+".zip"))
	if err != nil || len(r.File) != 1 || r.File[0].Name != name {
		t.Fatalf("archive: %v", err)
	}
	r.Close()
	if err := b.Set(oqs.Behaviour{DelayMS: -1}); err == nil {
		t.Error("a negative delay is taken")
	}
}

func TestRequestsAreMovedAwayOrLeft(t *testing.T) {
	b := newBench(t)
	count := func(dir string) int {
		entries, err := os.ReadDir(filepath.Join(b.dir, dir))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	b.place("OQSsiquc01req_1.xml", []byte(ask))
	b.sweep()
	b.place("OQSsiquc01req_1.xml", []byte(ask)) // the same name again
	b.sweep()
	if count(oqs.Req) != 0 || count(oqs.Trash) != 2 || b.State().Requests != 2 {
		t.Errorf("%d left, %d in the trash, %d taken", count(oqs.Req), count(oqs.Trash), b.State().Requests)
	}
	b.set(oqs.Behaviour{Leave: true})
	b.place("OQSsiquc01req_2.xml", []byte(ask))
	b.sweep()
	b.sweep()
	if count(oqs.Req) != 1 || b.State().Requests != 3 {
		t.Errorf("%d left, taken %d times", count(oqs.Req), b.State().Requests)
	}
	if s := b.State(); !slices.Equal(s.Identifiers, []string{"019ab", "019ab", "019ab"}) {
		t.Errorf("identifiers %v", s.Identifiers)
	}
}

func TestBulk(t *testing.T) {
	b := newBench(t)
	block := ask[strings.Index(ask, "<QualificationConfirmSearchInfo>"):strings.Index(ask, "</MessageBody>")]
	block = strings.Replace(block, "</QualificationConfirmSearchInfo>", "<ArbitraryIdentifier>p1</ArbitraryIdentifier></QualificationConfirmSearchInfo>", 1)
	other := strings.NewReplacer("19800401", "20220505", ">01<", ">02<", ">p1<", ">p2<").Replace(block)
	bad := strings.NewReplacer("  990119", "990119", ">p1<", ">p3<").Replace(block)
	doc := ask[:strings.Index(ask, "<QualificationConfirmSearchInfo>")] + block + other + bad + "</MessageBody></XmlMsg>"
	got := b.answer("OQSmuquc01", doc)
	number := got["ReceptionNumber"]
	if number == "" || got["ReceptionDateTime"] == "" || got["ArbitraryFileIdentifier"] != "019ab" {
		t.Fatalf("reception %v", got)
	}
	collect := `<?xml version="1.0" encoding="UTF-8"?><XmlMsg><MessageHeader><MedicalInstitutionCode>4710000009</MedicalInstitutionCode><ArbitraryFileIdentifier>c1</ArbitraryFileIdentifier></MessageHeader><MessageBody><ReceptionNumber>` + number + `</ReceptionNumber></MessageBody></XmlMsg>`
	if got := b.answer("OQSmuquc02", collect); got["SegmentOfResult"] != "2" || got["BulkConfirmUnit#"] != "" {
		t.Errorf("first: %v", got)
	}
	name := b.put("OQSmuquc02", collect)
	b.sweep()
	raw := b.raw(name)
	got = texts(t, raw)
	if got["SegmentOfResult"] != "1" || got["BulkConfirmUnit#"] != "iii" || got["NumberOfProcessingResult"] != "3" || got["NumberOfNormalProcessing"] != "2" || got["NumberOfError"] != "1" {
		t.Errorf("then: %v", got)
	}
	if got["ReceptionNumber"] != number || got["ArbitraryFileIdentifier"] != "c1" || got["ProcessingResultStatus"] != "2" || got["ProcessingResultCode"] != "PRACTICE-05" {
		t.Errorf("then: %v", got)
	}
	for _, id := range []string{"p1", "p2", "p3"} {
		if !bytes.Contains(raw, []byte("<ArbitraryIdentifier>"+id)) {
			t.Errorf("%s is not told back", id)
		}
	}
	if got := b.answer("OQSmuquc02", strings.Replace(collect, number, "20261121999999", 1)); got["SegmentOfResult"] != "9" || got["ErrorCode"] != "PRACTICE-08" {
		t.Errorf("unknown reception: %v", got)
	}
	if got := b.answer("OQSmuquc01", strings.Replace(doc, "<Birthdate>", "<Sex>1</Sex><Birthdate>", 1)); got["ErrorCode"] != "PRACTICE-06" {
		t.Errorf("an unknown element in a block: %v", got)
	}
}

func TestFaceResultsByTheControl(t *testing.T) {
	b := newBench(t)
	post := func(method, path, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		b.Handler().ServeHTTP(w, httptest.NewRequest(method, oqs.Path+path, strings.NewReader(body)))
		return w
	}
	w := post(http.MethodPost, "/face", `{"resident":"R2","consents":["drugs","ceiling"],"remark":"証明書の有効期限","reference":"A-17"}`)
	var pushed struct{ File string }
	if err := json.Unmarshal(w.Body.Bytes(), &pushed); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	raw, err := os.ReadFile(filepath.Join(b.dir, oqs.Face, pushed.File))
	if err != nil {
		t.Fatal(err)
	}
	got := texts(t, raw)
	for element, want := range map[string]string{
		"ReferenceClassification": "1", "SegmentOfResult": "1", "QualificationValidity": "1", "QualificationConfirmationDate": "20261121",
		"PharmacistsInfoConsFlg": "1", "PharmacistsInfoConsTime": "20261121120000", "PharmacistsInfoAvailableTime": "20261122120000",
		"DiagnosisInfoConsFlg": "0", "LimitApplicationCertificateRelatedConsFlg": "1", "ReferenceNumber": "A-17", "NameKana": "ｱｵﾐ ﾀﾛｳ",
		"ProcessingResultMessage": "証明書の有効期限", "PrescriptionIssueSelect": "1",
	} {
		if got[element] != want {
			t.Errorf("%s is %q, want %q", element, got[element], want)
		}
	}
	if !strings.HasPrefix(pushed.File, "OQSsiquc01res_face_"+institution) || !strings.HasSuffix(pushed.File, "_20261121120000.xml") {
		t.Errorf("file %s", pushed.File)
	}
	for name, c := range map[string]struct {
		method, path, body string
		code               int
	}{
		"nobody":          {"POST", "/face", `{"resident":"R9"}`, 422},
		"odd consent":     {"POST", "/face", `{"resident":"R2","consents":["blood"]}`, 422},
		"odd day":         {"POST", "/face", `{"resident":"R2","day":"21.11.2026"}`, 422},
		"unknown key":     {"POST", "/face", `{"person":"R2"}`, 400},
		"no behaviour":    {"PUT", "/behaviour", `{"delay_ms":-1}`, 422},
		"unknown manners": {"PUT", "/behaviour", `{"rude":true}`, 400},
		"manners":         {"PUT", "/behaviour", `{"silent":true}`, 200},
		"told":            {"GET", "/behaviour", ``, 200},
		"state":           {"GET", "/state", ``, 200},
	} {
		if w := post(c.method, c.path, c.body); w.Code != c.code {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := post("GET", "/behaviour", ""); !strings.Contains(w.Body.String(), `"silent":true`) {
		t.Errorf("behaviour %s", w.Body)
	}
}

func TestStartAnswersByItself(t *testing.T) {
	b := newBench(t)
	c := b.Config
	c.Dir, c.Every = t.TempDir(), time.Millisecond
	x, stop, err := oqs.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	b.dir = c.Dir
	name := b.put("OQSsiquc01", ask)
	for x.State().Answers == 0 {
		if t.Context().Err() != nil {
			t.Fatal("no answer")
		}
	}
	if texts(t, b.raw(name))["QualificationValidity"] != "1" {
		t.Error("not valid")
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	b := newBench(t)
	for name, change := range map[string]func(*oqs.Config){
		"no folder":        func(c *oqs.Config) { c.Dir = "" },
		"no people":        func(c *oqs.Config) { c.Register = nil },
		"no clock":         func(c *oqs.Config) { c.Now = nil },
		"odd institution":  func(c *oqs.Config) { c.Institution = "47" },
		"unknown encoding": func(c *oqs.Config) { c.Encoding = "euc-jp" },
	} {
		c := b.Config
		change(&c)
		if _, err := oqs.New(c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(ask))
	f.Add([]byte(strings.Replace(ask, "UTF-8", "Shift_JIS", 1)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := newBench(t)
		b.place("OQSsiquc01req_1.xml", raw)
		b.sweep()
		got := texts(t, b.raw("OQSsiquc01res_1.xml"))
		if s := got["SegmentOfResult"]; s != "1" && s != "9" || (s == "9") != (got["ErrorCode"] != "") {
			t.Fatalf("segment %q, error %q", s, got["ErrorCode"])
		}
	})
}
