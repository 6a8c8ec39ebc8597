package card_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/cardtest"
	"madoguchi.example/shared/fault"
)

// wire is a card in memory as a transport, which writes down what reaches it.
type wire struct {
	answer   func(apdu []byte) []byte
	got      [][]byte
	kept     [][]byte // the same memory that was handed over
	began    int
	ended    int
	failWith map[int]error // by the number of the command
}

func (w *wire) Transmit(_ context.Context, apdu []byte) ([]byte, error) {
	w.got, w.kept = append(w.got, bytes.Clone(apdu)), append(w.kept, apdu)
	if err := w.failWith[len(w.got)]; err != nil {
		return nil, err
	}
	return w.answer(apdu), nil
}
func (w *wire) Begin(context.Context) error { w.began++; return nil }
func (w *wire) End(context.Context) error   { w.ended++; return nil }
func (w *wire) Close() error                { return nil }

func fine() func([]byte) []byte {
	return func([]byte) []byte { return []byte{0x90, 0x00} }
}

func vector(t *testing.T, name string) [][]string {
	t.Helper()
	dir := os.Getenv("MADOGUCHI_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "vectors")
	}
	text, err := os.ReadFile(filepath.Join(dir, "insurance", "apdu", name))
	if err != nil {
		t.Skipf("0 cases ran: no shared vectors here (%s)", name)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

func TestVectorsOfEncoding(t *testing.T) {
	rows := vector(t, "encoding_myna.csv")
	for _, row := range rows {
		n := func(i int) byte {
			v, err := strconv.ParseUint(row[i], 10, 8)
			if err != nil {
				t.Fatal(err)
			}
			return byte(v)
		}
		data, err := hex.DecodeString(row[5])
		if err != nil {
			t.Fatal(err)
		}
		c := card.Command{CLA: n(1), INS: n(2), P1: n(3), P2: n(4), Data: data, Le: card.NoLe}
		if row[6] != "" {
			if c.Le, err = strconv.Atoi(row[6]); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := c.Encode(); err != nil || hex.EncodeToString(got) != row[7] {
			t.Errorf("%v: %x, %v", row, got, err)
		}
	}
	t.Logf("%d encodings are those of the vectors", len(rows))
}

func TestEncodeExtendsAndRefuses(t *testing.T) {
	long, err := card.Command{INS: 0xD6, Data: make([]byte, 256), Le: card.NoLe}.Encode()
	if err != nil || !bytes.Equal(long[:7], []byte{0, 0xD6, 0, 0, 0, 1, 0}) || len(long) != 7+256 {
		t.Errorf("256 bytes: %x, %v", long[:7], err)
	}
	both, err := card.Command{INS: 0x2A, Data: []byte{1}, Le: 256}.Encode()
	if err != nil || !bytes.Equal(both, []byte{0, 0x2A, 0, 0, 0, 0, 1, 1, 1, 0}) {
		t.Errorf("a body and a long answer: %x, %v", both, err)
	}
	for _, c := range []card.Command{{Data: make([]byte, card.MaxData+1), Le: card.NoLe}, {Le: card.MaxData + 1}, {Le: -2}} {
		if _, err := c.Encode(); err == nil {
			t.Errorf("%v was encoded", c)
		}
	}
}

func TestACommandShowsNoBody(t *testing.T) {
	c := card.Command{INS: 0x20, P2: 0x80, Data: []byte("1379"), Le: card.NoLe}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("sent", "command", c)
	for _, shown := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), log.String()} {
		if strings.Contains(shown, "1379") || strings.Contains(shown, "31333739") || strings.Contains(shown, "49 51 55 57") {
			t.Errorf("shows its body: %s", shown)
		}
		if !strings.Contains(shown, "00 20 00 80") {
			t.Errorf("shows no header: %s", shown)
		}
	}
}

func TestEveryWordHasItsPlace(t *testing.T) {
	places := []string{card.PlacePCSCD, card.PlaceReader, card.PlaceCard, card.PlacePIN}
	for _, w := range card.Words() {
		err := w.Fault(errors.New("why"))
		if !slices.Contains(places, w.Place()) || fault.PlaceOf(err) != w.Place() || card.WordOf(err) != w || fault.CodeOf(err) == "" {
			t.Errorf("%s: place %q, %v", w, w.Place(), err)
		}
	}
	if w := card.WordOf(fault.New(fault.Internal, "no word")); w != "" {
		t.Errorf("another's fault says %q", w)
	}
}

// sequence runs commands through the guard and gives how many reached the card.
func sequence(t *testing.T, w *wire, commands ...string) (reached int, last error) {
	t.Helper()
	g := card.Guard(w)
	for _, text := range commands {
		apdu, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		_, last = g.Transmit(t.Context(), apdu)
	}
	return len(w.got), last
}

const (
	selectJPKI = "00A4040C0A D392F000260100000001"
	selectText = "00A4040C0A D3921000310001010408"
)

func TestTheGuardRefuses(t *testing.T) {
	for name, commands := range map[string][]string{
		"the file with the number":              {selectText, "00A4020C020001"},
		"that file by another form":             {selectText, "00A40000020001"},
		"that file with an answer":              {selectText, "00A40200020001 00"},
		"that file by its path":                 {selectText, "00A40800020001"},
		"that file by its short name":           {selectText, "00B0810011"},
		"that file by an odd READ":              {selectText, "00B10001 045402 0000 11"},
		"that file in a long command":           {selectText, "00A4020C 000002 0001"},
		"that file of no applet":                {"00A4020C020001"},
		"the number's own PIN":                  {selectText, "00A4020C020014"},
		"the PIN made of the printed side":      {selectText, "00A4020C020015"},
		"the certificate for signatures":        {selectJPKI, "00A4020C020001"},
		"the password for signatures":           {selectJPKI, "00A4020C02001B"},
		"the applet of the printed side":        {"00A4040C0A D3921000310001010402"},
		"the municipalities' applet":            {"00A4040C0A D3921000310001010100"},
		"an applet by half its name":            {"00A4040C04 D3921000"},
		"a PIN before its tries were asked for": {selectText, "00A4020C020011", "0020008004 31323334"},
		"a change of PIN":                       {selectText, "00A4020C020011", "0024018004 31323334"},
		"a PIN of twelve digits":                {selectText, "00A4020C020011", "00200080", "002000800C 303030303030303030303030"},
		"tries of a file that is no PIN":        {selectText, "00A4020C020002", "00200080"},
		"a signature by what is not the key":    {selectJPKI, "00A4020C020018", "802A00800130 00"},
		"a read of nothing":                     {selectText, "00B0000010"},
		"a read of two lengths":                 {selectText, "00A4020C020002", "00B000000000"},
		"a record":                              {selectText, "00B2010C00"},
		"an unknown class":                      {"84A4040C00"},
		"half a command":                        {"00A4"},
		"nothing":                               {""},
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{answer: func(apdu []byte) []byte {
				if apdu[1] == 0x20 {
					return []byte{0x63, 0xC3}
				}
				return []byte{0x90, 0x00}
			}}
			reached, err := sequence(t, w, commands...)
			if reached != len(commands)-1 || card.WordOf(err) != card.Guarded {
				t.Errorf("%d of %d commands reached the card, %v", reached, len(commands), err)
			}
		})
	}
}

// Of all files there are, the guard selects two in the text applet and four in JPKI.
func TestTheGuardSelectsSixFiles(t *testing.T) {
	for applet, want := range map[string][]int{selectText: {0x0002, 0x0011}, selectJPKI: {0x0006, 0x000A, 0x0017, 0x0018}} {
		var got []int
		for id := range 0x10000 {
			w := &wire{answer: fine()}
			if reached, _ := sequence(t, w, applet, fmt.Sprintf("00A4020C02%04X", id)); reached == 2 {
				got = append(got, id)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %x", applet, got)
		}
	}
}

func TestTheGuardLetsNoLastTryThrough(t *testing.T) {
	pin := []string{selectText, "00A4020C020011", "00200080", "0020008004 31323334"}
	for _, c := range []struct {
		told []byte
		want int
	}{{[]byte{0x63, 0xC3}, 4}, {[]byte{0x63, 0xC2}, 4}, {[]byte{0x63, 0xC1}, 3}, {[]byte{0x63, 0xC0}, 3}, {[]byte{0x69, 0x84}, 3}, {[]byte{0x90, 0}, 3}} {
		w := &wire{answer: func(apdu []byte) []byte {
			if apdu[1] == 0x20 {
				return c.told
			}
			return []byte{0x90, 0}
		}}
		if reached, _ := sequence(t, w, pin...); reached != c.want {
			t.Errorf("%x: %d commands reached the card, want %d", c.told, reached, c.want)
		}
		// A second body needs a second question.
		if reached, _ := sequence(t, &wire{answer: w.answer}, append(pin, pin[3])...); reached != c.want {
			t.Errorf("%x: a second PIN on one question: %d", c.told, reached)
		}
	}
	// After another selection, after a new transaction and after trouble, nothing is known.
	w := &wire{answer: func(apdu []byte) []byte {
		if apdu[1] == 0x20 {
			return []byte{0x63, 0xC3}
		}
		return []byte{0x90, 0}
	}}
	if reached, _ := sequence(t, w, selectText, "00A4020C020011", "00200080", selectJPKI, "00A4020C020018", "0020008004 31323334"); reached != 5 {
		t.Errorf("another PIN's tries: %d", reached)
	}
	g := card.Guard(&wire{answer: w.answer})
	for _, text := range pin[:3] {
		apdu, _ := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if _, err := g.Transmit(t.Context(), apdu); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Transmit(t.Context(), []byte{0, 0x20, 0, 0x80, 4, '1', '2', '3', '4'}); card.WordOf(err) != card.Guarded {
		t.Errorf("after a new transaction: %v", err)
	}
	if card.Guard(g) != g {
		t.Error("a guard before a guard")
	}
}

// FuzzGuard sends what anybody may think of: the card never gets a selection of its file
// 0001, nor a PIN that was not asked for, and the guard's words never hold a body.
func FuzzGuard(f *testing.F) {
	join := func(commands ...string) []byte {
		var out []byte
		for _, c := range commands {
			b, _ := hex.DecodeString(strings.ReplaceAll(c, " ", ""))
			out = append(append(out, byte(len(b))), b...)
		}
		return out
	}
	f.Add(join(selectText, "00A4020C020011", "00200080", "0020008004 31323334", "00A4020C020002", "00B0000007"), byte(0xC3))
	f.Add(join(selectText, "00A4020C020001", "00B0000011"), byte(0xC3))
	f.Add(join(selectJPKI, "00A4020C020018", "00200080", "0020008004 31323334"), byte(0xC1))
	f.Fuzz(func(t *testing.T, script []byte, low byte) {
		w := &wire{answer: func(apdu []byte) []byte {
			if apdu[1] == 0x20 {
				return []byte{0x63, low}
			}
			return []byte{0x90, 0}
		}}
		g := card.Guard(w)
		for len(script) > 0 {
			n := min(int(script[0]), len(script)-1)
			_, err := g.Transmit(t.Context(), script[1:1+n])
			if err != nil && len(err.Error()) > 120 {
				t.Errorf("a long word: %v", err)
			}
			script = script[1+n:]
		}
		for i, apdu := range w.got {
			if apdu[1] == 0xA4 && apdu[2] == 2 && apdu[5] == 0 && apdu[6] == 1 || apdu[1] == 0xA4 && apdu[2] != 2 && apdu[2] != 4 {
				t.Errorf("selects a file that nobody may: %X", apdu)
			}
			if apdu[1] == 0xB0 && apdu[2] > 0x7F {
				t.Errorf("reads by a short name: %X", apdu)
			}
			if apdu[1] == 0x20 && len(apdu) > 4 && (i == 0 || !bytes.Equal(w.got[i-1], []byte{0, 0x20, 0, 0x80}) || low&0xF0 != 0xC0 || low&0x0F < card.MinTries) {
				t.Errorf("tries a PIN after %X", w.got[max(0, i-1)])
			}
		}
	})
}

func TestElementsAreStrict(t *testing.T) {
	long := cardtest.TLV(0x04, make([]byte, 300))
	for _, c := range []struct {
		name string
		data []byte
		want int // -1: refused
	}{
		{"nothing", nil, 0},
		{"two", append(cardtest.TLV(0xDF21, []byte{1}), cardtest.TLV(0xDF22)...), 2},
		{"long", long, 1},
		{"a length with more bytes than it needs", []byte{0x04, 0x82, 0x00, 0x01, 0xAA}, 1},
		{"cut in the value", long[:len(long)-1], -1},
		{"cut in the length", []byte{0x04, 0x82, 0x01}, -1},
		{"cut behind the tag", []byte{0x04}, -1},
		{"cut in the tag", []byte{0xDF}, -1},
		{"a tag without end", []byte{0xDF, 0x81, 0x81, 0x81, 0x01, 0x00}, -1},
		{"a tag that begins with zero", []byte{0xDF, 0x80, 0x01, 0x00}, -1},
		{"no length told", []byte{0x30, 0x80, 0, 0}, -1},
		{"a length of four bytes", []byte{0x04, 0x84, 0x7F, 0xFF, 0xFF, 0xFF}, -1},
		{"a reserved length", []byte{0x04, 0xFF}, -1},
		{"one tag twice", []byte{0x04, 0, 0x04, 0}, -1},
		{"more than there may be", many(card.MaxElements + 1), -1},
		{"as many as there may be", many(card.MaxElements), card.MaxElements},
	} {
		got, err := card.Elements(c.data)
		if (err != nil) != (c.want < 0) || err == nil && len(got) != c.want {
			t.Errorf("%s: %d objects, %v", c.name, len(got), err)
		}
	}
}

func many(n int) []byte {
	var out []byte
	for i := range n {
		out = append(out, cardtest.TLV(uint32(0xDF01+i))...)
	}
	return out
}

func FuzzElements(f *testing.F) {
	f.Add(cardtest.Attributes(cardtest.Name, cardtest.Address, cardtest.Birth, "2"))
	f.Add([]byte{0x04, 0x82, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := card.Elements(data)
		if err != nil {
			return
		}
		total := 0
		for _, e := range all {
			total += len(e.Value)
		}
		if total > len(data) || len(all) > card.MaxElements {
			t.Errorf("%d objects of %d bytes from %d", len(all), total, len(data))
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte{0x90, 0})
	f.Add([]byte{1, 2, 3, 0x62, 0x82})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := card.ParseAnswer(b)
		if (err != nil) != (len(b) < 2 || len(b) > card.MaxAnswer) || err == nil && len(a.Data) != len(b)-2 {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	})
}
