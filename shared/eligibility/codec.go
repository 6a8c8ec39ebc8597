package eligibility

import (
	"encoding/json"
	"fmt"
	"regexp"
	"unicode"
	"unicode/utf8"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/internal/strictjson"
	"madoguchi.example/shared/jptext"
)

// Sizes of the sealed documents in bytes, checked before they are decoded, and of their
// parts in characters.
const (
	MaxInquiryBytes = 4 << 10
	MaxAnswerBytes  = 12 << 10
	MaxMemberText   = 20 // 記号, 番号
	MaxNameText     = 200
	MaxNotes        = 20
	MaxConsents     = 12
)

var recordForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// Encode writes the inquiry as JSON after Validate.
func (q Inquiry) Encode() ([]byte, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("cannot write an inquiry: %w", err)
	}
	return b, nil
}

// ParseInquiry reads what Encode writes and nothing else. Errors name the place.
func ParseInquiry(data []byte) (Inquiry, error) {
	var q Inquiry
	if err := decode("inquiry", data, MaxInquiryBytes, &q); err != nil {
		return Inquiry{}, err
	}
	if err := q.Validate(); err != nil {
		return Inquiry{}, err
	}
	return q, nil
}

// Validate checks forms: canonical numbers, a birth date, a visit day not before it. A
// wrong check digit is no fault here; the desk has warned of it.
func (q Inquiry) Validate() error {
	if !recordForm.MatchString(q.RecordID) {
		return fault.At(fault.InvalidArgument, "record_id", "must be a UUID version 7")
	}
	if err := checkInsurer(q.InsurerNumber, true); err != nil {
		return err
	}
	if err := checkMember(q.Symbol, q.Number, q.Branch, true); err != nil {
		return err
	}
	switch {
	case q.BirthDate.IsZero():
		return fault.At(fault.InvalidArgument, "birth_date", "must be given")
	case q.VisitDay.IsZero():
		return fault.At(fault.InvalidArgument, "visit_day", "must be given")
	case q.VisitDay.Before(q.BirthDate):
		return fault.At(fault.InvalidArgument, "visit_day", "must not be before the birth date")
	}
	return nil
}

// Encode writes the answer as JSON after Validate.
func (a Answer) Encode() ([]byte, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("cannot write an answer: %w", err)
	}
	return b, nil
}

// ParseAnswer reads an answer. Unlike an inquiry it may have members that this version
// does not know, so that an old agent survives a newer payer; what it does know is
// checked. Errors name the place.
func ParseAnswer(data []byte) (Answer, error) {
	if len(data) > MaxAnswerBytes {
		return Answer{}, fault.At(fault.TooLarge, "answer", "must be at most %d bytes", MaxAnswerBytes)
	}
	var a Answer
	if err := json.Unmarshal(data, &a); err != nil {
		return Answer{}, fault.At(fault.InvalidArgument, "answer", "must be JSON of the agreed shape")
	}
	if err := a.Validate(); err != nil {
		return Answer{}, err
	}
	return a, nil
}

// Validate checks that the answer has a word, for a day, about a record, and that what it
// tells is well-formed.
func (a Answer) Validate() error {
	switch {
	case !recordForm.MatchString(a.RecordID):
		return fault.At(fault.InvalidArgument, "record_id", "must be a UUID version 7")
	case a.VisitDay.IsZero():
		return fault.At(fault.InvalidArgument, "visit_day", "must be given")
	case !a.Validity.known():
		return fault.At(fault.InvalidArgument, "validity", "must be one of the payer's words")
	case a.CopaymentPercent < 0 || a.CopaymentPercent > 100:
		return fault.At(fault.InvalidArgument, "copayment_percent", "must be a percentage")
	case !a.ValidFrom.IsZero() && !a.ValidTo.IsZero() && a.ValidTo.Before(a.ValidFrom):
		return fault.At(fault.InvalidArgument, "valid_to", "must not be before valid_from")
	}
	if err := checkInsurer(a.InsurerNumber, false); err != nil {
		return err
	}
	if err := checkMember(a.Symbol, a.Number, a.Branch, false); err != nil {
		return err
	}
	if len(a.Notes) > MaxNotes || len(a.Consents) > MaxConsents || len(a.Diseases) > MaxConsents {
		return fault.At(fault.TooLarge, "answer", "must be at most %d notes and %d consents", MaxNotes, MaxConsents)
	}
	for _, t := range []struct{ place, text string }{
		{"error_code", a.ErrorCode}, {"reference", a.Reference}, {"elderly", a.Elderly}, {"ceiling", a.Ceiling},
		{"insurer_name", a.InsurerName}, {"holder_kanji", a.HolderKanji}, {"holder_kana", a.HolderKana},
	} {
		if err := checkText(t.place, t.text, MaxNameText); err != nil {
			return err
		}
	}
	return nil
}

func (v Validity) known() bool {
	switch v {
	case Valid, Invalid, NewerCoverage, NoneFound, SeveralFound, CheckFailed:
		return true
	}
	return false
}

func checkInsurer(number string, required bool) error {
	if number == "" && !required {
		return nil
	}
	n, _, err := insurance.ParseInsurerNumber(number)
	if err != nil {
		return fault.At(fault.CodeOf(err), "insurer_number", "must be 6 or 8 digits")
	}
	if string(n) != number {
		return fault.At(fault.InvalidArgument, "insurer_number", "must be canonical: half-width, no blanks, no padding")
	}
	return nil
}

func checkMember(symbol, number, branch string, required bool) error {
	if required && number == "" {
		return fault.At(fault.InvalidArgument, "number", "must be given")
	}
	if err := checkText("symbol", symbol, MaxMemberText); err != nil {
		return err
	}
	if err := checkText("number", number, MaxMemberText); err != nil {
		return err
	}
	if branch != "" && (len(branch) != 2 || !jptext.IsDigits(branch)) {
		return fault.At(fault.InvalidArgument, "branch", "must be two digits or empty")
	}
	return nil
}

func checkText(place, text string, limit int) error {
	if !utf8.ValidString(text) {
		return fault.At(fault.InvalidArgument, place, "must be UTF-8")
	}
	if utf8.RuneCountInString(text) > limit {
		return fault.At(fault.TooLarge, place, "must be at most %d characters", limit)
	}
	for _, r := range text {
		if unicode.IsControl(r) {
			return fault.At(fault.InvalidArgument, place, "must not hold control characters")
		}
	}
	return nil
}

// bare is the form in which symbols and numbers are compared: folded width, no
// blanks, no hyphens.
func bare(s string) string { return jptext.Bare(s) }

func decode(place string, data []byte, limit int, into any) error {
	if len(data) > limit {
		return fault.At(fault.TooLarge, place, "must be at most %d bytes", limit)
	}
	if err := strictjson.Decode(data, into); err != nil {
		return fault.At(fault.InvalidArgument, place, "%s", err.Error())
	}
	return nil
}
