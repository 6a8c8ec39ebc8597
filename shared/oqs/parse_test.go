package oqs_test

import (
	"fmt"
	"log/slog"
	"reflect"
	"slices"
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

const record = "01890000-0000-7000-8000-000000000001"

var visit = civil.Date{Year: 2026, Month: time.November, Day: 20}

const head = `<MessageHeader><ProcessExecutionTime>20261120093001</ProcessExecutionTime>` +
	`<QualificationConfirmationDate>20261120</QualificationConfirmationDate><MedicalInstitutionCode>1311234568</MedicalInstitutionCode>` +
	`<ArbitraryFileIdentifier>` + record + `</ArbitraryFileIdentifier><ReferenceClassification>2</ReferenceClassification>` +
	`<SegmentOfResult>1</SegmentOfResult><CharacterCodeIdentifier>0</CharacterCodeIdentifier></MessageHeader>`

const full = `<InsuredCardClassification>01</InsuredCardClassification><InsurerNumber>01130012</InsurerNumber>` +
	`<InsuredCardSymbol>１２３４５６７</InsuredCardSymbol><InsuredIdentificationNumber>89</InsuredIdentificationNumber>` +
	`<InsuredBranchNumber>01</InsuredBranchNumber><PersonalFamilyClassification>2</PersonalFamilyClassification>` +
	`<InsuredName>窓口　一郎</InsuredName><Name>窓口　●子</Name><NameOfOther>MADOGUCHI HANAKO</NameOfOther><NameKana>ﾏﾄﾞｸﾞﾁ ﾊﾅｺ</NameKana>` +
	`<NameOfOtherKana>ﾏﾄﾞｸﾞﾁ ﾊﾅｺ</NameOfOtherKana><Sex1>2</Sex1><Sex2>3</Sex2><Birthdate>19520401</Birthdate><Address>みなと市中央１－２－３</Address>` +
	`<PostNumber>990-0001</PostNumber><QualificationDate>20200401</QualificationDate><DisqualificationDate>20270401</DisqualificationDate>` +
	`<InsuredCertificateIssuanceDate>20200402</InsuredCertificateIssuanceDate><InsuredCardValidDate>20200403</InsuredCardValidDate>` +
	`<InsuredCardExpirationDate>20260331</InsuredCardExpirationDate><InsuredPartialContributionRatio>030</InsuredPartialContributionRatio>` +
	`<PreschoolClassification>2</PreschoolClassification><ReasonOfLoss>03</ReasonOfLoss><InsurerName>全国健康保険協会</InsurerName>` +
	`<ElderlyRecipientCertificateInfo><ElderlyRecipientCertificateDate>20220401</ElderlyRecipientCertificateDate>` +
	`<ElderlyRecipientValidStartDate>20220501</ElderlyRecipientValidStartDate><ElderlyRecipientValidEndDate>20270430</ElderlyRecipientValidEndDate>` +
	`<ElderlyRecipientContributionRatio>020</ElderlyRecipientContributionRatio></ElderlyRecipientCertificateInfo>` +
	`<LimitApplicationCertificateRelatedConsFlg>1</LimitApplicationCertificateRelatedConsFlg>` +
	`<LimitApplicationCertificateRelatedConsTime>20261120092900</LimitApplicationCertificateRelatedConsTime>` +
	`<LimitApplicationCertificateRelatedInfo><LimitApplicationCertificateClassification>02</LimitApplicationCertificateClassification>` +
	`<LimitApplicationCertificateClassificationFlag>A03</LimitApplicationCertificateClassificationFlag>` +
	`<LimitApplicationCertificateDate>20260801</LimitApplicationCertificateDate>` +
	`<LimitApplicationCertificateValidStartDate>20260801</LimitApplicationCertificateValidStartDate>` +
	`<LimitApplicationCertificateValidEndDate>20270731</LimitApplicationCertificateValidEndDate>` +
	`<LimitApplicationCertificateLongTermDate></LimitApplicationCertificateLongTermDate></LimitApplicationCertificateRelatedInfo>` +
	`<SpecificDiseasesCertificateRelatedConsFlg>2</SpecificDiseasesCertificateRelatedConsFlg>` +
	`<SpecificDiseasesCertificateList><SpecificDiseasesCertificateInfo><SpecificDiseasesDiseaseCategory>1</SpecificDiseasesDiseaseCategory>` +
	`<SpecificDiseasesSelfPay>10000</SpecificDiseasesSelfPay></SpecificDiseasesCertificateInfo>` +
	`<SpecificDiseasesCertificateInfo><SpecificDiseasesDiseaseCategory>3</SpecificDiseasesDiseaseCategory></SpecificDiseasesCertificateInfo></SpecificDiseasesCertificateList>` +
	`<PublicExpenseResultList><MedicalTicketInfo><TicketType>1</TicketType><MedicalTicketValidDate>20261101</MedicalTicketValidDate>` +
	`<MedicalTicketExpirationDate>20261130</MedicalTicketExpirationDate><MedicalTreatmentMonth>202611</MedicalTreatmentMonth></MedicalTicketInfo></PublicExpenseResultList>` +
	`<OperationInfoConsFlg>1</OperationInfoConsFlg><OperationInfoConsTime>20261120092900</OperationInfoConsTime>` +
	`<OperationInfoAvailableTime>20261121092900</OperationInfoAvailableTime><ReferenceNumber>K-0042</ReferenceNumber>`

func body(validity, results string) string {
	return `<MessageBody><PrescriptionIssueSelect>1</PrescriptionIssueSelect><ProcessingResultStatus>1</ProcessingResultStatus>` +
		`<ProcessingResultCode>I0001</ProcessingResultCode><ProcessingResultMessage>証明書の有効期限まで３か月以内です。</ProcessingResultMessage>` +
		`<QualificationValidity>` + validity + `</QualificationValidity>` + results +
		`<QualificationConfirmSearchInfo><InsurerNumber>01130012</InsurerNumber><InsuredIdentificationNumber>89</InsuredIdentificationNumber>` +
		`<Birthdate>19520401</Birthdate><ArbitraryIdentifier>x1</ArbitraryIdentifier></QualificationConfirmSearchInfo></MessageBody>`
}

func results(each ...string) string {
	s := "<ResultList>"
	for _, e := range each {
		s += "<ResultOfQualificationConfirmation>" + e + "</ResultOfQualificationConfirmation>"
	}
	return s + "</ResultList>"
}

func doc(parts ...string) []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8" standalone="no"?>` + "\r\n<XmlMsg>" + strings.Join(parts, "") + "</XmlMsg>")
}

func must(t *testing.T, b []byte) oqs.Result {
	t.Helper()
	r, err := oqs.ParseResult(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEveryElementIsReadIntoAField(t *testing.T) {
	r := must(t, doc(head, body("1", results(full))))
	if len(r.Remarks) > 0 {
		t.Errorf("remarks %v", r.Remarks)
	}
	i := r.Items[0]
	day := func(y, m, d int) civil.Date { return civil.Date{Year: y, Month: time.Month(m), Day: d} }
	want := &oqs.Coverage{
		CardClass: "01", Insurer: "01130012", InsurerName: "全国健康保険協会", Symbol: "１２３４５６７", Number: "89", Branch: "01",
		Family: oqs.Dependant, InsuredName: "窓口　一郎", Name: "窓口　●子", NameOfOther: "MADOGUCHI HANAKO", NameKana: "ﾏﾄﾞｸﾞﾁ ﾊﾅｺ",
		NameOfOtherKana: "ﾏﾄﾞｸﾞﾁ ﾊﾅｺ", Sex: "2", SexOther: "0", BirthDate: day(1952, 4, 1), Address: "みなと市中央１－２－３", PostNumber: "990-0001",
		From: day(2020, 4, 1), Lost: day(2027, 4, 1), CardIssued: day(2020, 4, 2), CardFrom: day(2020, 4, 3), CardTo: day(2026, 3, 31),
		Share: "030", Preschool: "2", Loss: oqs.LossOtherInsurer,
		Elderly: &oqs.Elderly{Span: oqs.Span{Issued: day(2022, 4, 1), From: day(2022, 5, 1), To: day(2027, 4, 30)}, Share: "020"},
		Ceiling: &oqs.Ceiling{Span: oqs.Span{Issued: day(2026, 8, 1), From: day(2026, 8, 1), To: day(2027, 7, 31)}, Classification: "02", Class: "A03"},
		Diseases: []oqs.Disease{
			{Category: "1", SelfPay: "10000"}, {Category: "3"},
		},
		PublicExpense: []oqs.Ticket{{Span: oqs.Span{From: day(2026, 11, 1), To: day(2026, 11, 30)}, Type: "1", Month: "202611"}},
		Consents:      i.Coverage.Consents,
	}
	if !reflect.DeepEqual(i.Coverage, want) {
		t.Errorf("got  %#v\nwant %#v", *i.Coverage, *want)
	}
	if i.Status != oqs.StatusOK || i.Prescription != oqs.Electronic || i.Reference != "K-0042" || i.Identifier != "x1" ||
		i.Asked.Insurer != "01130012" || i.Asked.Number != "89" || i.Asked.BirthDate != day(1952, 4, 1) {
		t.Errorf("the block is otherwise: %#v", i.Asked)
	}
	at := time.Date(2026, 11, 20, 9, 29, 0, 0, civil.Japan)
	a, ok := r.Answer(record, visit)
	wantAnswer := eligibility.Answer{
		RecordID: record, VisitDay: visit, Validity: eligibility.Valid, InsurerNumber: "01130012", InsurerName: "全国健康保険協会",
		Symbol: "１２３４５６７", Number: "89", Branch: "01", CopaymentPercent: 20, ValidFrom: day(2020, 4, 1), ValidTo: day(2027, 3, 31),
		HolderKanji: "窓口　●子", HolderKana: "ﾏﾄﾞｸﾞﾁ ﾊﾅｺ", BirthDate: day(1952, 4, 1), Reference: "K-0042",
		Notes:   []eligibility.Note{{Code: "I0001", Text: "証明書の有効期限まで３か月以内です。"}},
		Elderly: "020", Ceiling: "A03", Diseases: []string{"1", "3"},
		Consents: []eligibility.Consent{
			{Kind: eligibility.ConsentOperation, Given: true, At: at, Until: at.AddDate(0, 0, 1)},
			{Kind: eligibility.ConsentCeiling, Given: true, At: at},
			{Kind: eligibility.ConsentDiseases},
		},
	}
	if !ok || !reflect.DeepEqual(a, wantAnswer) {
		t.Errorf("got  %#v\nwant %#v", a, wantAnswer)
	}
	if _, err := a.Encode(); err != nil {
		t.Error(err)
	}
}

func TestWordsOfValidity(t *testing.T) {
	for code, want := range map[string]eligibility.Validity{
		"1": eligibility.Valid, "2": eligibility.Invalid, "3": eligibility.NewerCoverage, "4": eligibility.NoneFound,
		"5": eligibility.SeveralFound, "6": eligibility.CheckFailed, "": eligibility.CheckFailed, "有効": eligibility.CheckFailed,
	} {
		a, ok := must(t, doc(head, body(code, ""))).Answer(record, visit)
		if !ok || a.Validity != want || a.Validate() != nil {
			t.Errorf("%q: got %s %v", code, a.Validity, a.Validate())
		}
	}
	several, _ := must(t, doc(head, body("5", results(full, full)))).Answer(record, visit)
	if several.Number != "" || several.InsurerNumber != "" {
		t.Error("one of several coverages was picked")
	}
}

func TestAnEndWithoutAnAnswerIsNeverInvalid(t *testing.T) {
	with := func(code, more string) string {
		return strings.Replace(head, "<SegmentOfResult>1</SegmentOfResult>", "<SegmentOfResult>"+code+"</SegmentOfResult>"+more, 1)
	}
	// The body says "invalid" each time: the segment decides.
	invalid := body("2", results(full))
	progress := must(t, doc(with("2", ""), invalid))
	if a, ok := progress.Answer(record, visit); ok || progress.Segment != oqs.InProgress || len(progress.Items) != 0 {
		t.Errorf("in progress: %v %v", a.Validity, ok)
	}
	for code, want := range map[string]oqs.Segment{"9": oqs.Abnormal, "3": oqs.OtherEnd} {
		r := must(t, doc(with(code, "<ErrorCode>E0042</ErrorCode><ErrorMessage>回線が切れました。</ErrorMessage>"), invalid))
		a, ok := r.Answer(record, visit)
		if !ok || r.Segment != want || len(r.Items) != 0 || a.Validity != eligibility.CheckFailed || a.ErrorCode != "E0042" ||
			!reflect.DeepEqual(a.Notes, []eligibility.Note{{Code: "E0042", Text: "回線が切れました。"}}) {
			t.Errorf("segment %s: %s %#v", code, r.Segment, a)
		}
	}
	if a, _ := must(t, doc(with("9", ""))).Answer(record, visit); a.ErrorCode != oqs.ErrorAbnormal {
		t.Errorf("an abnormal end without a code gives %q", a.ErrorCode)
	}
	if r := must(t, doc(strings.Replace(head, "<SegmentOfResult>1</SegmentOfResult>", "", 1))); r.Segment != oqs.OtherEnd {
		t.Errorf("no segment and no word is %s", r.Segment)
	}
	if r := must(t, doc(strings.Replace(head, "<SegmentOfResult>1</SegmentOfResult>", "", 1), body("1", ""))); r.Segment != oqs.Done {
		t.Errorf("no segment but a word is %s", r.Segment)
	}
	failed := strings.Replace(invalid, "<ProcessingResultStatus>1<", "<ProcessingResultStatus>2<", 1)
	if a, _ := must(t, doc(head, failed)).Answer(record, visit); a.Validity != eligibility.CheckFailed || a.ErrorCode != "I0001" {
		t.Errorf("an error beside a word gives %s", a.Validity)
	}
	if a, _ := must(t, doc(head, invalid)).Answer(record, visit.AddDays(1)); a.Validity != eligibility.CheckFailed || a.ErrorCode != oqs.ErrorOtherDay {
		t.Errorf("an answer for another day gives %s", a.Validity)
	}
}

func TestTolerated(t *testing.T) {
	for name, c := range map[string]struct {
		doc   []byte
		place string
		code  oqs.RemarkCode
	}{
		"body before header":  {doc(body("1", results(full)), head), "", ""},
		"no status":           {doc(head, strings.Replace(body("1", results(full)), "<ProcessingResultStatus>1</ProcessingResultStatus>", "", 1)), "", ""},
		"empty elements":      {doc(head, body("1", results("<Name/><Birthdate></Birthdate><ElderlyRecipientCertificateInfo/>"))), "", ""},
		"no result list":      {doc(head, body("1", "<ResultOfQualificationConfirmation>"+full+"</ResultOfQualificationConfirmation>")), "", ""},
		"empty result list":   {doc(head, body("1", "<ResultList/>")), "", ""},
		"a default namespace": {[]byte(strings.Replace(string(doc(head, body("1", ""))), "<XmlMsg>", `<XmlMsg xmlns="urn:x">`, 1)), "", ""},
		"comments between":    {doc("<!-- a -->", head, "<!-- b -->", body("1", "")), "", ""},
		"a new element":       {doc(head, body("1", results(full+"<Novelty><Inner>x</Inner></Novelty>"))), "line 2", oqs.UnknownElement},
		"a foreign namespace": {doc(head, body("1", `<x:QualificationValidity xmlns:x="urn:y">2</x:QualificationValidity>`)), "line 2", oqs.UnknownElement},
		"a new card class":    {doc(head, body("1", results("<InsuredCardClassification>88</InsuredCardClassification>"))), "", ""},
		"a new relation": {doc(head, body("1", results("<PersonalFamilyClassification>7</PersonalFamilyClassification>"))),
			"MessageBody/ResultList/ResultOfQualificationConfirmation/PersonalFamilyClassification", oqs.UnknownCode},
		"a new validity":     {doc(head, body("6", "")), "MessageBody/QualificationValidity", oqs.UnknownCode},
		"an impossible date": {doc(head, body("1", results("<Birthdate>19500231</Birthdate>"))), "MessageBody/ResultList/ResultOfQualificationConfirmation/Birthdate", oqs.Malformed},
		"a day not known":    {doc(head, body("1", results("<DisqualificationDate>99999999</DisqualificationDate>"))), "", ""},
		"a long number": {doc(head, body("1", results("<InsuredIdentificationNumber>"+strings.Repeat("1", 21)+"</InsuredIdentificationNumber>"))),
			"MessageBody/ResultList/ResultOfQualificationConfirmation/InsuredIdentificationNumber", oqs.TooLong},
		"a share of none": {doc(head, body("1", results("<InsuredPartialContributionRatio>3</InsuredPartialContributionRatio>"))),
			"MessageBody/ResultList/ResultOfQualificationConfirmation/InsuredPartialContributionRatio", oqs.UnknownCode},
		"two coverages": {doc(head, body("1", results(full, full))), "MessageBody", oqs.SeveralCoverage},
		"no identifier": {doc(strings.Replace(head, record, "", 1), body("1", "")), "MessageHeader/ArbitraryFileIdentifier", oqs.Missing},
		"a letter in insurer": {doc(head, body("1", results("<InsurerNumber>0113001X</InsurerNumber>"))),
			"MessageBody/ResultList/ResultOfQualificationConfirmation/InsurerNumber", oqs.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			r := must(t, c.doc)
			a, ok := r.Answer(record, visit)
			if !ok || a.Validate() != nil || name != "a new validity" && a.Validity != eligibility.Valid {
				t.Errorf("got %s %v", a.Validity, a.Validate())
			}
			if c.code == "" && len(r.Remarks) > 0 || c.code != "" && !slices.Contains(r.Remarks, oqs.Remark{Place: c.place, Code: c.code}) {
				t.Errorf("remarks %v", r.Remarks)
			}
		})
	}
}

func TestNamesOfFortyCharacters(t *testing.T) {
	name, kana := strings.Repeat("髙", 39)+"●", strings.Repeat("ﾊﾞ", 40)
	a, _ := must(t, doc(head, body("1", results("<Name>"+name+"</Name><NameKana>"+kana+"</NameKana>")))).Answer(record, visit)
	if a.HolderKanji != name || a.HolderKana != kana {
		t.Error("a long name is cut")
	}
	huge := must(t, doc(head, body("1", results("<Name>"+strings.Repeat("髙", 1000)+"</Name>"))))
	if a, _ = huge.Answer(record, visit); a.Validate() != nil || len(huge.Remarks) != 1 || huge.Remarks[0].Code != oqs.TooLong {
		t.Errorf("%v %v", a.Validate(), huge.Remarks)
	}
}

func TestRefused(t *testing.T) {
	good := string(doc(head, body("1", results(full))))
	twice := func(element string) []byte {
		i := strings.Index(good, "<"+element+">")
		end := i + strings.Index(good[i:], "</"+element+">") + len("</"+element+">")
		return []byte(good[:end] + good[i:end] + good[end:])
	}
	bomb := `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;">]>`
	for name, c := range map[string]struct {
		doc  []byte
		word string
	}{
		"an entity bomb":          {[]byte(strings.Replace(good, "<XmlMsg>", bomb+"<XmlMsg>", 1)), oqs.RefusedEntities},
		"a file as entity":        {[]byte(strings.Replace(good, "<XmlMsg>", `<!DOCTYPE x SYSTEM "file:///etc/passwd"><XmlMsg>`, 1)), oqs.RefusedEntities},
		"an entity of nowhere":    {[]byte(strings.Replace(good, "窓口", "&secret;", 1)), oqs.RefusedEntities},
		"depth":                   {doc(head, strings.Repeat("<a>", 60), strings.Repeat("</a>", 60)), oqs.RefusedTooLarge},
		"elements":                {doc(head, strings.Repeat("<a/>", oqs.MaxElements)), oqs.RefusedTooLarge},
		"size":                    {doc(head, body("1", ""), strings.Repeat(" ", oqs.MaxBytes)), oqs.RefusedTooLarge},
		"one long text":           {doc(head, body("1", results("<Name>"+strings.Repeat("あ", 9000)+"</Name>"))), oqs.RefusedTooLarge},
		"validity twice":          {twice("QualificationValidity"), oqs.RefusedTwice},
		"identifier twice":        {twice("ArbitraryFileIdentifier"), oqs.RefusedTwice},
		"segment twice":           {twice("SegmentOfResult"), oqs.RefusedTwice},
		"number twice":            {twice("InsuredIdentificationNumber"), oqs.RefusedTwice},
		"header twice":            {doc(head, head, body("1", "")), oqs.RefusedTwice},
		"body twice":              {doc(head, body("1", ""), body("2", "")), oqs.RefusedTwice},
		"validity elsewhere":      {doc(head, body("1", "<New><QualificationValidity>2</QualificationValidity></New>")), oqs.RefusedTwice},
		"validity in two halves":  {doc(head, body("1<!-- -->", "")), oqs.RefusedMarkup},
		"an element in a text":    {doc(head, body("1<b/>", "")), oqs.RefusedMarkup},
		"text between elements":   {doc(head, "invalid", body("1", "")), oqs.RefusedMarkup},
		"text after the root":     {append(doc(head, body("1", "")), "<x/>"...), oqs.RefusedMarkup},
		"tags crossed":            {doc(head, "<MessageBody><ResultList></MessageBody></ResultList>"), oqs.RefusedMarkup},
		"another root":            {[]byte("<html></html>"), oqs.RefusedRoot},
		"a bulk answer":           {doc(head, "<MessageBody><BulkConfirmUnit/></MessageBody>"), oqs.RefusedRoot},
		"UTF-8 that is none":      {[]byte(strings.Replace(good, "窓口", "\x91\x8b", 1)), oqs.RefusedEncoding},
		"Shift_JIS that is none":  {[]byte(strings.NewReplacer("UTF-8", "Shift_JIS", "<CharacterCodeIdentifier>0", "<CharacterCodeIdentifier>1", "窓口", "\x81\xff\xfd").Replace(string(doc(head, "<MessageBody><Name>窓口</Name></MessageBody>")))), oqs.RefusedEncoding},
		"UTF-16":                  {[]byte("\xff\xfe<\x00X\x00"), oqs.RefusedEncoding},
		"another set":             {[]byte(strings.Replace(good, "UTF-8", "EUC-JP", 1)), oqs.RefusedEncoding},
		"a password archive":      {[]byte("PK\x03\x04rest"), oqs.RefusedZip},
		"nothing":                 {nil, oqs.RefusedIncomplete},
		"blanks":                  {[]byte("  \r\n"), oqs.RefusedIncomplete},
		"half":                    {[]byte(good[:len(good)/2]), oqs.RefusedIncomplete},
		"all but the last byte":   {[]byte(good[:len(good)-1]), oqs.RefusedIncomplete},
		"cut within a character":  {[]byte(good[:strings.Index(good, "窓口")+1]), oqs.RefusedIncomplete},
		"room not yet filled":     {append([]byte(good[:200]), make([]byte, 500)...), oqs.RefusedIncomplete},
		"the declaration alone":   {[]byte(`<?xml version="1.0" encoding="UTF-8"?>`), oqs.RefusedIncomplete},
		"a declaration of no end": {[]byte(`<?xml version="1.0"`), oqs.RefusedIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := oqs.ParseResult(c.doc)
			if oqs.WordOf(err) != c.word || len(r.Items) != 0 {
				t.Errorf("got %v, want %s", err, c.word)
			}
			if _, err := oqs.ParseBulkResult(c.doc); err == nil && name != "elements" && name != "size" && name != "a bulk answer" && name != "validity elsewhere" {
				t.Errorf("the bulk reader takes it")
			}
			for _, secret := range []string{"窓口", "01130012", "secret", "passwd", "invalid"} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the error repeats %q", secret)
				}
			}
		})
	}
}

func TestHalfWrittenWhereverItEnds(t *testing.T) {
	good := doc(head, body("1", results(full)))
	for n := 0; n < len(good); n += 1 + n/300 { // every byte of the declaration, then ever fewer
		if _, err := oqs.ParseResult(good[:n]); oqs.WordOf(err) != oqs.RefusedIncomplete {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
	}
}

func TestCharacterSets(t *testing.T) {
	plain := string(doc(head, body("1", results("<Name>髙﨑　①郎～－</Name>"))))
	sjis := func(s string) []byte {
		b, err := japanese.ShiftJIS.NewEncoder().Bytes([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	swap := strings.NewReplacer("UTF-8", "Shift_JIS", "<CharacterCodeIdentifier>0", "<CharacterCodeIdentifier>1")
	word := strings.NewReplacer("<CharacterCodeIdentifier>0", "<CharacterCodeIdentifier>1")
	decl := strings.NewReplacer("UTF-8", "Windows-31J")
	none := strings.NewReplacer(` encoding="UTF-8"`, "", "<CharacterCodeIdentifier>0</CharacterCodeIdentifier>", "")
	noWord := strings.NewReplacer("<CharacterCodeIdentifier>0</CharacterCodeIdentifier>", "")
	for name, c := range map[string]struct {
		doc  []byte
		want oqs.Encoding
		odd  bool
	}{
		"UTF-8":                            {[]byte(plain), oqs.UTF8, false},
		"UTF-8 with a byte order mark":     {[]byte("\ufeff" + plain), oqs.UTF8, false},
		"Shift_JIS":                        {sjis(swap.Replace(plain)), oqs.ShiftJIS, false},
		"Shift_JIS by declaration alone":   {sjis(decl.Replace(noWord.Replace(plain))), oqs.ShiftJIS, false},
		"nothing said, UTF-8":              {[]byte(none.Replace(plain)), oqs.UTF8, false},
		"nothing said, Shift_JIS":          {sjis(none.Replace(plain)), oqs.ShiftJIS, false},
		"declared UTF-8, word and bytes 1": {sjis(word.Replace(plain)), oqs.ShiftJIS, true},
		"declared UTF-8, word 1":           {[]byte(word.Replace(plain)), oqs.UTF8, true},
		"declared Shift_JIS, word 0":       {[]byte(decl.Replace(plain)), oqs.UTF8, true},
		"Shift_JIS said twice, and UTF-8":  {[]byte(swap.Replace(plain)), oqs.UTF8, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := must(t, c.doc)
			if r.Encoding != c.want || r.Items[0].Coverage.Name != "髙﨑　①郎～－" {
				t.Errorf("got %s %s", r.Encoding, r.Items[0].Coverage.Name)
			}
			if odd := slices.ContainsFunc(r.Remarks, func(m oqs.Remark) bool { return m.Code == oqs.OtherEncoding }); odd != c.odd {
				t.Errorf("remarks %v", r.Remarks)
			}
		})
	}
	// Names in kana alone are Shift_JIS by chance too, and would be another person's.
	kana := strings.NewReplacer("髙﨑　①郎～－", "ヤマダ　ハナ").Replace(plain)
	if r := must(t, []byte(swap.Replace(kana))); r.Items[0].Coverage.Name != "ヤマダ　ハナ" {
		t.Errorf("read as %s", r.Items[0].Coverage.Name)
	}
	half := strings.NewReplacer("髙﨑　①郎～－", "ﾂｱ").Replace(plain) // two bytes that are one character of UTF-8
	if r := must(t, sjis(swap.Replace(half))); r.Items[0].Coverage.Name != "ﾂｱ" || r.Encoding != oqs.ShiftJIS {
		t.Errorf("read as %s", r.Items[0].Coverage.Name)
	}
}

func TestInsuranceComesBeforeMedicalAid(t *testing.T) {
	aid := "<InsuredCardClassification>A1</InsuredCardClassification><InsurerNumber>12131234</InsurerNumber>"
	past := "<InsurerNumber>012344</InsurerNumber><QualificationDate>20100401</QualificationDate><DisqualificationDate>20200401</DisqualificationDate>"
	a, _ := must(t, doc(head, body("1", results(aid, past, full)))).Answer(record, visit)
	if a.InsurerNumber != "01130012" {
		t.Errorf("got %q", a.InsurerNumber)
	}
}

func TestSpanOfACoverage(t *testing.T) {
	for name, c := range map[string]struct{ told, from, to string }{
		"coverage":           {"<QualificationDate>20200401</QualificationDate><DisqualificationDate>20261121</DisqualificationDate>", "2020-04-01", "2026-11-20"},
		"card":               {"<InsuredCardValidDate>20200401</InsuredCardValidDate><InsuredCardExpirationDate>20270331</InsuredCardExpirationDate>", "2020-04-01", "2027-03-31"},
		"a card that is out": {"<InsuredCardExpirationDate>20250331</InsuredCardExpirationDate>", "", ""},
		"lost on the day":    {"<QualificationDate>20261120</QualificationDate><DisqualificationDate>20261120</DisqualificationDate>", "2026-11-20", "2026-11-20"},
	} {
		a, _ := must(t, doc(head, body("1", results(c.told)))).Answer(record, visit)
		if a.ValidFrom.String() != c.from || a.ValidTo.String() != c.to || a.Validate() != nil || !a.Covers(visit) {
			t.Errorf("%s: %v to %v", name, a.ValidFrom, a.ValidTo)
		}
	}
}

func TestBulk(t *testing.T) {
	unit := func(id, validity string) string {
		return "<BulkConfirmUnit>" + strings.Replace(strings.TrimSuffix(strings.TrimPrefix(body(validity, "<ResultOfQualificationConfirmation>"+full+"</ResultOfQualificationConfirmation>"), "<MessageBody>"), "</MessageBody>"), ">x1<", ">"+id+"<", 1) + "</BulkConfirmUnit>"
	}
	h := strings.Replace(head, "<SegmentOfResult>", "<ReceptionNumber>R-77</ReceptionNumber><NumberOfError>0</NumberOfError><SegmentOfResult>", 1)
	for name, wrap := range map[string]func(string) string{
		"as published": func(s string) string { return "<MessageBody>" + s + "</MessageBody>" },
		"wrapped":      func(s string) string { return "<MessageBody><UnitList>" + s + "</UnitList></MessageBody>" },
		"other name": func(s string) string {
			return "<MessageBody>" + strings.ReplaceAll(s, "BulkConfirmUnit", "Unit") + "</MessageBody>"
		},
	} {
		r, err := oqs.ParseBulkResult(doc(h, wrap(unit("p1", "1")+unit("p2", "4")+unit("p3", "1"))))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, i := range r.Items {
			got += i.Identifier + " " + string(i.Answer(record, visit).Validity) + ";"
		}
		if got != "p1 valid;p2 none_found;p3 valid;" || r.ReceptionNumber != "R-77" || r.Identifier != record {
			t.Errorf("%s: %s %s", name, got, r.ReceptionNumber)
		}
	}
	progress, err := oqs.ParseBulkResult(doc(strings.Replace(h, "<SegmentOfResult>1<", "<SegmentOfResult>2<", 1), "<MessageBody/>"))
	if err != nil || progress.Segment != oqs.InProgress {
		t.Errorf("%v %v", progress.Segment, err)
	}
	twice := strings.Replace(unit("p1", "1"), "<QualificationValidity>", "<QualificationValidity>2</QualificationValidity><QualificationValidity>", 1)
	if _, err := oqs.ParseBulkResult(doc(h, "<MessageBody>"+unit("p0", "1")+twice+"</MessageBody>")); oqs.WordOf(err) != oqs.RefusedTwice || fault.PlaceOf(err) != "MessageBody/BulkConfirmUnit[2]/QualificationValidity" {
		t.Errorf("got %v", err)
	}
	many := strings.Repeat("<BulkConfirmUnit/>", oqs.MaxSearches+1)
	if _, err := oqs.ParseBulkResult(doc(h, "<MessageBody>"+many+"</MessageBody>")); oqs.WordOf(err) != oqs.RefusedTooLarge {
		t.Errorf("got %v", err)
	}
}

func TestReception(t *testing.T) {
	for name, b := range map[string][]byte{
		"in the header": doc(strings.Replace(head, "<SegmentOfResult>", "<ReceptionNumber>20261120-7</ReceptionNumber><SegmentOfResult>", 1)),
		"no segment":    doc(strings.Replace(head, "<SegmentOfResult>1</SegmentOfResult>", "", 1), "<MessageBody><ReceptionNumber>20261120-7</ReceptionNumber></MessageBody>"),
		"in the body":   doc(head, "<MessageBody><ReceptionNumber> 20261120-7 </ReceptionNumber></MessageBody>"),
	} {
		r, err := oqs.ParseReception(b)
		if err != nil || r.ReceptionNumber != "20261120-7" || r.Identifier != record || r.Segment != oqs.Done || len(r.Remarks) > 0 {
			t.Errorf("%s: %#v %v", name, r, err)
		}
	}
	r, err := oqs.ParseReception(doc(head, "<MessageBody><ReceptionNumber>１ 2</ReceptionNumber></MessageBody>"))
	if err != nil || r.ReceptionNumber != "" || len(r.Remarks) != 1 {
		t.Errorf("%#v %v", r, err)
	}
	both := doc(strings.Replace(head, "<SegmentOfResult>", "<ReceptionNumber>1</ReceptionNumber><SegmentOfResult>", 1), "<MessageBody><ReceptionNumber>2</ReceptionNumber></MessageBody>")
	if _, err := oqs.ParseReception(both); oqs.WordOf(err) != oqs.RefusedTwice {
		t.Errorf("got %v", err)
	}
}

func TestNothingPersonalIsPrinted(t *testing.T) {
	r := must(t, doc(head, body("1", results(full))))
	var out strings.Builder
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("x", "r", r, "i", r.Items[0], "c", *r.Items[0].Coverage, "a", r.Items[0].Asked, "s", oqs.Search{Number: "4260099"})
	fmt.Fprintf(&out, "%v %+v %s %v %v %v", r, r.Items[0], r.Items[0].Coverage, r.Items[0].Asked, r.Items, oqs.Search{Number: insurance.MemberNumber("4260099")})
	for _, secret := range []string{"窓口", "01130012", "ﾊﾅｺ", "19520401", "1952", "4260099"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s is in the output", secret)
		}
	}
}
