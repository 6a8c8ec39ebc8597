package mrz

import (
	"strings"
	"time"

	"madoguchi.example/shared/civil"
)

// span is a field's place: line from 0, characters from and before to.
type span struct{ line, from, to int }

// plan is where the fields of a form are. A check digit stands behind its field, the
// personal number's only in a passport; the composite one is the last character of line 1
// (from 0).
type plan struct {
	kind          Kind
	lines, length int
	codes         string // first letters that the document's code may have
	code, issuer  span
	number        span // followed by its check digit
	birth, sex    span
	expiry        span
	nationality   span
	name          span
	optional      span
	optional2     span
	personal      bool // optional has a check digit
	composite     []span
}

var plans = []plan{
	{
		kind: TD3, lines: 2, length: 44, codes: "P",
		code: span{0, 0, 2}, issuer: span{0, 2, 5}, name: span{0, 5, 44},
		number: span{1, 0, 9}, nationality: span{1, 10, 13}, birth: span{1, 13, 19}, sex: span{1, 20, 21},
		expiry: span{1, 21, 27}, optional: span{1, 28, 42}, personal: true,
		composite: []span{{1, 0, 10}, {1, 13, 20}, {1, 21, 43}},
	},
	{
		kind: TD2, lines: 2, length: 36, codes: "ACI",
		code: span{0, 0, 2}, issuer: span{0, 2, 5}, name: span{0, 5, 36},
		number: span{1, 0, 9}, nationality: span{1, 10, 13}, birth: span{1, 13, 19}, sex: span{1, 20, 21},
		expiry: span{1, 21, 27}, optional: span{1, 28, 35},
		composite: []span{{1, 0, 10}, {1, 13, 20}, {1, 21, 35}},
	},
	{
		kind: TD1, lines: 3, length: 30, codes: "ACI",
		code: span{0, 0, 2}, issuer: span{0, 2, 5}, name: span{2, 0, 30},
		number: span{0, 5, 14}, optional: span{0, 15, 30},
		birth: span{1, 0, 6}, sex: span{1, 7, 8}, expiry: span{1, 8, 14}, nationality: span{1, 15, 18}, optional2: span{1, 18, 29},
		composite: []span{{0, 5, 30}, {1, 0, 7}, {1, 8, 15}, {1, 18, 29}},
	},
}

// Parse reads a zone of two or three lines. Years have two digits in it: a birth is the
// latest such day that is not after today, an expiry the one nearest to today. The error is
// a *Fault.
func Parse(lines []string, today civil.Date) (Document, error) {
	p, clean, fault := arrange(lines)
	if fault != nil {
		return Document{}, fault
	}
	d, fault := p.read(clean, today)
	if fault != nil {
		fault.Suggestion = p.suggest(clean, today)
		return Document{}, fault
	}
	return d, nil
}

// arrange tidies the lines and finds their form.
func arrange(lines []string) (plan, []string, *Fault) {
	size := 0
	var typed []string
	for _, line := range lines {
		if size += len(line); size > MaxInput {
			return plan{}, nil, &Fault{Field: FieldForm, Line: 1}
		}
		for part := range strings.Lines(line) {
			if part = strings.TrimSpace(part); part != "" {
				typed = append(typed, part)
			}
		}
	}
	if len(typed) > maxLines {
		return plan{}, nil, &Fault{Field: FieldForm, Line: maxLines}
	}
	for _, p := range plans {
		if clean, ok := p.fit(typed); ok {
			return p, clean, nil
		}
	}
	return plan{}, nil, &Fault{Field: FieldForm, Line: max(1, len(typed))}
}

// fit gives the lines in the form's length, where they are of it.
func (p plan) fit(typed []string) ([]string, bool) {
	if len(typed) != p.lines {
		return nil, false
	}
	out := make([]string, 0, p.lines)
	for i, line := range typed {
		clean := tidy(line, p.length)
		if i == p.name.line && len(clean) > p.name.from {
			clean += strings.Repeat(string(filler), max(0, p.length-len(clean)))
		}
		if len(clean) != p.length {
			return nil, false
		}
		out = append(out, clean)
	}
	return out, true
}

// tidy gives capitals without blanks; blanks are fillers where only so the length is right.
func tidy(line string, length int) string {
	blank := ""
	if len([]rune(line)) == length {
		blank = string(filler)
	}
	var b strings.Builder
	for _, c := range line {
		switch {
		case c == ' ', c == '\t', c == '　':
			b.WriteString(blank)
		case c >= 'a' && c <= 'z':
			b.WriteRune(c - 'a' + 'A')
		case c > '！' && c <= '～': // wide forms of ASCII stand in its order
			b.WriteString(strings.ToUpper(string(c - '！' + '!')))
		case c == '«', c == '≪':
			b.WriteString(string(filler) + string(filler))
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// zone is a tidied zone while it is read. The first fault sticks.
type zone struct {
	plan
	lines []string
	fault *Fault
}

func (z *zone) at(s span) string {
	if s.to == 0 {
		return ""
	}
	return z.lines[s.line][s.from:s.to]
}

func (z *zone) fail(f Field, line int, check bool) {
	if z.fault == nil {
		z.fault = &Fault{Field: f, Line: line + 1, Check: check}
	}
}

func (p plan) read(lines []string, today civil.Date) (Document, *Fault) {
	z := &zone{plan: p, lines: lines}
	for i, line := range lines {
		if strings.Trim(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<") != "" {
			z.fail(FieldForm, i, false)
			return Document{}, z.fault
		}
	}
	d := Document{Kind: p.kind, Code: z.letters(p.code, FieldCode), Issuer: z.letters(p.issuer, FieldIssuer)}
	if d.Code == "" || !strings.Contains(p.codes, d.Code[:1]) {
		z.fail(FieldCode, p.code.line, false)
	}
	z.readName(&d)
	z.readNumber(&d)
	d.Nationality = z.letters(p.nationality, FieldNationality)
	z.readBirth(&d, today)
	z.readSex(&d)
	z.readExpiry(&d, today)
	d.Optional2 = trim(z.at(p.optional2))
	z.checkPersonal()
	z.checkComposite()
	if z.fault != nil {
		return Document{}, z.fault
	}
	return d, nil
}

func trim(s string) string { return strings.TrimRight(s, string(filler)) }

// letters reads letters with fillers behind them alone.
func (z *zone) letters(s span, f Field) string {
	text := trim(z.at(s))
	if text == "" || strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		z.fail(f, s.line, false)
	}
	return text
}

// readName reads primary and secondary identifier (Doc 9303-3 section 4.6).
func (z *zone) readName(d *Document) {
	field := z.at(z.name)
	text := trim(field)
	d.NameCut = text == field
	primary, secondary, _ := strings.Cut(text, "<<")
	bad := primary == "" || primary[0] == filler || strings.Contains(secondary, "<<") || strings.ContainsAny(text, "0123456789")
	if bad || strings.HasPrefix(secondary, string(filler)) {
		z.fail(FieldName, z.name.line, false)
	}
	d.Primary = strings.ReplaceAll(primary, string(filler), " ")
	d.Secondary = strings.ReplaceAll(secondary, string(filler), " ")
}

// readNumber reads the document's number. One that is longer than its place goes on in the
// optional data of a card, a filler standing for its check digit (Doc 9303-5 section 4.2.4).
func (z *zone) readNumber(d *Document) {
	s := z.number
	d.Number, d.Optional = z.at(s), trim(z.at(z.optional))
	check := z.lines[s.line][s.to]
	if check == filler && !z.personal {
		rest, optional, _ := strings.Cut(z.at(z.optional), string(filler))
		if len(rest) < 2 {
			z.fail(FieldNumber, s.line, true)
			return
		}
		d.Number, d.Optional = d.Number+rest[:len(rest)-1], trim(optional)
		check = rest[len(rest)-1]
	}
	number := d.Number
	if d.Number = trim(d.Number); d.Number == "" {
		z.fail(FieldNumber, s.line, false)
	}
	z.check(FieldNumber, s.line, number, check)
}

func (z *zone) check(f Field, line int, text string, digit byte) {
	if CheckDigit(text) != digit {
		z.fail(f, line, true)
	}
}

func (z *zone) checkSpan(f Field, s span) { z.check(f, s.line, z.at(s), z.lines[s.line][s.to]) }

// readBirth reads the birth date, of which day, month and year may be unknown.
func (z *zone) readBirth(d *Document, today civil.Date) {
	const century = 100
	z.checkSpan(FieldBirth, z.birth)
	text := z.at(z.birth)
	known := trim(text)
	if strings.Trim(known, "0123456789") != "" || len(known)%2 != 0 {
		z.fail(FieldBirth, z.birth.line, false)
		return
	}
	if known == "" {
		return
	}
	year := today.Year/century*century + number(known[:2])
	month, day := 1, 1
	if len(known) >= 4 {
		month = number(known[2:4])
	}
	if len(known) == 6 {
		day = number(known[4:6])
	}
	if (civil.Date{Year: year, Month: time.Month(month), Day: day}).After(today) {
		year -= century
	}
	date := civil.Date{Year: year, Month: time.Month(month), Day: day}
	if _, err := civil.Parse(date.String()); err != nil {
		z.fail(FieldBirth, z.birth.line, false)
		return
	}
	if len(known) == 6 {
		d.Birth = date
		return
	}
	d.BirthText = date.String()[:len("20")+len(known)+len(known)/4]
}

// number reads decimal digits.
func number(digits string) int {
	n := 0
	for _, c := range []byte(digits) {
		n = 10*n + int(c-'0')
	}
	return n
}

func (z *zone) readSex(d *Document) {
	switch z.at(z.sex) {
	case "M", "F":
		d.Sex = z.at(z.sex)
	case "<", "X":
		d.Sex = "X"
	default:
		z.fail(FieldSex, z.sex.line, false)
	}
}

func (z *zone) readExpiry(d *Document, today civil.Date) {
	const century = 100
	z.checkSpan(FieldExpiry, z.expiry)
	text := z.at(z.expiry)
	if strings.Trim(text, "0123456789") != "" {
		z.fail(FieldExpiry, z.expiry.line, false)
		return
	}
	year := today.Year/century*century + number(text[:2])
	switch {
	case year > today.Year+century/2:
		year -= century
	case year < today.Year-century/2:
		year += century
	}
	date := civil.Date{Year: year, Month: time.Month(number(text[2:4])), Day: number(text[4:6])}
	if _, err := civil.Parse(date.String()); err != nil {
		z.fail(FieldExpiry, z.expiry.line, false)
		return
	}
	d.Expires = date
}

// checkPersonal checks a passport's personal number; an empty one may have a filler for
// its digit.
func (z *zone) checkPersonal() {
	if !z.personal {
		return
	}
	s := z.optional
	if trim(z.at(s)) == "" && z.lines[s.line][s.to] == filler {
		return
	}
	z.checkSpan(FieldPersonal, s)
}

func (z *zone) checkComposite() {
	var all strings.Builder
	for _, s := range z.composite {
		all.WriteString(z.at(s))
	}
	z.check(FieldComposite, 1, all.String(), z.lines[1][z.length-1])
}
