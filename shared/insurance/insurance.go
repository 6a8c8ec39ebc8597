// Package insurance reads the numbers of Japanese health insurance as people type them,
// and keeps one canonical value of each.
//
// A wrong length or a letter is an error. A wrong check digit, or a form that is unusual
// for its scheme, is a Doubt: the desk warns and the person may go on, since published
// and anonymised numbers fail the check and a payer's real answer must never be dropped
// for it. Any input that is a My Number is refused with fault.MyNumberRefused.
//
// The number types mask themselves in logs and formatting (***123); string(n) shows them.
package insurance

import (
	"log/slog"
	"strings"
	"unicode/utf8"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/jptext"
)

// MaxTyped is the longest input that is looked at, in bytes.
const MaxTyped = 256

// Limits of symbol and number in characters.
const MaxMemberText = 20

// Doubt is a warning that a person may override.
type Doubt string

// The doubts.
const (
	DoubtCheckDigit   Doubt = "check_digit"   // the check digit is wrong
	DoubtLeadingZero  Doubt = "leading_zero"  // a 0 was put in front: ask whether it was meant
	DoubtPrefecture   Doubt = "prefecture"    // the prefecture part is not 01 to 47
	DoubtSymbol       Doubt = "symbol"        // the scheme's symbols look otherwise, or it has none
	DoubtMemberNumber Doubt = "member_number" // the scheme's numbers look otherwise
	DoubtBranch       Doubt = "branch"        // the scheme has no branch numbers
	DoubtPointTable   Doubt = "point_table"   // the 点数表 digit is none of those in use
)

// InsurerNumber is 保険者番号: 6 digits (国民健康保険) or 8 (all others).
type InsurerNumber string

// MemberNumber is 番号, or the 被保険者番号 of 後期高齢者医療.
type MemberNumber string

// Symbol is 記号: up to 20 characters, kanji and kana among them; it may be empty.
type Symbol string

// Branch is 枝番: two digits, or empty.
type Branch string

// InstitutionCode is 医療機関コード, 10 digits. It is public and does not mask itself.
type InstitutionCode string

// PublicExpenseNumber is 公費負担者番号, 8 digits.
type PublicExpenseNumber string

// RecipientNumber is 公費受給者番号, 7 digits.
type RecipientNumber string

// ParseInsurerNumber reads 保険者番号. An 8-digit number that begins with 00 is the 6-digit
// one, padded (FHIR's form), and blanks in front (the terminal's form) fall away. 5 or 7
// digits are taken as having lost a leading zero, with DoubtLeadingZero, if the check
// digit then holds.
func ParseInsurerNumber(typed string) (InsurerNumber, []Doubt, error) {
	s, err := digits("insurer_number", typed)
	if err != nil {
		return "", nil, err
	}
	var doubts []Doubt
	if n := len(s); (n == 5 || n == 7) && CheckDigitHolds("0"+s) {
		s, doubts = "0"+s, append(doubts, DoubtLeadingZero)
	}
	if len(s) == 8 && strings.HasPrefix(s, "00") {
		s = s[2:]
	}
	if len(s) != 6 && len(s) != 8 {
		return "", nil, fault.At(fault.InvalidArgument, "insurer_number", "must be 6 or 8 digits")
	}
	if !CheckDigitHolds(s) {
		doubts = append(doubts, DoubtCheckDigit)
	}
	if !prefecture(s[len(s)-6 : len(s)-4]) {
		doubts = append(doubts, DoubtPrefecture)
	}
	return InsurerNumber(s), doubts, nil
}

// ParseSymbol reads 記号: folded, without blanks. Hyphens stay.
func ParseSymbol(typed string) (Symbol, error) {
	s, err := text("symbol", typed)
	return Symbol(s), err
}

// ParseMemberNumber reads 番号: half-width digits and letters, without blanks and hyphens.
func ParseMemberNumber(typed string) (MemberNumber, error) {
	s, err := text("number", typed)
	if err != nil {
		return "", err
	}
	s = strings.ToUpper(jptext.Bare(s))
	if s == "" {
		return "", fault.At(fault.InvalidArgument, "number", "must be given")
	}
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') {
			return "", fault.At(fault.InvalidArgument, "number", "must be digits")
		}
	}
	return MemberNumber(s), nil
}

// ParseBranch reads 枝番: empty, or one or two digits.
func ParseBranch(typed string) (Branch, error) {
	s := jptext.Bare(typed)
	if s == "" {
		return "", nil
	}
	if len(typed) > MaxTyped || len(s) > 2 || !jptext.IsDigits(s) {
		if jptext.LooksLikeMyNumber(typed) {
			return "", myNumber("branch")
		}
		return "", fault.At(fault.InvalidArgument, "branch", "must be two digits")
	}
	if len(s) == 1 {
		s = "0" + s
	}
	return Branch(s), nil
}

// ParseInstitutionCode reads 医療機関コード.
func ParseInstitutionCode(typed string) (InstitutionCode, []Doubt, error) {
	s, doubts, err := fixed("institution_code", typed, 10)
	if err == nil && !prefecture(s[:2]) {
		doubts = append(doubts, DoubtPrefecture)
	}
	if err == nil && InstitutionCode(s).PointTable() == OtherTable {
		doubts = append(doubts, DoubtPointTable)
	}
	return InstitutionCode(s), doubts, err
}

// ParseLateStageNumber reads 被保険者番号 of 後期高齢者医療: 8 digits, the last of them its own
// check digit. There is neither symbol nor branch beside it.
func ParseLateStageNumber(typed string) (MemberNumber, []Doubt, error) {
	s, doubts, err := fixed("number", typed, 8)
	return MemberNumber(s), doubts, err
}

// ParsePublicExpenseNumber reads 公費負担者番号.
func ParsePublicExpenseNumber(typed string) (PublicExpenseNumber, []Doubt, error) {
	s, doubts, err := fixed("public_expense_number", typed, 8)
	if err == nil && !prefecture(s[2:4]) {
		doubts = append(doubts, DoubtPrefecture)
	}
	return PublicExpenseNumber(s), doubts, err
}

// ParseRecipientNumber reads 公費受給者番号.
func ParseRecipientNumber(typed string) (RecipientNumber, []Doubt, error) {
	s, doubts, err := fixed("recipient_number", typed, 7)
	return RecipientNumber(s), doubts, err
}

// CheckDigitHolds tells whether the last digit of s is its check digit: from the last
// payload digit leftwards times 2, 1, 2, 1…, the digits of two-digit products added, 10
// less the sum modulo 10 (保発第45号・庁保発第34号, 1976).
func CheckDigitHolds(s string) bool {
	if len(s) < 2 || !jptext.IsDigits(s) {
		return false
	}
	sum, weight := 0, 2
	for i := len(s) - 2; i >= 0; i-- {
		p := int(s[i]-'0') * weight
		sum += p/10 + p%10
		weight = 3 - weight
	}
	return int(s[len(s)-1]-'0') == (10-sum%10)%10
}

func fixed(place, typed string, length int) (string, []Doubt, error) {
	s, err := digits(place, typed)
	if err != nil {
		return "", nil, err
	}
	if len(s) != length {
		return "", nil, fault.At(fault.InvalidArgument, place, "must be %d digits", length)
	}
	if !CheckDigitHolds(s) {
		return s, []Doubt{DoubtCheckDigit}, nil
	}
	return s, nil, nil
}

func digits(place, typed string) (string, error) {
	s, err := text(place, typed)
	if err != nil {
		return "", err
	}
	if s = jptext.Bare(s); !jptext.IsDigits(s) {
		return "", fault.At(fault.InvalidArgument, place, "must be digits")
	}
	return s, nil
}

// text refuses what no field takes, and folds the rest.
func text(place, typed string) (string, error) {
	if len(typed) > MaxTyped {
		return "", fault.At(fault.TooLarge, place, "must be at most %d bytes", MaxTyped)
	}
	if !utf8.ValidString(typed) {
		return "", fault.At(fault.InvalidArgument, place, "must be UTF-8")
	}
	if jptext.LooksLikeMyNumber(typed) {
		return "", myNumber(place)
	}
	s := jptext.NoBlanks(typed)
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fault.At(fault.InvalidArgument, place, "must not hold control characters")
	}
	if utf8.RuneCountInString(s) > MaxMemberText {
		return "", fault.At(fault.TooLarge, place, "must be at most %d characters", MaxMemberText)
	}
	return s, nil
}

func myNumber(place string) error {
	return fault.At(fault.MyNumberRefused, place, "this is a My Number; it was not kept")
}

func prefecture(s string) bool { return s >= "01" && s <= "47" }

// mask shows the last three characters of what has more than four.
func mask(s string) string {
	r := []rune(s)
	if len(r) <= 4 {
		return "***"
	}
	return "***" + string(r[len(r)-3:])
}

// String masks the number.
func (n InsurerNumber) String() string { return mask(string(n)) }

// LogValue masks the number.
func (n InsurerNumber) LogValue() slog.Value { return slog.StringValue(n.String()) }

// String masks the number.
func (n MemberNumber) String() string { return mask(string(n)) }

// LogValue masks the number.
func (n MemberNumber) LogValue() slog.Value { return slog.StringValue(n.String()) }

// String masks the symbol wholly: it may be short.
func (Symbol) String() string { return "***" }

// LogValue masks the symbol.
func (s Symbol) LogValue() slog.Value { return slog.StringValue(s.String()) }

// String masks the branch wholly.
func (Branch) String() string { return "***" }

// LogValue masks the branch.
func (b Branch) LogValue() slog.Value { return slog.StringValue(b.String()) }

// String masks the number.
func (n PublicExpenseNumber) String() string { return mask(string(n)) }

// LogValue masks the number.
func (n PublicExpenseNumber) LogValue() slog.Value { return slog.StringValue(n.String()) }

// String masks the number.
func (n RecipientNumber) String() string { return mask(string(n)) }

// LogValue masks the number.
func (n RecipientNumber) LogValue() slog.Value { return slog.StringValue(n.String()) }
