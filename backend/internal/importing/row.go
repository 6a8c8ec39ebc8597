package importing

import (
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/jptext"
)

// Column is one column of a file.
type Column struct {
	Name string
	// Free says that people type into it: a My Number there is refused, and a row cut
	// in it cannot be seen.
	Free bool
}

// Columns makes columns of machine-written cells.
func Columns(names ...string) []Column {
	out := make([]Column, len(names))
	for i, n := range names {
		out[i] = Column{Name: n}
	}
	return out
}

// Row is one row while its cells are read. The first use of a wrong cell is noted as a
// fault and answered with the zero value, so that one pass finds all faults of a row.
type Row struct {
	Line  int
	cells map[string]string
	flaws []named
}

type named struct{ column, reason string }

// Fault notes a fault of a column. The reason must not hold a value.
func (r *Row) Fault(column, reason string) { r.flaws = append(r.flaws, named{column, reason}) }

// OK tells whether no fault was noted yet.
func (r *Row) OK() bool { return len(r.flaws) == 0 }

// Digest is the digest that the row would have in a sheet of these columns.
func (r *Row) Digest(columns []Column) []byte {
	sum := digest(columns, r.cells)
	return sum[:]
}

// Optional gives a cell of at most max code points, which may be empty.
func (r *Row) Optional(column string, max int) string {
	v := r.cells[column]
	if utf8.RuneCountInString(v) > max {
		r.Fault(column, "longer than "+strconv.Itoa(max)+" characters")
		return ""
	}
	return v
}

// Text gives a cell of 1 to max code points.
func (r *Row) Text(column string, max int) string {
	if r.cells[column] == "" {
		r.Fault(column, "empty")
		return ""
	}
	return r.Optional(column, max)
}

// Ref gives an identifier of 1 to 64 ASCII letters, digits and "-_.:/".
func (r *Row) Ref(column string) string {
	v := r.Text(column, 64)
	for _, c := range []byte(v) {
		if !plain(c) {
			r.Fault(column, "may hold only ASCII letters, digits and -_.:/")
			return ""
		}
	}
	return v
}

func plain(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || slices.Contains([]byte("-_.:/"), c)
}

// Day gives a day written YYYY-MM-DD.
func (r *Row) Day(column string) civil.Date {
	d, err := civil.Parse(r.cells[column])
	if err != nil || d.Year < 1868 {
		r.Fault(column, "not a day written YYYY-MM-DD")
		return civil.Date{}
	}
	return d
}

// DayUntil gives a day that is not after the last one allowed.
func (r *Row) DayUntil(column string, last civil.Date) civil.Date {
	d := r.Day(column)
	if d.After(last) {
		r.Fault(column, "lies in the future")
		return civil.Date{}
	}
	return d
}

// OptionalDay gives a day, or no day for an empty cell.
func (r *Row) OptionalDay(column string) civil.Date {
	if r.cells[column] == "" {
		return civil.Date{}
	}
	return r.Day(column)
}

// Whole gives a whole number from min to max, written in ASCII digits.
func (r *Row) Whole(column string, min, max int64) int64 {
	n, err := strconv.ParseInt(r.cells[column], 10, 64)
	if err != nil || n < min || n > max {
		r.Fault(column, "not a whole number from "+strconv.FormatInt(min, 10)+" to "+strconv.FormatInt(max, 10))
		return min
	}
	return n
}

// Yen gives an amount of yen that is not negative.
func (r *Row) Yen(column string) int64 { return r.Whole(column, 0, math.MaxInt32*1000) }

// Flag gives true or false.
func (r *Row) Flag(column string) bool {
	return r.OneOf(column, "true", "false") == "true"
}

// OneOf gives a cell that is one of the words.
func (r *Row) OneOf(column string, words ...string) string {
	v := r.cells[column]
	if !slices.Contains(words, v) {
		r.Fault(column, "not one of the words allowed")
		return ""
	}
	return v
}

// Digits gives a cell of exactly n ASCII digits.
func (r *Row) Digits(column string, n int) string {
	v := r.cells[column]
	if len(v) != n || !jptext.IsDigits(v) {
		r.Fault(column, "not "+strconv.Itoa(n)+" digits")
		return ""
	}
	return v
}

// Municipality gives 全国地方公共団体コード with its check digit.
func (r *Row) Municipality(column string) identity.MunicipalityCode {
	v := r.Digits(column, 6)
	if v == "" {
		return ""
	}
	if !jptext.ValidMunicipalityCode(v) {
		r.Fault(column, "the check digit of the municipality code is wrong")
		return ""
	}
	return identity.MunicipalityCode(v)
}

// refuseMyNumbers notes every free cell that is a My Number.
func (r *Row) refuseMyNumbers(columns []Column) {
	for _, c := range columns {
		if c.Free && jptext.LooksLikeMyNumber(r.cells[c.Name]) {
			r.Fault(c.Name, "looks like a My Number, which is never taken in")
		}
	}
}
