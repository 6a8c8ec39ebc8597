package shc

import (
	"encoding/json"
	"errors"
	"fmt"

	"madoguchi.example/shared/internal/jsonpull"
)

// File gives a .smart-health-card file of one or more cards.
func File(jws ...string) ([]byte, error) {
	if len(jws) == 0 || len(jws) > MaxCards {
		return nil, fmt.Errorf("cannot write a card file: not 1 to %d cards", MaxCards)
	}
	return json.Marshal(map[string][]string{"verifiableCredential": jws})
}

// ReadFile gives the cards of a .smart-health-card file, undecoded. Other members of the
// file are left unread.
func ReadFile(text []byte) ([]string, error) {
	if len(text) > MaxFile {
		return nil, fmt.Errorf("cannot read the card file: larger than %d bytes", MaxFile)
	}
	var cards []string
	r := jsonpull.New(string(text))
	for m := r.Object(); m.Next(); {
		if m.Name != "verifiableCredential" {
			continue
		}
		for a := r.Array(); a.Next(); {
			if a.Index >= MaxCards {
				r.Fault("more than %d cards", MaxCards)
				continue
			}
			cards = append(cards, r.Text())
		}
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("cannot read the card file: %w", err)
	}
	if len(cards) == 0 {
		return nil, errors.New("cannot read the card file: no card in it")
	}
	return cards, nil
}
