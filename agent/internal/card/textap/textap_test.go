package textap_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/cardtest"
	"madoguchi.example/agent/internal/card/textap"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
)

// recorder is a card in memory with what reached it.
type recorder struct {
	*cardtest.Card
	got [][]byte
}

func (r *recorder) Transmit(_ context.Context, apdu []byte) ([]byte, error) {
	r.got = append(r.got, bytes.Clone(apdu))
	return r.Answer(apdu), nil
}
func (r *recorder) Begin(context.Context) error { return nil }
func (r *recorder) End(context.Context) error   { return nil }
func (r *recorder) Close() error                { return nil }

func read(t *testing.T, c *cardtest.Card) (eligibility.Person, *recorder, error) {
	t.Helper()
	r := &recorder{Card: c}
	var p eligibility.Person
	err := card.With(t.Context(), r, func(s *card.Session) error {
		a, _, err := textap.Select(t.Context(), s)
		if err != nil {
			return err
		}
		if _, err := a.Verify(t.Context(), []byte(cardtest.PIN)); err != nil {
			return err
		}
		p, err = a.Attributes(t.Context())
		return err
	})
	return p, r, err
}

func TestTheFourAttributes(t *testing.T) {
	want := eligibility.Person{NameKanji: cardtest.Name, Address: cardtest.Address, BirthDate: civil.Date{Year: 1980, Month: 4, Day: 1}, Sex: "2"}
	p, r, err := read(t, cardtest.Plastic(nil, nil))
	if err != nil || p != want {
		t.Errorf("%v", err)
	}
	if p.Proven {
		t.Error("proven by nothing")
	}
	selected := 0
	for _, apdu := range r.got {
		if apdu[1] == 0xA4 && apdu[2] == 2 {
			selected++
			if apdu[5] == 0 && apdu[6] == 1 {
				t.Errorf("the file with the number was selected: %X", apdu)
			}
		}
	}
	if selected == 0 {
		t.Error("nothing was recorded")
	}
}

func TestLongAndRareNames(t *testing.T) {
	for _, name := range []string{
		strings.Repeat("龘", 40), "髙橋　﨑子", "𠮷野　葛󠄀子", "ヴァシリエヴィチ　アレクサンドラ", "SMITH　JOHN PAUL GEORGE",
	} {
		c := cardtest.Plastic(nil, nil)
		c.Files[card.TextAID][card.TextAttributes] = append(cardtest.Attributes(name, strings.Repeat("長", 100), "19190228", "1"), bytes.Repeat([]byte{0xFF}, 900)...)
		p, _, err := read(t, c)
		if err != nil || p.NameKanji != name || len(p.Address) != 300 {
			t.Errorf("a name of %d bytes: %v", len(name), err)
		}
	}
}

func TestMalformedAttributes(t *testing.T) {
	good := func(change func(parts map[uint32][]byte, order *[]uint32)) []byte {
		parts := map[uint32][]byte{0xDF21: make([]byte, 8), 0xDF22: []byte(cardtest.Name), 0xDF23: []byte(cardtest.Address), 0xDF24: []byte(cardtest.Birth), 0xDF25: []byte("2")}
		order := []uint32{0xDF21, 0xDF22, 0xDF23, 0xDF24, 0xDF25}
		change(parts, &order)
		var inner [][]byte
		for _, tag := range order {
			inner = append(inner, cardtest.TLV(tag, parts[tag]))
		}
		return cardtest.TLV(0xFF20, inner...)
	}
	set := func(tag uint32, value string) []byte {
		return good(func(p map[uint32][]byte, _ *[]uint32) { p[tag] = []byte(value) })
	}
	whole := good(func(map[uint32][]byte, *[]uint32) {})
	if _, err := textap.Decode(whole); err != nil {
		t.Fatal(err)
	}
	if _, err := textap.Decode(good(func(_ map[uint32][]byte, o *[]uint32) { (*o)[1], (*o)[4] = (*o)[4], (*o)[1] })); err != nil {
		t.Errorf("in another order: %v", err)
	}
	if _, err := textap.Decode(good(func(p map[uint32][]byte, o *[]uint32) { *o = append(*o, 0xDF26); p[0xDF26] = []byte("later") })); err != nil {
		t.Errorf("with an object of tomorrow: %v", err)
	}
	for name, file := range map[string][]byte{
		"nothing":                 nil,
		"cut":                     whole[:len(whole)-3],
		"something behind":        append(bytes.Clone(whole), 0),
		"another object":          cardtest.TLV(0xFF40, []byte("x")),
		"an object within itself": cardtest.TLV(0xFF20, cardtest.TLV(0xFF20, cardtest.TLV(0xFF20, whole))),
		"a name twice":            good(func(_ map[uint32][]byte, o *[]uint32) { *o = append(*o, 0xDF22) }),
		"no header":               good(func(_ map[uint32][]byte, o *[]uint32) { *o = (*o)[1:] }),
		"no sex":                  good(func(_ map[uint32][]byte, o *[]uint32) { *o = (*o)[:4] }),
		"no name in it":           set(0xDF22, ""),
		"a name not in UTF-8":     set(0xDF22, "\x83\x4a"),
		"a name with a tab":       set(0xDF22, "架空\t花子"),
		"a name too long":         set(0xDF22, strings.Repeat("長", 101)),
		"an address too long":     set(0xDF23, strings.Repeat("長", 301)),
		"the 31st of February":    set(0xDF24, "19800231"),
		"the year nothing":        set(0xDF24, "00000401"),
		"a birth date in kanji":   set(0xDF24, "昭55"),
		"a birth date of six":     set(0xDF24, "800401"),
		"a sex of no norm":        set(0xDF25, "3"),
		"a sex of two":            set(0xDF25, "12"),
		"a blank for a sex":       set(0xDF25, " "),
		"more than there may be":  make([]byte, textap.MaxAttributes+1),
	} {
		p, err := textap.Decode(file)
		if card.WordOf(err) != card.CardMalformed || p != (eligibility.Person{}) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), cardtest.Name) || strings.Contains(err.Error(), cardtest.Birth)) {
			t.Errorf("%s: the error tells a person: %v", name, err)
		}
	}
}

func TestNothingIsReadWithoutThePIN(t *testing.T) {
	r := &recorder{Card: cardtest.Plastic(nil, nil)}
	err := card.With(t.Context(), r, func(s *card.Session) error {
		a, _, err := textap.Select(t.Context(), s)
		if err != nil {
			return err
		}
		_, err = a.Attributes(t.Context())
		return err
	})
	if card.WordOf(err) != card.CardMalformed {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(cardtest.Attributes(cardtest.Name, cardtest.Address, cardtest.Birth, "2"))
	f.Add(cardtest.TLV(0xFF20, cardtest.TLV(0xDF22)))
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := textap.Decode(file)
		if err != nil {
			if card.WordOf(err) != card.CardMalformed || p != (eligibility.Person{}) {
				t.Errorf("%v with a person", err)
			}
			return
		}
		if len(p.NameKanji) > textap.MaxName || len(p.Address) > textap.MaxAddress || p.BirthDate.IsZero() || len(p.Sex) != 1 {
			t.Error("a person that cannot be")
		}
	})
}
