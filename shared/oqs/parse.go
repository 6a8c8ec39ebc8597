package oqs

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/jptext"
)

var (
	singleLimits = limits{bytes: MaxBytes, elements: MaxElements, once: onceInSingle}
	bulkLimits   = limits{bytes: MaxBulkBytes, elements: MaxBulkElements, once: onceInHeader}
)

// ParseResult reads OQSsiquc01res and the results that face readers push.
func ParseResult(b []byte) (Result, error) {
	root, enc, remarks, err := readTree(b, singleLimits)
	if err != nil {
		return Result{}, err
	}
	r := reader{remarks: remarks}
	result := r.header(root)
	body := root.child("MessageBody")
	if body.child("BulkConfirmUnit") != nil {
		return Result{}, refuse("MessageBody/BulkConfirmUnit", RefusedRoot)
	}
	if r.segment(&result, hasWord(body)); result.Segment == Done {
		result.Items = r.block(body)
	}
	result.Encoding, result.Remarks = enc, r.remarks
	return result, nil
}

// ParseBulkResult reads OQSmuquc02res: a block for each person.
func ParseBulkResult(b []byte) (Result, error) {
	root, enc, remarks, err := readTree(b, bulkLimits)
	if err != nil {
		return Result{}, err
	}
	r := reader{remarks: remarks}
	result := r.header(root)
	blocks := blocksBelow(root.child("MessageBody"))
	if r.segment(&result, len(blocks) > 0); result.Segment == Done {
		for _, b := range blocks {
			result.Items = append(result.Items, r.block(b)...)
		}
	}
	result.Encoding, result.Remarks = enc, r.remarks
	return result, nil
}

// ParseReception reads OQSmuquc01res.
func ParseReception(b []byte) (Reception, error) {
	root, enc, remarks, err := readTree(b, singleLimits)
	if err != nil {
		return Reception{}, err
	}
	r := reader{remarks: remarks}
	h := r.header(root)
	if h.Segment == "" && h.ReceptionNumber != "" { // an acceptance need not say more
		h.Segment = Done
	}
	r.segment(&h, false)
	if identifier("reception", h.ReceptionNumber) != nil && h.ReceptionNumber != "" {
		h.ReceptionNumber = ""
		r.remark("MessageHeader/ReceptionNumber", Malformed)
	}
	return Reception{
		Identifier: h.Identifier, ExecutedAt: h.ExecutedAt, Institution: h.Institution, Segment: h.Segment,
		ErrorCode: h.ErrorCode, ErrorMessage: h.ErrorMessage, ReceptionNumber: h.ReceptionNumber,
		Encoding: enc, Remarks: r.remarks,
	}, nil
}

// hasWord tells whether an element is a person's block: it has an outcome of its own.
func hasWord(n *node) bool {
	return n.child("ProcessingResultStatus") != nil || n.child("QualificationValidity") != nil
}

// blocksBelow finds the blocks of a bulk answer, whatever their wrappers are called.
func blocksBelow(n *node) []*node {
	switch {
	case n == nil:
		return nil
	case n.name == "BulkConfirmUnit", hasWord(n):
		return []*node{n}
	}
	var found []*node
	for _, c := range n.children {
		found = append(found, blocksBelow(c)...)
	}
	return found
}

// reader turns the tree into typed fields and collects what is odd.
type reader struct{ remarks []Remark }

func (r *reader) remark(place string, code RemarkCode) { r.remarks = remark(r.remarks, place, code) }

func (r *reader) header(root *node) Result {
	h := root.child("MessageHeader")
	if h == nil {
		r.remark("MessageHeader", Missing)
		h = &node{}
	}
	result := Result{
		Identifier: r.text(h, "ArbitraryFileIdentifier"), ForDay: r.date(h, "QualificationConfirmationDate"),
		ExecutedAt: r.time(h, "ProcessExecutionTime"), Institution: r.text(h, "MedicalInstitutionCode"),
		ErrorCode: r.text(h, "ErrorCode"), ErrorMessage: r.text(h, "ErrorMessage"), ReceptionNumber: r.text(h, "ReceptionNumber"),
		Reference: Reference(r.code(h, "ReferenceClassification", map[string]string{"1": string(ByCard), "2": string(ByNumbers)})),
		Segment: Segment(r.code(h, "SegmentOfResult", map[string]string{
			"1": string(Done), "2": string(InProgress), "9": string(Abnormal),
		})),
	}
	if result.ReceptionNumber == "" {
		result.ReceptionNumber = r.text(root.child("MessageBody"), "ReceptionNumber")
	}
	if result.Identifier == "" {
		r.remark("MessageHeader/ArbitraryFileIdentifier", Missing)
	}
	return result
}

// segment settles what the document's end means. One that names none is done only where
// it carries a word.
func (r *reader) segment(result *Result, hasWord bool) {
	switch result.Segment {
	case Done, InProgress, Abnormal:
		return
	case "":
		r.remark("MessageHeader/SegmentOfResult", Missing)
		if hasWord {
			result.Segment = Done
			return
		}
	}
	result.Segment = OtherEnd
}

// block reads one person's outcome: an Item for each coverage, one where there is none.
func (r *reader) block(n *node) []Item {
	if n == nil {
		r.remark("MessageBody", Missing)
		return nil
	}
	item := Item{
		Code: r.text(n, "ProcessingResultCode"), Message: r.text(n, "ProcessingResultMessage"),
		Status:       Status(r.code(n, "ProcessingResultStatus", map[string]string{"1": string(StatusOK), "2": string(StatusError)})),
		Prescription: Prescription(r.code(n, "PrescriptionIssueSelect", map[string]string{"1": string(Electronic), "2": string(Paper)})),
		Reference:    r.text(n, "ReferenceNumber"),
		ValidityCode: r.text(n, "QualificationValidity"),
	}
	if item.Status != StatusOK && item.Status != StatusError {
		item.Status = StatusOther
	}
	item.Validity = r.validity(n, item.Status)
	if search := n.child("QualificationConfirmSearchInfo"); search != nil {
		item.Asked, item.Identifier = r.asked(search), r.text(search, "ArbitraryIdentifier")
	}
	found := append(n.all("ResultOfQualificationConfirmation"), n.child("ResultList").all("ResultOfQualificationConfirmation")...)
	if len(found) > MaxResults {
		r.remark(n.place, TooLong)
		found = found[:MaxResults]
	}
	if len(found) > 1 {
		r.remark(n.place, SeveralCoverage)
	}
	var items []Item
	for _, f := range found {
		if len(f.children) == 0 { // an empty element tells nothing
			continue
		}
		one := item
		one.Coverage = r.coverage(f)
		if told := r.text(f, "ReferenceNumber"); told != "" {
			one.Reference = told
		}
		items = append(items, one)
	}
	if len(items) == 0 {
		items = []Item{item}
	}
	return items
}

var validities = map[string]string{
	"1": string(eligibility.Valid), "2": string(eligibility.Invalid), "3": string(eligibility.NewerCoverage),
	"4": string(eligibility.NoneFound), "5": string(eligibility.SeveralFound),
}

// validity gives the word, and none beside an error: an error says nothing of a coverage.
func (r *reader) validity(n *node, s Status) eligibility.Validity {
	told := r.text(n, "QualificationValidity")
	word, known := validities[told]
	switch {
	case told == "":
		if s != StatusError {
			r.remark(n.below("QualificationValidity"), Missing)
		}
		return ""
	case !known:
		r.remark(n.below("QualificationValidity"), UnknownCode)
		return ""
	case s == StatusError:
		r.remark(n.below("QualificationValidity"), Contradiction)
		return ""
	}
	return eligibility.Validity(word)
}

func (r *reader) asked(n *node) Asked {
	insurer, _ := r.insurer(n)
	return Asked{
		Insurer: insurer, Symbol: r.member(n, "InsuredCardSymbol"), Number: r.member(n, "InsuredIdentificationNumber"),
		Branch: r.branch(n), BirthDate: r.date(n, "Birthdate"),
	}
}

// text gives a leaf's text without control characters, cut at the longest that is shown.
func (r *reader) text(n *node, name string) string {
	s := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, n.told(name))
	if utf8.RuneCountInString(s) > eligibility.MaxNameText {
		r.remark(n.below(name), TooLong)
		s = string([]rune(s)[:eligibility.MaxNameText])
	}
	return s
}

// code translates a known code and keeps others as told.
func (r *reader) code(n *node, name string, known map[string]string) string {
	told := r.text(n, name)
	if told == "" {
		return ""
	}
	if word, ok := known[told]; ok {
		return word
	}
	r.remark(n.below(name), UnknownCode)
	return told
}

// member gives a symbol or number; one that is longer than any is left out, not cut.
func (r *reader) member(n *node, name string) string {
	s := r.text(n, name)
	if utf8.RuneCountInString(s) > eligibility.MaxMemberText {
		r.remark(n.below(name), TooLong)
		return ""
	}
	return s
}

func (r *reader) branch(n *node) string {
	told := r.text(n, "InsuredBranchNumber")
	b, err := insurance.ParseBranch(told)
	if err != nil {
		r.remark(n.below("InsuredBranchNumber"), Malformed)
	}
	return string(b)
}

// insurer reads the number, padded or not. A doubt is a remark; what has no canonical form
// is left out.
func (r *reader) insurer(n *node) (insurance.InsurerNumber, []insurance.Doubt) {
	told := r.text(n, "InsurerNumber")
	if told == "" {
		return "", nil
	}
	number, doubts, err := insurance.ParseInsurerNumber(told)
	if err != nil {
		r.remark(n.below("InsurerNumber"), Malformed)
		return "", nil
	}
	if len(doubts) > 0 {
		r.remark(n.below("InsurerNumber"), CheckDigit)
	}
	return number, doubts
}

func (r *reader) date(n *node, name string) civil.Date {
	told := r.text(n, name)
	if told == "" || told == "00000000" || told == "99999999" {
		return civil.Date{}
	}
	if len(told) == 8 && jptext.IsDigits(told) {
		if d, err := civil.Parse(told[:4] + "-" + told[4:6] + "-" + told[6:]); err == nil {
			return d
		}
	}
	r.remark(n.below(name), Malformed)
	return civil.Date{}
}

func (r *reader) time(n *node, name string) time.Time {
	told := r.text(n, name)
	if told == "" {
		return time.Time{}
	}
	t, err := time.ParseInLocation(stamp, told, civil.Japan)
	if err != nil || len(told) != len(stamp) {
		r.remark(n.below(name), Malformed)
		return time.Time{}
	}
	return t
}

// below names a child's place.
func (n *node) below(name string) string {
	if n.place == "" {
		return name
	}
	return n.place + "/" + name
}
