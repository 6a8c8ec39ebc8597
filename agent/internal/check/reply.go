package check

import (
	"context"
	"strconv"
	"strings"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/insurance"
	"madoguchi.example/shared/jptext"
)

// Field is one value for the receipt computer.
type Field struct{ Name, Value string }

// CopyFields are the fields that can be copied, in the order that stands without another.
var CopyFields = []string{
	"insurer_number", "symbol", "number", "branch", "insured_kind", "valid_from", "valid_to", "copayment_percent",
	"holder_kana", "holder_kanji", "birth_date", "reference",
}

// Reply gives the fields of a case in the configured order; nil where there is no such case.
// With a valid answer they are the answer's, else the ones recorded, without what only an
// answer can tell. A name with ● is never given: the clinic's own writing is, or nothing.
func (d *Desk) Reply(ctx context.Context, recordID string) []Field {
	c, ok, err := d.Book.Get(ctx, recordID)
	if err != nil || !ok {
		return nil
	}
	values := replyOf(&c)
	order := d.CopyOrder
	if len(order) == 0 {
		order = CopyFields
	}
	fields := make([]Field, 0, len(order))
	for _, name := range order {
		fields = append(fields, Field{name, values[name]})
	}
	return fields
}

func replyOf(c *casebook.Case) map[string]string {
	q := c.Inquiry
	values := map[string]string{
		"insurer_number": q.InsurerNumber, "symbol": q.Symbol, "number": q.Number, "branch": q.Branch,
		"birth_date": q.BirthDate.String(), "holder_kana": c.Kana(), "holder_kanji": c.Kanji(), "reference": c.Patient,
		"copayment_percent": percent(c.Charge.Percent),
	}
	told := func(name, value string) {
		if value != "" && !strings.ContainsRune(value, jptext.Wildcard) {
			values[name] = value
		}
	}
	if a := c.Answer; a != nil && a.Validity == eligibility.Valid && c.State != eligibility.Voided {
		told("insurer_number", a.InsurerNumber)
		told("symbol", a.Symbol)
		told("number", a.Number)
		told("branch", a.Branch)
		told("copayment_percent", percent(a.CopaymentPercent))
		told("valid_from", a.ValidFrom.String())
		told("valid_to", a.ValidTo.String())
		told("holder_kana", a.HolderKana)
		if values["holder_kanji"] == "" {
			told("holder_kanji", a.HolderKanji)
		}
	}
	if values["insurer_number"] != "" {
		values["insured_kind"] = string(insurance.InsurerNumber(values["insurer_number"]).Kind())
	}
	return values
}

func percent(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
