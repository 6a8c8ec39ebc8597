package rehearsal

import (
	"context"
	"crypto/subtle"
	"sync"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/shared/eligibility"
)

// CardPIN is the PIN of the card to practise with.
const CardPIN = "1234"

// Cards is a reader in which the first invented patient's card always lies. It refuses what
// a real one refuses: a PIN that is none, a wrong one, and any once one try is left; after
// that has been told another card of hers lies there. It is safe for concurrent use.
type Cards struct {
	now func() time.Time

	mu       sync.Mutex
	since    time.Time
	left     int
	read     bool
	watchers map[chan struct{}]bool
}

// tries is how many a fresh card has.
const tries = 3

func newCards(now func() time.Time) *Cards {
	return &Cards{now: now, since: now(), left: tries, watchers: map[chan struct{}]bool{}}
}

// Status tells of the card that lies there.
func (c *Cards) Status() counter.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return counter.Status{Reachable: true, Card: counter.MyNumber, Reader: "practice", PINLeft: c.left, Since: c.since}
}

// Read gives the invented patient, and wipes pin.
func (c *Cards) Read(_ context.Context, pin []byte, _ counter.Proof) (counter.Reading, error) {
	defer clear(pin)
	c.mu.Lock()
	defer c.mu.Unlock()
	none := counter.Reading{PINLeft: c.left, Certificate: counter.NotRead}
	switch {
	case !card.IsPIN(pin):
		return none, card.PINForm.Fault(nil)
	case c.left == 1:
		c.turn(tries)
		return none, card.PINLastTry.Fault(nil)
	case subtle.ConstantTimeCompare(pin, []byte(CardPIN)) == 0:
		c.turn(c.left - 1)
		none.PINLeft = c.left
		return none, card.PINWrong.Fault(nil)
	}
	c.turn(tries)
	c.read = true
	p := patients()[0]
	return counter.Reading{
		Person:  eligibility.Person{NameKanji: p.Kanji, Address: "練習県練習市練習町１－２－３", BirthDate: p.Born, Sex: p.Sex, Proven: true},
		PINLeft: tries, Certificate: counter.Good, ExpiresAt: c.now().AddDate(2, 0, 0), Reader: "practice",
	}, nil
}

// turn sets how many tries are left. The caller holds mu.
func (c *Cards) turn(left int) {
	if c.left == left {
		return
	}
	c.left, c.since = left, c.now()
	for w := range c.watchers {
		select {
		case w <- struct{}{}:
		default: // it hears of it anyway
		}
	}
}

// Watch gives a channel on which something comes after each change of Status, and what ends
// it.
func (c *Cards) Watch() (<-chan struct{}, func()) {
	changed := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers[changed] = true
	return changed, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, changed)
	}
}

// wasRead tells whether the card was read with its PIN.
func (c *Cards) wasRead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read
}
