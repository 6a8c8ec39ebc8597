package mrz

import (
	"fmt"
	"strings"

	"madoguchi.example/shared/civil"
)

// Format writes a zone, with its check digits. A name that is too long for its place is cut
// so that both identifiers keep something (Doc 9303-4 section 4.2.3). The error names the
// field that cannot be written.
func Format(d Document) ([]string, error) {
	for _, p := range plans {
		if p.kind == d.Kind {
			return p.write(d)
		}
	}
	return nil, &Fault{Field: FieldForm, Line: 1}
}

// sheet is a zone while it is written. The first fault sticks.
type sheet struct {
	plan
	lines [][]byte
	fault *Fault
}

func (p plan) write(d Document) ([]string, error) {
	w := &sheet{plan: p}
	for range p.lines {
		w.lines = append(w.lines, []byte(strings.Repeat(string(filler), p.length)))
	}
	w.put(p.code, d.Code, FieldCode)
	w.put(p.issuer, d.Issuer, FieldIssuer)
	w.putName(d)
	w.putNumber(d)
	w.put(p.nationality, d.Nationality, FieldNationality)
	w.put(p.birth, sixDigits(d.Birth, d.BirthText), FieldBirth)
	w.checked(p.birth)
	if d.Sex != "X" {
		w.put(p.sex, d.Sex, FieldSex)
	}
	w.put(p.expiry, sixDigits(d.Expires, ""), FieldExpiry)
	w.checked(p.expiry)
	if d.Optional2 != "" {
		w.put(p.optional2, d.Optional2, FieldForm)
	}
	if p.personal && d.Optional != "" {
		w.checked(p.optional)
	}
	var all strings.Builder
	for _, s := range p.composite {
		all.Write(w.lines[s.line][s.from:s.to])
	}
	w.lines[1][p.length-1] = CheckDigit(all.String())
	if w.fault != nil {
		return nil, w.fault
	}
	out := make([]string, 0, p.lines)
	for _, line := range w.lines {
		out = append(out, string(line))
	}
	return out, nil
}

func (w *sheet) put(s span, text string, f Field) {
	bad := strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<") != ""
	if bad || len(text) > s.to-s.from {
		if w.fault == nil {
			w.fault = &Fault{Field: f, Line: s.line + 1}
		}
		return
	}
	copy(w.lines[s.line][s.from:], text)
}

// checked writes the check digit behind a field.
func (w *sheet) checked(s span) {
	w.lines[s.line][s.to] = CheckDigit(string(w.lines[s.line][s.from:s.to]))
}

// putNumber writes the number and the optional data, into which a long one runs over.
func (w *sheet) putNumber(d Document) {
	room := w.number.to - w.number.from
	if len(d.Number) <= room || w.personal {
		w.put(w.number, d.Number, FieldNumber)
		w.checked(w.number)
		w.put(w.optional, d.Optional, FieldPersonal)
		return
	}
	w.put(w.number, d.Number[:room], FieldNumber)
	rest := d.Number[room:] + string(CheckDigit(d.Number))
	if d.Optional != "" {
		rest += string(filler) + d.Optional
	}
	if len(rest) < w.optional.to-w.optional.from {
		rest += string(filler)
	}
	w.put(w.optional, rest, FieldNumber)
}

func (w *sheet) putName(d Document) {
	primary, err1 := Transliterate(d.Primary)
	secondary, err2 := Transliterate(d.Secondary)
	if err1 != nil || err2 != nil || primary == "" {
		w.fault = &Fault{Field: FieldName, Line: w.name.line + 1}
		return
	}
	room := w.name.to - w.name.from
	name := primary
	if secondary != "" {
		const kept = len("<<") + 1 // both identifiers keep at least one letter
		name = strings.TrimRight(primary[:min(len(primary), room-kept)], string(filler)) + "<<" + secondary
	}
	w.put(w.name, strings.TrimRight(name[:min(len(name), room)], string(filler)), FieldName)
}

func sixDigits(d civil.Date, partial string) string {
	if d.IsZero() {
		if partial == "" {
			return ""
		}
		return strings.ReplaceAll(partial[2:], "-", "")
	}
	const century = 100
	return fmt.Sprintf("%02d%02d%02d", d.Year%century, d.Month, d.Day)
}
