package jptext

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"madoguchi.example/shared/civil"
)

// MaxDateText is the longest text that a date is looked for in, in bytes.
const MaxDateText = 64

// ErrDate is the error of every date that cannot be read. It does not repeat the text.
var ErrDate = errors.New("not a date that can be read")

// Hint says that a date was read, but was written oddly.
type Hint string

// The hints.
const (
	HintNone     Hint = ""
	HintEraOver  Hint = "era_over"  // a day after the era's end, in its last year: 平成31年5月1日
	HintEraEarly Hint = "era_early" // a day before the era's start, in its first year: 令和元年4月30日
)

// Era is one of the five eras since the Gregorian calendar came to Japan.
type Era struct {
	Name   string // 昭和
	Letter string // S
	From   civil.Date
}

// eras in order; each ends where the next begins. The dates are the law's (reference
// insurance-terminal.md section 7).
var eras = [...]Era{
	{"明治", "M", civil.Date{Year: 1868, Month: time.January, Day: 25}},
	{"大正", "T", civil.Date{Year: 1912, Month: time.July, Day: 30}},
	{"昭和", "S", civil.Date{Year: 1926, Month: time.December, Day: 25}},
	{"平成", "H", civil.Date{Year: 1989, Month: time.January, Day: 8}},
	{"令和", "R", civil.Date{Year: 2019, Month: time.May, Day: 1}},
}

// gregorian is when Japan took the calendar: earlier days of 明治 were counted otherwise
// and are not read.
var gregorian = civil.Date{Year: 1873, Month: time.January, Day: 1}

// EraOf gives d's era and the year in it, and false for days before 1873.
func EraOf(d civil.Date) (e Era, year int, ok bool) {
	if d.Before(gregorian) {
		return Era{}, 0, false
	}
	for _, next := range eras {
		if d.Before(next.From) {
			break
		}
		e = next
	}
	return e, d.Year - e.From.Year + 1, true
}

// Wareki writes d as 昭和55年4月1日, the first year as 元年; "" for days before 1873.
func Wareki(d civil.Date) string {
	e, year, ok := EraOf(d)
	if !ok {
		return ""
	}
	n := strconv.Itoa(year)
	if year == 1 {
		n = "元"
	}
	return fmt.Sprintf("%s%s年%d月%d日", e.Name, n, int(d.Month), d.Day)
}

// ShortWareki writes d as S55.04.01; "" for days before 1873.
func ShortWareki(d civil.Date) string {
	e, year, ok := EraOf(d)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s%02d.%02d.%02d", e.Letter, year, int(d.Month), d.Day)
}

// Both writes d for a person: 1980-04-01（昭和55年）.
func Both(d civil.Date) string {
	e, year, ok := EraOf(d)
	if !ok {
		return d.String()
	}
	n := strconv.Itoa(year)
	if year == 1 {
		n = "元"
	}
	return fmt.Sprintf("%s（%s%s年）", d, e.Name, n)
}

var (
	westernParts = regexp.MustCompile(`^(\d{4})[-./年](\d{1,2})[-./月](\d{1,2})日?$`)
	western8     = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})$`)
	eraParts     = regexp.MustCompile(`^(明治|大正|昭和|平成|令和|明|大|昭|平|令|[MTSHR])(元|\d{1,2})[-./年](\d{1,2})[-./月](\d{1,2})日?$`)
	era6         = regexp.MustCompile(`^(明治|大正|昭和|平成|令和|明|大|昭|平|令|[MTSHR]|[1-5])(\d{2})(\d{2})(\d{2})$`)
	bareEraDate  = regexp.MustCompile(`^(\d{6}|(元|\d{1,2})[-./、。・年]\d{1,2}[-./、。・月]\d{1,2}日?)$`)
	eraSigns     = strings.NewReplacer("㍾", "明治", "㍽", "大正", "㍼", "昭和", "㍻", "平成", "㋿", "令和", "/", ".", "、", ".", "。", ".", "・", ".")
)

// ParseDate reads a date as people type it: 1980-04-01, 1980/4/1, 19800401, 1980年4月1日,
// 昭和55年4月1日, 昭55.4.1, S55/4/1, S550401, ㍼55年4月1日, 3550401 (the era as the number
// that receipt computers use, 1 明治 to 5 令和), 元年, in either width, with any blanks.
func ParseDate(typed string) (civil.Date, Hint, error) {
	if len(typed) > MaxDateText || !utf8.ValidString(typed) {
		return civil.Date{}, HintNone, ErrDate
	}
	s := strings.ToUpper(longMarks(NoBlanks(eraSigns.Replace(Fold(typed)))))
	for _, form := range []*regexp.Regexp{western8, westernParts} {
		if m := form.FindStringSubmatch(s); m != nil {
			d, err := day(number(m[1]), m[2], m[3])
			return d, HintNone, err
		}
	}
	for _, form := range []*regexp.Regexp{era6, eraParts} {
		if m := form.FindStringSubmatch(s); m != nil {
			return eraDay(m[1], m[2], m[3], m[4])
		}
	}
	return civil.Date{}, HintNone, ErrDate
}

// ParseDateInEra reads a date whose era was chosen by a key of its own: 550401, 55.4.1 or
// 元.4.1 with era S, 昭, 昭和 or 3. A text that names an era itself, or a western year, is
// read by ParseDate.
func ParseDateInEra(era, typed string) (civil.Date, Hint, error) {
	key := strings.ToUpper(NoBlanks(eraSigns.Replace(Fold(era))))
	s := NoBlanks(typed)
	if key == "" || len(s) > MaxDateText || eraIndex(key) < 0 || !bareEraDate.MatchString(longMarks(s)) {
		return ParseDate(typed)
	}
	return ParseDate(eras[eraIndex(key)].Letter + s)
}

// ParseBirthDate reads a birth date as typed; today is Japan's. A day in the future or
// more than 130 years ago is refused.
func ParseBirthDate(typed string, today civil.Date) (civil.Date, Hint, error) {
	d, hint, err := ParseDate(typed)
	if err != nil {
		return civil.Date{}, HintNone, err
	}
	if d.After(today) || d.AgeOn(today) > 130 {
		return civil.Date{}, HintNone, ErrDate
	}
	return d, hint, nil
}

func eraDay(name, year, month, dayOfMonth string) (civil.Date, Hint, error) {
	n := 1
	if year != "元" {
		n = number(year)
	}
	i := eraIndex(name)
	if i < 0 || n < 1 {
		return civil.Date{}, HintNone, ErrDate
	}
	d, err := day(eras[i].From.Year+n-1, month, dayOfMonth)
	if err != nil || d.Before(gregorian) {
		return civil.Date{}, HintNone, ErrDate
	}
	last := i == len(eras)-1
	switch {
	case d.Before(eras[i].From):
		return d, HintEraEarly, nil // same year by construction
	case last || d.Before(eras[i+1].From):
		return d, HintNone, nil
	case d.Year == eras[i+1].From.Year:
		return d, HintEraOver, nil
	}
	return civil.Date{}, HintNone, ErrDate
}

func eraIndex(name string) int {
	for i, e := range eras {
		if name == e.Name || name == e.Letter || strings.HasPrefix(e.Name, name) || name == strconv.Itoa(i+1) {
			return i
		}
	}
	return -1
}

func day(year int, month, dayOfMonth string) (civil.Date, error) {
	d, err := civil.Parse(fmt.Sprintf("%04d-%02d-%02d", year, number(month), number(dayOfMonth)))
	if err != nil {
		return civil.Date{}, ErrDate
	}
	return d, nil
}

// number reads digits that a pattern has let through.
func number(s string) int {
	n := 0
	for _, r := range s {
		n = n*10 + int(r-'0')
	}
	return n
}
