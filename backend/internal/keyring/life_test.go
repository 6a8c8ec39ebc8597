package keyring_test

import (
	"context"
	"flag"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/fault"
)

// life is what happens to a ring in any order, and what was seen of it.
type life struct {
	t     *testing.T
	hall  *hall
	rings []*keyring.Ring // processes over one store
	// published is since when each key has been seen among the published without a break;
	// signed are the keys that signed, withdrawn those that were given up.
	published map[keyring.Use]map[string]time.Time
	signed    map[keyring.Use]map[string]bool
	withdrawn map[string]bool
	// excused are the keys that may sign though the world does not know them yet: the first
	// of a use, and those that replaced a withdrawn one.
	excused map[string]bool
	border  bool // the passport authority's signer is there: VDS-NC may have none
}

func newLife(t *testing.T, db *store.DB) *life {
	for _, table := range []string{"signing_key", "signing_ring"} {
		if _, err := db.Writer().ExecContext(t.Context(), "DELETE FROM "+table); err != nil {
			t.Fatal(err)
		}
	}
	l := &life{t: t, hall: newHall(t, db), published: map[keyring.Use]map[string]time.Time{},
		signed: map[keyring.Use]map[string]bool{}, withdrawn: map[string]bool{}, excused: map[string]bool{}}
	for _, use := range keyring.Uses() {
		l.published[use], l.signed[use] = map[string]time.Time{}, map[string]bool{}
	}
	l.rings = []*keyring.Ring{l.hall.open(t), l.hall.open(t)}
	for _, use := range keyring.Uses() {
		l.excused[ids(t, l.rings[0], use, l.hall.clock())[0]] = true
	}
	return l
}

func (l *life) ring(r *rapid.T) *keyring.Ring { return rapid.SampledFrom(l.rings).Draw(r, "process") }

func (l *life) use(r *rapid.T) keyring.Use { return rapid.SampledFrom(keyring.Uses()).Draw(r, "use") }

func (l *life) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"time passes": func(r *rapid.T) {
			l.hall.pass(rapid.SampledFrom([]time.Duration{time.Microsecond, time.Hour, lifetime - time.Microsecond, lifetime, 100 * lifetime}).Draw(r, "time"))
		},
		"restart": func(r *rapid.T) { l.rings[rapid.IntRange(0, 1).Draw(r, "process")] = l.hall.open(l.t) },
		"sweep": func(r *rapid.T) {
			if err := l.ring(r).Sweep(context.Background(), operator, audit.SigningKeys); err != nil {
				r.Fatal(err)
			}
		},
		"sign":       func(r *rapid.T) { l.sign(r, l.ring(r), l.use(r)) },
		"rotate":     l.rotate,
		"compromise": l.compromise,
		"withdraw":   l.withdraw,
		"":           l.check,
	}
}

func (l *life) rotate(r *rapid.T) {
	use := l.use(r)
	x := keyring.Rotation{Use: use}
	if use == keyring.VDSNC && (l.border || rapid.Bool().Draw(r, "border")) {
		now := l.hall.clock()
		x.Border = borderSigner(l.t, now, now.Add(rapid.SampledFrom([]time.Duration{time.Hour, 300 * lifetime}).Draw(r, "usage")))
	}
	k, err := l.ring(r).Rotate(context.Background(), operator, audit.SigningKeys, x)
	switch {
	case fault.CodeOf(err) == fault.Conflict: // one waits already, or too many are published
	case err != nil:
		r.Fatal(err)
	case use == keyring.VDSNC:
		l.border = l.border || x.Border != nil
	case k.UseFrom.Sub(l.hall.clock()) < lifetime:
		r.Fatalf("%s: the next key signs from %s, now is %s", use, k.UseFrom, l.hall.clock())
	}
}

// compromise withdraws what is in force by a rotation; what follows is excused.
func (l *life) compromise(r *rapid.T) {
	ring, use := l.ring(r), l.use(r)
	if use == keyring.VDSNC && l.border {
		return
	}
	old := l.inForce(r, ring, use)
	k, err := ring.Rotate(context.Background(), operator, audit.SigningKeys, keyring.Rotation{Use: use, Compromised: true})
	if err != nil {
		r.Fatal(err)
	}
	l.giveUp(use, old)
	l.excused[k.ID] = true
}

func (l *life) withdraw(r *rapid.T) {
	ring, use := l.ring(r), l.use(r)
	all, err := ring.List(context.Background(), operator, audit.SigningKeys)
	if err != nil {
		r.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(k keyring.Stored) bool { return k.Use != use })
	k := rapid.SampledFrom(all).Draw(r, "key")
	old := l.inForce(r, ring, use)
	if err := ring.Withdraw(context.Background(), operator, audit.SigningKeys, k.ID); err != nil {
		r.Fatal(err)
	}
	l.giveUp(use, k.ID)
	if k.ID == old {
		l.excused[l.inForce(r, ring, use)] = true
	}
}

func (l *life) giveUp(use keyring.Use, id string) {
	l.withdrawn[id] = true
	delete(l.published[use], id)
}

// inForce gives the one key in force; VDS-NC may have none once it had a real signer.
func (l *life) inForce(r *rapid.T, ring *keyring.Ring, use keyring.Use) string {
	all, err := ring.List(context.Background(), operator, audit.SigningKeys)
	if err != nil {
		r.Fatal(err)
	}
	var found []string
	for _, k := range all {
		if k.Use == use && k.InForce(l.hall.clock()) {
			found = append(found, k.ID)
		}
	}
	if len(found) != 1 && !(use == keyring.VDSNC && l.border && len(found) == 0) {
		r.Fatalf("%s: %d keys in force", use, len(found))
	}
	return slices.Concat(found, []string{""})[0]
}

func (l *life) sign(r *rapid.T, ring *keyring.Ring, use keyring.Use) {
	now := l.hall.clock()
	k, _, err := ring.Signer(context.Background(), use, now)
	bounded := use == keyring.HCERT || use == keyring.VDSNC // by a certificate's time
	if fault.CodeOf(err) == fault.Unavailable && bounded {
		return
	}
	if err != nil {
		r.Fatal(err)
	}
	since, known := l.published[use][k.ID]
	switch {
	case l.withdrawn[k.ID]:
		r.Fatalf("%s: a withdrawn key signs", use)
	case !known:
		r.Fatalf("%s: a key signs that is not published", use)
	case use != keyring.VDSNC && !l.excused[k.ID] && now.Sub(since) < lifetime:
		r.Fatalf("%s: a key signs that the world knows for %s", use, now.Sub(since))
	}
	l.signed[use][k.ID] = true
}

// check looks at what the world sees, from both processes, after every act.
func (l *life) check(r *rapid.T) {
	now := l.hall.clock()
	for _, use := range keyring.Uses() {
		l.inForce(r, l.rings[0], use)
		seen := ids(l.t, l.rings[0], use, now)
		if other := ids(l.t, l.rings[1], use, now); !slices.Equal(seen, other) {
			r.Fatalf("%s: the processes publish %v and %v", use, seen, other)
		}
		for id := range l.published[use] {
			if !slices.Contains(seen, id) {
				r.Fatalf("%s: a key that was not withdrawn is published no more", use)
			}
		}
		for _, id := range seen {
			if l.withdrawn[id] {
				r.Fatalf("%s: a withdrawn key is published", use)
			}
			if _, known := l.published[use][id]; !known {
				l.published[use][id] = now
			}
		}
		for id := range maps.Keys(l.signed[use]) {
			if !l.withdrawn[id] && !slices.Contains(seen, id) {
				r.Fatalf("%s: a key that signed is not published", use)
			}
		}
		l.sign(r, l.rings[1], use)
	}
	l.checkFiles(r)
}

// checkFiles wants the private part of each key that signs or will, and of no key that was
// destroyed.
func (l *life) checkFiles(r *rapid.T) {
	all, err := l.rings[0].List(context.Background(), operator, audit.SigningKeys)
	if err != nil {
		r.Fatal(err)
	}
	needed, gone := 0, 0
	for _, k := range all {
		switch {
		case !k.Past(l.hall.clock()):
			needed++
			if !k.Destroyed.IsZero() {
				r.Fatalf("%s: the private part of a key that signs or will is destroyed", k.Use)
			}
		case !k.Destroyed.IsZero():
			gone++
		}
	}
	if files := len(l.hall.files(l.t)); files < needed || files > len(all)-gone {
		r.Fatalf("%d files for %d keys, of which %d are needed and %d destroyed", files, len(all), needed, gone)
	}
}

// lives are the cases of TestLife, by engine.
var lives = map[store.Engine]string{store.SQLite: "12", store.Postgres: "4"}

// Whatever happens in whatever order, over two processes: exactly one key of a use is in
// force, a key signs only after the world has known it for one cache lifetime, and what
// signed stays published unless it was withdrawn.
func TestLife(t *testing.T) {
	checks := flag.Lookup("rapid.checks")
	defer func(before string) { _ = checks.Value.Set(before) }(checks.Value.String())
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if err := checks.Value.Set(lives[db.Engine()]); err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(r *rapid.T) { r.Repeat(newLife(t, db).actions()) })
	})
}
