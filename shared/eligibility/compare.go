package eligibility

import (
	"log/slog"
	"strconv"

	"madoguchi.example/shared/civil"
)

// Assumption is what the desk acted on before the answer came: what it charged for and
// which numbers it wrote down. Fields that the desk did not know are zero and are not
// compared.
type Assumption struct {
	Validity         Validity `json:"validity,omitempty"` // usually Valid: the patient was treated as insured
	InsurerNumber    string   `json:"insurer_number,omitempty"`
	Symbol           string   `json:"symbol,omitempty"`
	Number           string   `json:"number,omitempty"`
	Branch           string   `json:"branch,omitempty"`
	CopaymentPercent int      `json:"copayment_percent,omitempty"` // what was charged: 10, 20 or 30
}

// LogValue masks all of it.
func (a Assumption) LogValue() slog.Value { return slog.StringValue("***") }

// Field names a part of an answer that can differ. Faces have words for each.
type Field string

// The fields that Compare looks at, in the order in which it tells them.
const (
	FieldValidity      Field = "validity"
	FieldInsurerNumber Field = "insurer_number"
	FieldSymbol        Field = "symbol"
	FieldNumber        Field = "number"
	FieldBranch        Field = "branch"
	FieldCopayment     Field = "copayment_percent"
	FieldVisitDay      Field = "visit_day" // the coverage told does not hold on the visit day
)

// The fields that speak of another person than the one at the desk. Compare does not look at
// them: what a desk knows of names is the desk's.
const (
	FieldBirthDate Field = "birth_date"
	FieldName      Field = "name"
)

// Difference is one thing that came otherwise than assumed. It holds personal data and
// masks itself in logs.
type Difference struct {
	Field    Field  `json:"field"`
	Assumed  string `json:"assumed"`
	Answered string `json:"answered"`
}

// LogValue tells the field alone.
func (d Difference) LogValue() slog.Value { return slog.StringValue(string(d.Field)) }

// Compare tells in what the answer differs from what was assumed, as both values side by
// side. Symbol and number are compared without regard to width, blanks and hyphens; what
// one of the two sides does not tell is no difference. Where the answer is not Valid, the
// validity alone is told: the numbers of a coverage that does not hold mean nothing.
func Compare(assumed Assumption, answer Answer) []Difference {
	var found []Difference
	add := func(f Field, was, is string) { found = append(found, Difference{Field: f, Assumed: was, Answered: is}) }
	if assumed.Validity != "" && assumed.Validity != answer.Validity {
		add(FieldValidity, string(assumed.Validity), string(answer.Validity))
	}
	if answer.Validity != Valid {
		return found
	}
	texts := []struct {
		field   Field
		was, is string
	}{
		{FieldInsurerNumber, assumed.InsurerNumber, answer.InsurerNumber},
		{FieldSymbol, assumed.Symbol, answer.Symbol},
		{FieldNumber, assumed.Number, answer.Number},
		{FieldBranch, assumed.Branch, answer.Branch},
	}
	for _, t := range texts {
		if was, is := bare(t.was), bare(t.is); was != "" && is != "" && was != is {
			add(t.field, t.was, t.is)
		}
	}
	if assumed.CopaymentPercent != 0 && answer.CopaymentPercent != 0 && assumed.CopaymentPercent != answer.CopaymentPercent {
		add(FieldCopayment, strconv.Itoa(assumed.CopaymentPercent), strconv.Itoa(answer.CopaymentPercent))
	}
	if !answer.Covers(answer.VisitDay) {
		add(FieldVisitDay, answer.VisitDay.String(), span(answer))
	}
	return found
}

// Covers tells whether the coverage told holds on day. An end or start that is not known
// does not speak against it.
func (a Answer) Covers(day civil.Date) bool {
	if !a.ValidFrom.IsZero() && day.Before(a.ValidFrom) {
		return false
	}
	return a.ValidTo.IsZero() || !day.After(a.ValidTo)
}

func span(a Answer) string { return a.ValidFrom.String() + "/" + a.ValidTo.String() }
