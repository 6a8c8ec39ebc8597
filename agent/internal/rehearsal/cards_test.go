package rehearsal_test

import (
	"context"
	"testing"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/agent/internal/rehearsal"
	"madoguchi.example/firmware-config/profile"
)

// The practised card refuses what a real one refuses, wipes what was typed, and lets itself
// be read again after the last try was told.
func TestThePractisedCard(t *testing.T) {
	r := open(t, profile.Shelter)
	cards := r.Cards()
	changes, stop := cards.Watch()
	defer stop()
	if s := cards.Status(); s.Card != counter.MyNumber || !s.Reachable || s.PINLeft != 3 {
		t.Fatalf("before: %+v", s)
	}
	for _, step := range []struct {
		pin  string
		word card.Word
		left int
	}{
		{"", card.PINForm, 3}, {"12345", card.PINForm, 3}, {"9999", card.PINWrong, 2}, {"0000", card.PINWrong, 1},
		{rehearsal.CardPIN, card.PINLastTry, 3}, {rehearsal.CardPIN, "", 3},
	} {
		pin := []byte(step.pin)
		reading, err := cards.Read(context.Background(), pin, counter.Proof{})
		if word := card.WordOf(err); word != step.word || cards.Status().PINLeft != step.left {
			t.Errorf("%q: %q with %d left; want %q with %d", step.pin, word, cards.Status().PINLeft, step.word, step.left)
		}
		for _, b := range pin {
			if b != 0 {
				t.Errorf("%q is not wiped", step.pin)
			}
		}
		if (err == nil) != reading.Person.Proven {
			t.Errorf("%q: %v, proven %v", step.pin, err, reading.Person.Proven)
		}
	}
	select {
	case <-changes:
	default:
		t.Error("nobody heard of the tries")
	}
}
