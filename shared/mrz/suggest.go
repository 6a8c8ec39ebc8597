package mrz

import "madoguchi.example/shared/civil"

// maxDoubtful bounds the places at which a suggestion tries both letter and digit.
const maxDoubtful = 10

// place is one character of a zone.
type place struct{ line, column int }

// suggest exchanges letters O and digits 0. Where a field has letters alone or digits alone
// there is no doubt; elsewhere both are tried. It gives a zone only where exactly one is
// right: the check digits tell the two apart wherever they stand.
func (p plan) suggest(lines []string, today civil.Date) []string {
	zone := make([][]byte, len(lines))
	var doubtful []place
	for i, line := range lines {
		zone[i] = []byte(line)
		for column, c := range zone[i] {
			if c != 'O' && c != '0' {
				continue
			}
			switch p.class(i, column) {
			case onlyLetters:
				zone[i][column] = 'O'
			case onlyDigits:
				zone[i][column] = '0'
			default:
				doubtful = append(doubtful, place{i, column})
			}
		}
	}
	if len(doubtful) > maxDoubtful {
		return nil
	}
	var found []string
	for choice := range 1 << len(doubtful) {
		for bit, at := range doubtful {
			zone[at.line][at.column] = "0O"[choice>>bit&1]
		}
		text := make([]string, len(zone))
		for i := range zone {
			text[i] = string(zone[i])
		}
		if _, fault := p.read(text, today); fault != nil {
			continue
		}
		if found != nil {
			return nil
		}
		found = text
	}
	return found
}

type class int

const (
	either class = iota
	onlyLetters
	onlyDigits
)

// class tells what may stand at a place.
func (p plan) class(line, column int) class {
	in := func(s span, more int) bool { return line == s.line && column >= s.from && column < s.to+more }
	switch {
	case in(p.code, 0), in(p.issuer, 0), in(p.nationality, 0), in(p.name, 0), in(p.sex, 0):
		return onlyLetters
	case in(p.birth, 1), in(p.expiry, 1), in(span{p.number.line, p.number.to, p.number.to}, 1), line == 1 && column == p.length-1:
		return onlyDigits
	case p.personal && in(span{p.optional.line, p.optional.to, p.optional.to}, 1):
		return onlyDigits
	}
	return either
}
