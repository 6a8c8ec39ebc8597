package counter

import (
	"context"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/jpki"
	"madoguchi.example/agent/internal/card/textap"
)

// lookInto finds out what lies in a reader, without a PIN.
func (c *Counter) lookInto(ctx context.Context, r card.Reader) look {
	found := look{events: r.Events, kind: None, left: -1}
	t, err := c.Readers.Connect(ctx, r.Name)
	if err == nil {
		defer func() { _ = t.Close() }()
		err = card.With(ctx, t, func(s *card.Session) error {
			found.kind, found.left, _, err = survey(ctx, s)
			return err
		})
	}
	switch word := card.WordOf(err); word {
	case card.MuteCard:
		found.kind = Mute
	case card.CardMalformed:
		found.kind = Other
	default:
		found.fault = word
	}
	return found
}

// survey finds out what a card is and how many tries its PINs have left, the fewer of those
// that it has; -1 where it has none or a phone carries it. Where the card is MyNumber its
// text applet is selected afterwards, and the tries left of its PIN were asked for last.
func survey(ctx context.Context, s *card.Session) (kind Kind, left int, text textap.Applet, err error) {
	key, has, err := jpki.Select(ctx, s)
	if err != nil || !has {
		return Other, -1, text, err
	}
	switch carrier, err := key.Carrier(ctx); {
	case err != nil:
		return Other, -1, text, err
	case carrier == jpki.Phone:
		return MyNumberPhone, -1, text, nil
	case carrier != jpki.Plastic:
		return Other, -1, text, nil
	}
	ofKey, keyed, err := key.Tries(ctx)
	if err != nil {
		return Other, -1, text, err
	}
	text, has, err = textap.Select(ctx, s)
	if err != nil || !has {
		return Other, -1, text, err
	}
	left, has, err = text.Tries(ctx)
	switch {
	case err != nil:
		return Other, -1, text, err
	case !has:
		return MyNumberNoPIN, -1, text, nil
	case keyed: // else its holder took no certificate
		left = min(left, ofKey)
	}
	return MyNumber, left, text, nil
}
