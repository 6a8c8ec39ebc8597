package insurance

import (
	"log/slog"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/width"

	"madoguchi.example/shared/fault"
)

// OQS writes the number as the 資格確認端末 wants and gives it: 8 characters, a shorter
// number after BLANKS.
func (n InsurerNumber) OQS() string { return pad(n, " ") }

// FHIR writes the number as FHIR profiles of Japan want it: 8 digits, a shorter number after
// ZEROS. ParseInsurerNumber reads both forms to one value.
func (n InsurerNumber) FHIR() string { return pad(n, "0") }

func pad(n InsurerNumber, with string) string {
	return strings.Repeat(with, max(0, 8-len(n))) + string(n)
}

// MaxMemberID is the longest FHIR member id or public-expense id that is read, in bytes.
const MaxMemberID = 256

// MemberID is what names an insured person: JP Core's and CLINS's member id in one string.
type MemberID struct {
	Insurer InsurerNumber
	Symbol  Symbol
	Number  MemberNumber
	Branch  Branch
}

var memberForm = regexp.MustCompile(`^([0-9]{8}):([^:\s　]*):([^:\s　]*):(|[0-9]{2})$`)

// FHIR writes 00012345:あいう:１８７:05: the insurer in 8 digits, absent parts empty, all
// colons kept, symbol and number both full-width where the symbol has a full-width
// character, else both half-width. A symbol with a colon or a blank cannot be written.
func (m MemberID) FHIR() (string, error) {
	symbol, number := string(m.Symbol), string(m.Number)
	if strings.ContainsFunc(symbol, func(r rune) bool { return r >= utf8.RuneSelf }) {
		symbol, number = width.Widen.String(symbol), width.Widen.String(number)
	}
	s := m.Insurer.FHIR() + ":" + symbol + ":" + number + ":" + string(m.Branch)
	if len(s) > MaxMemberID || !memberForm.MatchString(s) {
		return "", fault.At(fault.InvalidArgument, "member_id", "must be writable without blanks and colons")
	}
	return s, nil
}

// ParseMemberID reads what FHIR writes, in either width. Errors name the part.
func ParseMemberID(s string) (MemberID, []Doubt, error) {
	var m MemberID
	if len(s) > MaxMemberID {
		return m, nil, fault.At(fault.TooLarge, "member_id", "must be at most %d bytes", MaxMemberID)
	}
	parts := memberForm.FindStringSubmatch(s)
	if parts == nil {
		return m, nil, fault.At(fault.InvalidArgument, "member_id", "must be insurer:symbol:number:branch, without blanks")
	}
	var doubts []Doubt
	var err error
	if m.Insurer, doubts, err = ParseInsurerNumber(parts[1]); err != nil {
		return MemberID{}, nil, err
	}
	if m.Symbol, err = ParseSymbol(parts[2]); err != nil {
		return MemberID{}, nil, err
	}
	if parts[3] != "" {
		if m.Number, err = ParseMemberNumber(parts[3]); err != nil {
			return MemberID{}, nil, err
		}
	}
	m.Branch = Branch(parts[4])
	return m, append(doubts, CheckMember(m.Insurer, m.Symbol, m.Number, m.Branch)...), nil
}

// String masks all of it.
func (MemberID) String() string { return "***" }

// LogValue masks all of it.
func (MemberID) LogValue() slog.Value { return slog.StringValue("***") }

// PublicExpenseID is what names a person to a payer of public expense.
type PublicExpenseID struct {
	Payer     PublicExpenseNumber
	Recipient RecipientNumber
}

var publicForm = regexp.MustCompile(`^([0-9]{8})::([0-9]{7}):$`)

// FHIR writes 公費負担者番号::受給者番号: in the form of a member id.
func (p PublicExpenseID) FHIR() string { return string(p.Payer) + "::" + string(p.Recipient) + ":" }

// ParsePublicExpenseID reads what FHIR writes.
func ParsePublicExpenseID(s string) (PublicExpenseID, []Doubt, error) {
	if len(s) > MaxMemberID {
		return PublicExpenseID{}, nil, fault.At(fault.TooLarge, "public_expense_id", "must be at most %d bytes", MaxMemberID)
	}
	parts := publicForm.FindStringSubmatch(s)
	if parts == nil {
		return PublicExpenseID{}, nil, fault.At(fault.InvalidArgument, "public_expense_id", "must be payer::recipient:")
	}
	payer, doubts, err := ParsePublicExpenseNumber(parts[1])
	if err != nil {
		return PublicExpenseID{}, nil, err
	}
	recipient, more, err := ParseRecipientNumber(parts[2])
	if err != nil {
		return PublicExpenseID{}, nil, err
	}
	return PublicExpenseID{Payer: payer, Recipient: recipient}, append(doubts, more...), nil
}

// String masks all of it.
func (PublicExpenseID) String() string { return "***" }

// LogValue masks all of it.
func (PublicExpenseID) LogValue() slog.Value { return slog.StringValue("***") }
