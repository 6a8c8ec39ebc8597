package fleet

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// HealthEvery is how often a terminal's health is written down while no word in it changes.
const HealthEvery = time.Minute

// SilentAfter is how long after its last word a terminal counts as silent: it speaks every
// ten minutes when nothing happens.
const SilentAfter = time.Hour

// Health is what a terminal last said of itself, under its own signature.
type Health struct {
	wire.Health
	ReceivedAt time.Time
}

// Silence counts terminals in use, those not heard of for long, and what the terminals hold.
type Silence struct {
	InUse   int
	Silent  int
	Pending int64 // records that wait at terminals, by their last word
}

type written struct {
	at    time.Time
	words string
}

// NoteHealth keeps the health that came with a terminal's batch: a compact JWS of
// wire.HealthType, ES256 by the terminal's own key, about that terminal. It is written at
// most once per HealthEvery unless one of its words changed; only what is to be written is
// verified. A signature that is not good is Forbidden and changes nothing.
func (f *Fleet) NoteHealth(ctx context.Context, who actor.Terminal, _ audit.Purpose, jws string) error {
	h, err := unverified(jws)
	if err != nil {
		return err
	}
	now, words := f.Now(), wordsOf(h)
	if !f.healthIsDue(who.ID, words, now) {
		return nil
	}
	if err := f.verifyHealth(ctx, who, jws, h); err != nil {
		return err
	}
	err = f.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		return f.Rows.PutHealth(ctx, t, who.ID, Health{Health: h, ReceivedAt: now})
	})
	if err == nil {
		f.mu.Lock()
		f.healths[who.ID] = written{at: now, words: words}
		f.mu.Unlock()
	}
	return err
}

func (f *Fleet) healthIsDue(terminal, words string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	last, ok := f.healths[terminal]
	return !ok || last.words != words || now.Sub(last.at) >= HealthEvery
}

// wordsOf are the parts of a health that a person wants to know of at once.
func wordsOf(h wire.Health) string {
	faults := slices.Sorted(slices.Values(h.Faults))
	return fmt.Sprintf("%s %s %t %t %t %t %s", h.Version, h.KeyClass, h.Clock.Trusted, h.DeadLetters > 0, h.PutAside > 0, h.Stale > 0,
		strings.Join(faults, " "))
}

// unverified reads the payload; nothing is done on its word alone.
func unverified(jws string) (wire.Health, error) {
	if len(jws) > wire.MaxHealthBytes {
		return wire.Health{}, fault.At(fault.TooLarge, "health", "must be at most %d bytes", wire.MaxHealthBytes)
	}
	parts := strings.SplitN(jws, ".", 4)
	if len(parts) != 3 {
		return wire.Health{}, badHealth()
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil {
		return wire.Health{}, badHealth()
	}
	return wire.DecodeHealth(payload)
}

func badHealth() error { return fault.At(fault.Forbidden, "health", "is not the terminal's own word") }

// verifyHealth holds the JWS to its header, the terminal's key and the terminal's name.
func (f *Fleet) verifyHealth(ctx context.Context, who actor.Terminal, jws string, h wire.Health) error {
	if h.Terminal != who.ID {
		return badHealth()
	}
	_, key, err := f.TerminalKey(ctx, who.ID)
	if err != nil {
		return err
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	_, err = parser.ParseWithClaims(jws, jwt.MapClaims{}, func(token *jwt.Token) (any, error) {
		for name := range token.Header {
			if name != "alg" && name != "typ" && name != "kid" {
				return nil, badHealth()
			}
		}
		if token.Header["typ"] != wire.HealthType {
			return nil, badHealth()
		}
		return key, nil
	})
	if err != nil {
		return badHealth()
	}
	return nil
}

// Health gives what terminals of the officer's municipality said last. Those that said
// nothing are absent.
func (f *Fleet) Health(ctx context.Context, who actor.Staff, _ audit.Purpose) (map[string]Health, error) {
	if err := mayManage(who); err != nil {
		return nil, err
	}
	all, err := f.Rows.Terminals(ctx, who.Municipality, MaxList)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(all))
	for i, t := range all {
		ids[i] = t.ID
	}
	return f.Rows.Health(ctx, ids)
}

// Silence counts the terminals of all municipalities, for the machine room.
func (f *Fleet) Silence(ctx context.Context) (Silence, error) {
	return f.Rows.Silent(ctx, f.Now().Add(-SilentAfter))
}
