package oqs

import (
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Code is an ErrorCode of this stand-in. The system's own list is not public: all but the
// line's are made up, and no program may rely on them.
type Code string

// The codes.
const (
	BadName        Code = "PRACTICE-01" // the file's name is not of the agreed form
	BadEncoding    Code = "PRACTICE-02" // the characters are not those that the document names
	BadXML         Code = "PRACTICE-03"
	Missing        Code = "PRACTICE-04" // a required element is not there or empty
	BadForm        Code = "PRACTICE-05" // an element's text has another form
	Unknown        Code = "PRACTICE-06" // an element that is not in the interface, or out of order
	BadInstitution Code = "PRACTICE-07" // another clinic's code
	NoReception    Code = "PRACTICE-08" // no such reception number
	TooMany        Code = "PRACTICE-09"
	LineCut        Code = "OQC-OWSE0900000" // seen in public where a clinic's line was cut
)

// refusal is why a request was not taken. Element is the one it is about, never its text.
type refusal struct {
	Code    Code
	Element string
}

func (r *refusal) Error() string { return string(r.Code) + " " + r.Element }

var words = map[Code]string{
	BadName: "ファイル名が正しくありません。", BadEncoding: "文字コードが正しくありません。", BadXML: "XML形式が正しくありません。",
	Missing: "必須項目が設定されていません。", BadForm: "項目の形式が正しくありません。", Unknown: "定義されていない項目、または順序の誤りです。",
	BadInstitution: "医療機関コードが一致しません。", NoReception: "受付番号が存在しません。", TooMany: "件数が上限を超えています。",
	LineCut: "オンライン資格確認等システムに接続できません。",
}

func (r *refusal) message() string {
	if r.Element == "" {
		return words[r.Code]
	}
	return words[r.Code] + "（" + r.Element + "）"
}

// kind is one of the three exchanges.
type kind string

const (
	single   kind = "OQSsiquc01"
	bulkAsk  kind = "OQSmuquc01"
	bulkTake kind = "OQSmuquc02"
)

var requestName = regexp.MustCompile(`^(OQSsiquc01|OQSmuquc01|OQSmuquc02)req_[0-9A-Za-z_-]{1,40}\.xml$`)

// maxSearches is how many people one bulk request may ask for.
const maxSearches = 10_000

// element says how an element must be written.
type element struct {
	name     string
	required bool
	form     *regexp.Regexp // nil: text of at most 100 characters
	check    func(string) bool
}

var (
	form8       = regexp.MustCompile(`^[0-9]{8}$`)
	insurerForm = regexp.MustCompile(`^([0-9]{8}|  [0-9]{6})$`) // 8 characters, blanks before a shorter number
	memberForm  = regexp.MustCompile(`^.{1,20}$`)
	branchForm  = regexp.MustCompile(`^[0-9]{2}$`)
	flagForm    = regexp.MustCompile(`^[01]$`)
	codeForm    = regexp.MustCompile(`^[0-9]{10}$`)
	idForm      = regexp.MustCompile(`^[\x21-\x7e]{1,100}$`)
	receiptForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,40}$`)
)

var header = []element{
	{name: "QualificationConfirmationDate", required: true, form: form8, check: isDate},
	{name: "MedicalInstitutionCode", required: true, form: codeForm},
	{name: "ArbitraryFileIdentifier", form: idForm},
}

var takeHeader = []element{header[1], header[2]}

var search = []element{
	{name: "InsurerNumber", required: true, form: insurerForm},
	{name: "InsuredCardSymbol", form: memberForm},
	{name: "InsuredIdentificationNumber", required: true, form: memberForm},
	{name: "InsuredBranchNumber", form: branchForm},
	{name: "Birthdate", required: true, form: form8, check: isDate},
	{name: "LimitApplicationCertificateRelatedConsFlg", required: true, form: flagForm},
	{name: "ArbitraryIdentifier", form: idForm},
}

var take = []element{{name: "ReceptionNumber", required: true, form: receiptForm}}

func isDate(s string) bool { _, err := time.Parse("20060102", s); return err == nil }

// date turns yyyyMMdd into YYYY-MM-DD.
func date(s string) string { return s[:4] + "-" + s[4:6] + "-" + s[6:] }

// request is one request that was read.
type request struct {
	kind       kind
	day        string // YYYY-MM-DD, of the first two kinds
	identifier string
	searches   []*node
	reception  string
}

// parse reads a request of the kind. With a refusal, what could be read is given too, so
// that the answer can bear the request's identifier.
func parse(k kind, raw []byte, institution string) (request, *refusal) {
	r := request{kind: k}
	root, err := read(raw)
	switch {
	case errors.Is(err, errEncoding):
		return r, &refusal{BadEncoding, ""}
	case err != nil:
		return r, &refusal{BadXML, ""}
	}
	if f := shape(root, "XmlMsg", "MessageHeader", "MessageBody"); f != nil {
		return r, f
	}
	head, body := root.kids[0], root.kids[1]
	r.identifier = head.value("ArbitraryFileIdentifier")
	if !idForm.MatchString(r.identifier) {
		r.identifier = ""
	}
	wanted := header
	if k == bulkTake {
		wanted = takeHeader
	}
	if f := check(head, wanted); f != nil {
		return r, f
	}
	if head.value("MedicalInstitutionCode") != institution {
		return r, &refusal{BadInstitution, "MedicalInstitutionCode"}
	}
	if k == bulkTake {
		if f := check(body, take); f != nil {
			return r, f
		}
		r.reception = body.value("ReceptionNumber")
		return r, nil
	}
	r.day = date(head.value("QualificationConfirmationDate"))
	return r.people(body)
}

// people reads the search blocks. In a bulk request a block whose texts are wrong is
// answered for itself; one that is built wrongly refuses the request.
func (r request) people(body *node) (request, *refusal) {
	r.searches = body.kids
	if len(r.searches) == 0 {
		return r, &refusal{Missing, "QualificationConfirmSearchInfo"}
	}
	if r.kind == single && len(r.searches) > 1 || len(r.searches) > maxSearches {
		return r, &refusal{TooMany, "QualificationConfirmSearchInfo"}
	}
	for _, s := range r.searches {
		if s.name != "QualificationConfirmSearchInfo" {
			return r, &refusal{Unknown, s.name}
		}
		if f := check(s, search); f != nil && (r.kind == single || f.Code == Unknown) {
			return r, f
		}
	}
	return r, nil
}

func shape(n *node, name string, kids ...string) *refusal {
	if n.name != name {
		return &refusal{Unknown, n.name}
	}
	for i, k := range n.kids {
		if i >= len(kids) || k.name != kids[i] {
			return &refusal{Unknown, k.name}
		}
	}
	if len(n.kids) < len(kids) {
		return &refusal{Missing, kids[len(n.kids)]}
	}
	return nil
}

// check holds a block against the elements that it may have, in their order.
func check(n *node, wanted []element) *refusal {
	at := 0
	for _, k := range n.kids {
		for at < len(wanted) && wanted[at].name != k.name {
			at++
		}
		if at == len(wanted) || len(k.kids) > 0 {
			return &refusal{Unknown, k.name}
		}
		at++
	}
	for _, e := range wanted {
		text := n.value(e.name)
		switch {
		case strings.TrimSpace(text) == "" && e.required:
			return &refusal{Missing, e.name}
		case text == "":
			continue
		case e.form != nil && !e.form.MatchString(text), e.check != nil && !e.check(text), utf8.RuneCountInString(text) > 100:
			return &refusal{BadForm, e.name}
		}
	}
	return nil
}
