package card_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/cardtest"
)

// with runs do in a session on a card.
func with(t *testing.T, w *wire, do func(s *card.Session) error) error {
	t.Helper()
	return card.With(t.Context(), w, do)
}

func plastic() (*cardtest.Card, *wire) {
	c := cardtest.Plastic(nil, nil)
	return c, &wire{answer: c.Answer}
}

func TestAnswersInPiecesAreFetched(t *testing.T) {
	pieces := [][]byte{{1, 2, 0x61, 0x02}, {3, 4, 0x61, 0x01}, {5, 0x90, 0}}
	script := append([][]byte{{0x90, 0}, {0x90, 0}}, pieces...)
	w := &wire{}
	w.answer = func([]byte) []byte { return script[len(w.got)-1] }
	err := with(t, w, func(s *card.Session) error {
		if _, err := s.Select(t.Context(), card.JPKI); err != nil {
			return err
		}
		if _, err := s.SelectFile(t.Context(), card.JPKIToken); err != nil {
			return err
		}
		got, err := s.Read(t.Context(), 5)
		if !bytes.Equal(got, []byte{1, 2, 3, 4, 5}) {
			t.Errorf("read %x", got)
		}
		return err
	})
	if err != nil || !bytes.Equal(w.got[4], []byte{0, 0xC0, 0, 0, 1}) {
		t.Errorf("%v, %x", err, w.got)
	}
}

func TestACardMayCorrectTheLength(t *testing.T) {
	script := [][]byte{{0x90, 0}, {0x90, 0}, {0x6C, 0x02}, {7, 8, 0x90, 0}}
	w := &wire{}
	w.answer = func([]byte) []byte { return script[len(w.got)-1] }
	err := with(t, w, func(s *card.Session) error {
		_, _ = s.Select(t.Context(), card.JPKI)
		_, _ = s.SelectFile(t.Context(), card.JPKIToken)
		got, err := s.Read(t.Context(), 2)
		if !bytes.Equal(got, []byte{7, 8}) {
			t.Errorf("read %x", got)
		}
		return err
	})
	if err != nil || w.got[3][4] != 2 {
		t.Errorf("%v, %x", err, w.got)
	}
}

// A card that never comes to an end, or lies about it, ends in card_malformed after a bounded
// number of commands.
func TestCardsWithoutEnd(t *testing.T) {
	for name, answer := range map[string][]byte{
		"pieces for ever":            {1, 0x61, 0x10},
		"empty pieces for ever":      {0x61, 0x10},
		"nothing, and all is well":   {0x90, 0},
		"more than was asked for":    append(make([]byte, 300), 0x90, 0),
		"a status that nobody knows": {0x12, 0x34},
		"half a status":              {0x90},
		"a length that is not told":  {0x30, 0x80, 0, 0, 0x90, 0},
		"a length beyond the limit":  {0x30, 0x82, 0xFF, 0xFF, 0x90, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{answer: func(apdu []byte) []byte {
				if apdu[1] == 0xB0 || apdu[1] == 0xC0 {
					return answer
				}
				return []byte{0x90, 0}
			}}
			err := with(t, w, func(s *card.Session) error {
				_, _ = s.Select(t.Context(), card.JPKI)
				_, _, err := s.ReadObject(t.Context(), card.JPKICertificate, 4, 4<<10)
				return err
			})
			if card.WordOf(err) != card.CardMalformed || len(w.got) > 80 {
				t.Errorf("%v after %d commands", err, len(w.got))
			}
		})
	}
}

func TestAFileMayNotEndBeforeItsObject(t *testing.T) {
	c, w := plastic()
	c.Files[card.JPKI][card.JPKICertificate] = []byte{0x30, 0x82, 0x04, 0x00, 1, 2, 3}
	err := with(t, w, func(s *card.Session) error {
		_, _ = s.Select(t.Context(), card.JPKI)
		_, _, err := s.ReadObject(t.Context(), card.JPKICertificate, 4, 4<<10)
		return err
	})
	if card.WordOf(err) != card.CardMalformed {
		t.Error(err)
	}
}

func TestPINs(t *testing.T) {
	for _, c := range []struct {
		name     string
		left     int
		digits   string
		want     card.Word
		wantLeft int
		tried    bool
	}{
		{"right", 3, cardtest.PIN, "", 3, true},
		{"right at two", 2, cardtest.PIN, "", 3, true},
		{"wrong", 3, "0000", card.PINWrong, 2, true},
		{"wrong at two", 2, "0000", card.PINWrong, 1, true},
		{"right at the last try", 1, cardtest.PIN, card.PINLastTry, 1, false},
		{"blocked", 0, cardtest.PIN, card.PINBlocked, 0, false},
		{"three digits", 3, "137", card.PINForm, -1, false},
		{"five digits", 3, "13790", card.PINForm, -1, false},
		{"letters", 3, "13a9", card.PINForm, -1, false},
		{"nothing", 3, "", card.PINForm, -1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			chip, w := plastic()
			chip.PINs[card.TextAID].Left = c.left
			var left int
			err := with(t, w, func(s *card.Session) error {
				_, _ = s.Select(t.Context(), card.TextAID)
				var err error
				left, err = s.Verify(t.Context(), card.TextPIN, []byte(c.digits))
				return err
			})
			if card.WordOf(err) != c.want || (err == nil) != (c.want == "") || left != c.wantLeft {
				t.Errorf("%v, %d left", err, left)
			}
			tried := 0
			for i, apdu := range w.got {
				if apdu[1] == 0x20 && len(apdu) > 4 {
					tried++
					if !bytes.Equal(w.kept[i], make([]byte, len(apdu))) {
						t.Errorf("the command with the PIN was not wiped: %x", w.kept[i])
					}
				}
			}
			if (tried == 1) != c.tried || tried > 1 {
				t.Errorf("tried %d times", tried)
			}
			if chip.Verified() {
				t.Error("a PIN counts as verified after the session")
			}
			if w.began != 1 || w.ended != 1 {
				t.Errorf("%d transactions begun, %d ended", w.began, w.ended)
			}
		})
	}
}

// Whatever fails at whichever command, no error holds the PIN and the transaction ends.
func TestTroubleAtEveryCommand(t *testing.T) {
	for at := 1; at <= 6; at++ {
		_, w := plastic()
		w.failWith = map[int]error{at: card.CardRemoved.Fault(errors.New("pulled"))}
		err := with(t, w, func(s *card.Session) error {
			if _, err := s.Select(t.Context(), card.TextAID); err != nil {
				return err
			}
			if _, err := s.Verify(t.Context(), card.TextPIN, []byte(cardtest.PIN)); err != nil {
				return err
			}
			_, _, err := s.ReadObject(t.Context(), card.TextAttributes, 7, 2048)
			return err
		})
		if card.WordOf(err) != card.CardRemoved || strings.Contains(err.Error(), cardtest.PIN) || w.ended != 1 {
			t.Errorf("command %d: %v, ended %d times", at, err, w.ended)
		}
	}
}
