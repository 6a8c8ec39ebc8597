// Package textap talks to the applet 券面事項入力補助 of a My Number Card, which gives the
// four attributes printed on it (name, address, birth date, sex) as text after its PIN.
//
// Its file 0001, the 12-digit number, is never selected; card.Guard would refuse it.
package textap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
)

// Limits of the attributes.
const (
	MaxAttributes = 2 << 10 // bytes of the file
	MaxName       = 300     // bytes of the name
	MaxAddress    = 900     // bytes of the address
)

// firstYear is the earliest in which the holder of a card can be born.
const firstYear = 1868

// Tags of the file with the attributes.
const (
	tagAttributes = 0xFF20
	tagHeader     = 0xDF21
	tagName       = 0xDF22
	tagAddress    = 0xDF23
	tagBirth      = 0xDF24
	tagSex        = 0xDF25
)

// Applet is the applet, selected. It is for the transaction of its session.
type Applet struct{ s *card.Session }

// Select selects the applet. It tells false where the card has none, as a phone has none.
func Select(ctx context.Context, s *card.Session) (Applet, bool, error) {
	has, err := s.Select(ctx, card.TextAID)
	return Applet{s}, has, err
}

// Tries gives the tries left of the PIN; false where the card has no such PIN.
func (a Applet) Tries(ctx context.Context) (left int, has bool, err error) {
	return a.s.Tries(ctx, card.TextPIN)
}

// Verify tries the PIN: see card.Session.Verify.
func (a Applet) Verify(ctx context.Context, pin []byte) (left int, err error) {
	return a.s.Verify(ctx, card.TextPIN, pin)
}

// Attributes reads the four attributes. The PIN must have been verified. Proven is false:
// this applet proves nothing of the card.
func (a Applet) Attributes(ctx context.Context) (eligibility.Person, error) {
	const head = 7 // two bytes of tag, at most three of length, and two to spare
	text, has, err := a.s.ReadObject(ctx, card.TextAttributes, head, MaxAttributes)
	switch {
	case err != nil:
		return eligibility.Person{}, err
	case !has:
		return eligibility.Person{}, card.CardMalformed.Fault(errors.New("no file with the attributes"))
	}
	return Decode(text)
}

// Decode reads the file with the attributes: FF20 { DF21 header, DF22 name, DF23 address,
// DF24 birth date YYYYMMDD, DF25 sex }, in any order, each once and whole; objects with
// other tags are passed over. Its errors tell a place and never a value.
func Decode(file []byte) (eligibility.Person, error) {
	p, err := decode(file)
	if err != nil {
		return eligibility.Person{}, card.CardMalformed.Fault(fmt.Errorf("the attributes: %w", err))
	}
	return p, nil
}

func decode(file []byte) (eligibility.Person, error) {
	var p eligibility.Person
	if len(file) > MaxAttributes {
		return p, fmt.Errorf("more than %d bytes", MaxAttributes)
	}
	outer, err := card.Elements(file)
	switch {
	case err != nil:
		return p, err
	case len(outer) != 1 || outer[0].Tag != tagAttributes:
		return p, errors.New("not one object of tag FF20")
	}
	inner, err := card.Elements(outer[0].Value)
	if err != nil {
		return p, err
	}
	values := map[uint32][]byte{}
	for _, e := range inner {
		values[e.Tag] = e.Value
	}
	for _, tag := range []uint32{tagHeader, tagName, tagAddress, tagBirth, tagSex} {
		if _, there := values[tag]; !there {
			return p, fmt.Errorf("no object of tag %X", tag)
		}
	}
	if p.NameKanji, err = text(values[tagName], MaxName); err != nil {
		return eligibility.Person{}, fmt.Errorf("name: %w", err)
	}
	if p.Address, err = text(values[tagAddress], MaxAddress); err != nil {
		return eligibility.Person{}, fmt.Errorf("address: %w", err)
	}
	if p.BirthDate, err = birth(values[tagBirth]); err != nil {
		return eligibility.Person{}, fmt.Errorf("birth date: %w", err)
	}
	if p.Sex = string(values[tagSex]); !strings.Contains("0 1 2 9", p.Sex) || len(p.Sex) != 1 || p.Sex == " " {
		return eligibility.Person{}, errors.New("sex: not a value of ISO 5218")
	}
	return p, nil
}

// text is a name or an address as the register writes it: it is not normalised.
func text(b []byte, limit int) (string, error) {
	switch {
	case len(b) == 0:
		return "", errors.New("empty")
	case len(b) > limit:
		return "", fmt.Errorf("more than %d bytes", limit)
	case !utf8.Valid(b):
		return "", errors.New("not UTF-8")
	}
	for _, r := range string(b) {
		if unicode.IsControl(r) {
			return "", errors.New("a control character")
		}
	}
	return strings.TrimSpace(string(b)), nil
}

func birth(b []byte) (civil.Date, error) {
	if len(b) != len("YYYYMMDD") {
		return civil.Date{}, errors.New("not eight digits")
	}
	d, err := civil.Parse(string(b[:4]) + "-" + string(b[4:6]) + "-" + string(b[6:]))
	if err == nil && d.Year < firstYear {
		err = errors.New("before anybody's birth")
	}
	return d, err
}
