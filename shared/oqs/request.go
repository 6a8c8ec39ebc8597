package oqs

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/jptext"
)

// Search is one person to be found: insurer, number and birth date are required.
type Search struct {
	Insurer   insurance.InsurerNumber
	Symbol    insurance.Symbol
	Number    insurance.MemberNumber
	Branch    insurance.Branch
	BirthDate civil.Date
	Ceiling   bool // the patient agreed that 限度額 is told
	// Identifier comes back with the person's block of a bulk answer (ArbitraryIdentifier).
	Identifier string
}

// SearchOf gives what an inquiry asks; its record id becomes the block's Identifier.
func SearchOf(q eligibility.Inquiry, ceiling bool) Search {
	return Search{
		Insurer: insurance.InsurerNumber(q.InsurerNumber), Symbol: insurance.Symbol(q.Symbol),
		Number: insurance.MemberNumber(q.Number), Branch: insurance.Branch(q.Branch),
		BirthDate: q.BirthDate, Ceiling: ceiling, Identifier: q.RecordID,
	}
}

// String masks all of it.
func (Search) String() string { return "***" }

// LogValue masks all of it.
func (Search) LogValue() slog.Value { return slog.StringValue("***") }

// Request is OQSsiquc01req: one person, for one day.
type Request struct {
	Day         civil.Date // the day to be checked: of a late check, the visit's
	Institution insurance.InstitutionCode
	Identifier  string // ArbitraryFileIdentifier: comes back with the answer
	Search      Search
}

// RequestOf gives the request for an inquiry: its visit day, with its record id as identifier.
func RequestOf(institution insurance.InstitutionCode, q eligibility.Inquiry, ceiling bool) Request {
	r := Request{Day: q.VisitDay, Institution: institution, Identifier: q.RecordID, Search: SearchOf(q, ceiling)}
	r.Search.Identifier = ""
	return r
}

// Encode writes the document. A character that Shift_JIS cannot carry is an UnsendableError.
func (r Request) Encode(enc Encoding) ([]byte, error) {
	return BulkRequest{Day: r.Day, Institution: r.Institution, Identifier: r.Identifier, Searches: []Search{r.Search}}.Encode(enc)
}

// BulkRequest is OQSmuquc01req: many people, for one day.
type BulkRequest struct {
	Day         civil.Date
	Institution insurance.InstitutionCode
	Identifier  string
	Searches    []Search // at most MaxSearches
}

// Encode writes the document.
func (r BulkRequest) Encode(enc Encoding) ([]byte, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	w := writer{header: []field{
		{"QualificationConfirmationDate", day8(r.Day)},
		{"MedicalInstitutionCode", string(r.Institution)},
		{"ArbitraryFileIdentifier", r.Identifier},
	}}
	for _, s := range r.Searches {
		w.blocks = append(w.blocks, s.fields())
	}
	return w.encode(enc)
}

func (r BulkRequest) validate() error {
	switch {
	case r.Day.IsZero():
		return refuse("visit_day", RefusedValue)
	case len(r.Institution) != 10 || !jptext.IsDigits(string(r.Institution)):
		return refuse("institution_code", RefusedValue)
	case len(r.Searches) == 0:
		return refuse("searches", RefusedValue)
	case len(r.Searches) > MaxSearches:
		return refuse("searches", RefusedTooLarge)
	}
	if err := identifier("identifier", r.Identifier); err != nil {
		return err
	}
	for _, s := range r.Searches {
		if err := s.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (s Search) validate() error {
	switch {
	case len(s.Insurer) != 6 && len(s.Insurer) != 8 || !jptext.IsDigits(string(s.Insurer)):
		return refuse("insurer_number", RefusedValue)
	case s.Number == "" || utf8.RuneCountInString(string(s.Number)) > insurance.MaxMemberText:
		return refuse("number", RefusedValue)
	case utf8.RuneCountInString(string(s.Symbol)) > insurance.MaxMemberText:
		return refuse("symbol", RefusedValue)
	case s.Branch != "" && (len(s.Branch) != 2 || !jptext.IsDigits(string(s.Branch))):
		return refuse("branch", RefusedValue)
	case s.BirthDate.IsZero():
		return refuse("birth_date", RefusedValue)
	}
	if s.Identifier == "" {
		return nil
	}
	return identifier("identifier", s.Identifier)
}

func identifier(place, s string) error {
	if s == "" || len(s) > MaxIdentifier || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return refuse(place, RefusedValue)
	}
	return nil
}

func (s Search) fields() []field {
	consent := "0"
	if s.Ceiling {
		consent = "1"
	}
	fields := []field{
		{"InsurerNumber", s.Insurer.OQS()},
		{"InsuredCardSymbol", string(s.Symbol)},
		{"InsuredIdentificationNumber", string(s.Number)},
		{"InsuredBranchNumber", string(s.Branch)},
		{"Birthdate", day8(s.BirthDate)},
		{"LimitApplicationCertificateRelatedConsFlg", consent},
	}
	if s.Identifier != "" {
		fields = append(fields, field{"ArbitraryIdentifier", s.Identifier})
	}
	return fields
}

// BulkCollect is OQSmuquc02req: it asks for the answer to an accepted bulk request.
type BulkCollect struct {
	Institution insurance.InstitutionCode
	Identifier  string
	Reception   string // ReceptionNumber of the reception
}

// Encode writes the document.
func (r BulkCollect) Encode(enc Encoding) ([]byte, error) {
	if len(r.Institution) != 10 || !jptext.IsDigits(string(r.Institution)) {
		return nil, refuse("institution_code", RefusedValue)
	}
	if err := identifier("identifier", r.Identifier); err != nil {
		return nil, err
	}
	if err := identifier("reception", r.Reception); err != nil {
		return nil, err
	}
	w := writer{
		header: []field{{"MedicalInstitutionCode", string(r.Institution)}, {"ArbitraryFileIdentifier", r.Identifier}},
		body:   []field{{"ReceptionNumber", r.Reception}},
	}
	return w.encode(enc)
}

// UnsendableError says which characters of which part Shift_JIS cannot carry. Error does
// not tell them: they are part of a name or a symbol, for the screen alone.
type UnsendableError struct {
	Place string // "symbol", "number"
	Runes []rune
}

// Error tells the place.
func (e *UnsendableError) Error() string { return e.Place + ": " + RefusedCharacter }

// Unwrap gives the fault that faces translate.
func (e *UnsendableError) Unwrap() error {
	return fault.At(fault.InvalidArgument, e.Place, RefusedCharacter)
}

// LogValue tells the place.
func (e *UnsendableError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// places gives the field's name to the person at the desk.
var places = map[string]string{"InsuredCardSymbol": "symbol", "InsuredIdentificationNumber": "number"}

type field struct{ name, value string }

type writer struct {
	header, body []field
	blocks       [][]field // of QualificationConfirmSearchInfo
}

func (w writer) encode(enc Encoding) ([]byte, error) {
	if !enc.Known() {
		return nil, refuse("encoding", RefusedValue)
	}
	var b bytes.Buffer
	declared := "UTF-8"
	if enc == ShiftJIS {
		declared = "Shift_JIS"
	}
	fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"%s\" standalone=\"no\"?>\r\n<XmlMsg>\r\n<MessageHeader>\r\n", declared)
	if err := put(&b, w.header); err != nil {
		return nil, err
	}
	b.WriteString("</MessageHeader>\r\n<MessageBody>\r\n")
	if err := put(&b, w.body); err != nil {
		return nil, err
	}
	for _, block := range w.blocks {
		b.WriteString("<QualificationConfirmSearchInfo>\r\n")
		if err := put(&b, block); err != nil {
			return nil, err
		}
		b.WriteString("</QualificationConfirmSearchInfo>\r\n")
	}
	b.WriteString("</MessageBody>\r\n</XmlMsg>\r\n")
	if enc == UTF8 {
		return b.Bytes(), nil
	}
	out, err := jptext.ShiftJIS(b.String())
	if err != nil {
		return nil, w.unsendable()
	}
	return out, nil
}

// unsendable names the first part with characters that cannot be sent.
func (w writer) unsendable() error {
	for _, f := range slices.Concat(w.header, w.body, slices.Concat(w.blocks...)) {
		if bad := jptext.Unsendable(f.value); len(bad) > 0 {
			return &UnsendableError{Place: places[f.name], Runes: bad}
		}
	}
	return refuse("document", RefusedCharacter)
}

func put(b *bytes.Buffer, fields []field) error {
	for _, f := range fields {
		if !utf8.ValidString(f.value) || strings.ContainsFunc(f.value, unicode.IsControl) {
			return refuse(places[f.name], RefusedValue)
		}
		b.WriteString("<" + f.name + ">")
		if err := xml.EscapeText(b, []byte(f.value)); err != nil {
			return fmt.Errorf("cannot write %s: %w", f.name, err)
		}
		b.WriteString("</" + f.name + ">\r\n")
	}
	return nil
}

func day8(d civil.Date) string { return strings.ReplaceAll(d.String(), "-", "") }
