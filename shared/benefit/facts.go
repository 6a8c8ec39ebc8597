package benefit

import (
	"slices"
	"time"

	"madoguchi.example/shared/civil"
)

// AttainsAge gives the day at whose end a person born on birth attains n years: the day
// before the n-th birthday (年齢計算ニ関スル法律, 民法第143条). Who was born on 29 February
// attains an age at the end of 28 February in every year.
func AttainsAge(birth civil.Date, n int) civil.Date {
	birthday := time.Date(birth.Year+n, birth.Month, birth.Day, 0, 0, 0, 0, civil.Japan)
	return civil.Of(birthday).AddDays(-1)
}

// LegalAge gives the years attained at the end of the day on, negative before the birth.
func LegalAge(birth, on civil.Date) int { return yearsBefore(birth, on.AddDays(1)) }

// yearsBefore gives the years attained by the day before next: as many as birthdays up to
// next, since an age is attained the day before its birthday. Someone born on 29 February
// has that birthday on 1 March where there is no 29 February.
func yearsBefore(birth, next civil.Date) int {
	n := next.Year - birth.Year
	if next.Month < birth.Month || next.Month == birth.Month && next.Day < birth.Day {
		n--
	}
	return n
}

// FiscalYearEnd gives the first 31 March on or after the day on which age n is attained
// (「n歳に達する日以後の最初の3月31日」).
func FiscalYearEnd(birth civil.Date, n int) civil.Date {
	attained := AttainsAge(birth, n)
	end := civil.Date{Year: attained.Year, Month: time.March, Day: 31}
	if end.Before(attained) {
		end.Year++
	}
	return end
}

// FiscalAge gives the n for which m lies in the fiscal year that ends on FiscalYearEnd(birth, n).
func FiscalAge(birth civil.Date, m Month) int {
	return yearsBefore(birth, civil.Date{Year: m.FiscalYear() + 1, Month: time.April, Day: 1})
}

// IncomeYear gives the calendar year whose income counts for m, where a new year's income
// counts from the month starts: before it, the year before the last one.
func IncomeYear(m Month, starts time.Month) int {
	if m.Month < starts {
		return m.Year - 2
	}
	return m.Year - 1
}

// StartMonth gives the first month of an entitlement: the month after the application. One
// made within grace days counted from the day after the event (birth, moving in) counts as
// made in the event's month (児童手当法第8条第2項, 第3項).
func StartMonth(event, application civil.Date, grace int) Month {
	if !application.After(event.AddDays(grace)) {
		return MonthOf(event).Add(1)
	}
	return MonthOf(application).Add(1)
}

// PaidIn gives the first of the year's paying months that comes after m.
func PaidIn(m Month, paying []time.Month) Month {
	for next := m.Add(1); ; next = next.Add(1) {
		if slices.Contains(paying, next.Month) {
			return next
		}
	}
}

// BirthOrder adds the places of the children from the eldest to the youngest; those born
// on one day keep the order in which they are given.
func BirthOrder(dst []int, children []Child) []int {
	from := len(dst)
	for i := range children {
		dst = append(dst, i)
	}
	slices.SortStableFunc(dst[from:], func(a, b int) int { return children[a].Birth.Compare(children[b].Birth) })
	return dst
}

// Computed names the facts that Go computes, with their types and the scope in which a
// rule may use them. An edition cannot declare a fact of the same name.
var Computed = []FactDecl{
	{Name: "month", Scope: Household, Type: TypeInt},       // the month asked for, YYYYMM
	{Name: "fiscal_year", Scope: Household, Type: TypeInt}, // the year in which its fiscal year begins
	{Name: "income_year", Scope: Household, Type: TypeInt}, // the year whose income counts
	{Name: "children", Scope: Household, Type: TypeInt},    // how many children were given
	{Name: "child", Scope: PerChild, Type: TypeInt},        // the child's place as given, from 1
	{Name: "birth_day", Scope: PerChild, Type: TypeInt},    // YYYYMMDD
	{Name: "birth_month", Scope: PerChild, Type: TypeInt},  // YYYYMM
	{Name: "months_old", Scope: PerChild, Type: TypeInt},   // months since the month of birth
	{Name: "age", Scope: PerChild, Type: TypeInt},          // years attained at the end of the reference month
	{Name: "fiscal_age", Scope: PerChild, Type: TypeInt},   // years attained by the end of its fiscal year
	{Name: "rank", Scope: PerChild, Type: TypeInt},         // place among the counted children, 0 when not counted
}

// HouseholdFacts adds what can be told of a household for the month asked for, in the
// order of Computed.
func HouseholdFacts(dst []Value, e *Edition, r *Request) []Value {
	m := e.Reference(r.Month)
	return append(dst,
		Int(r.Month.Number()),
		Int(int64(m.FiscalYear())),
		Int(int64(IncomeYear(m, e.IncomeYearStarts))),
		Int(int64(len(r.Children))))
}

// ChildFacts adds what can be told of the child at place i, in the order of Computed and
// without its rank. Without a birth date the facts that rest on it are not known.
func ChildFacts(dst []Value, e *Edition, r *Request, i int) []Value {
	place, birth := Int(int64(i+1)), r.Children[i].Birth
	if birth.IsZero() {
		return append(dst, place, Value{}, Value{}, Value{}, Value{}, Value{})
	}
	m, born := e.Reference(r.Month), MonthOf(birth)
	next := m.Add(1)
	return append(dst, place,
		Int(born.Number()*100+int64(birth.Day)),
		Int(born.Number()),
		Int(int64(m.Since(born))),
		Int(int64(yearsBefore(birth, civil.Date{Year: next.Year, Month: next.Month, Day: 1}))),
		Int(int64(FiscalAge(birth, m))))
}
