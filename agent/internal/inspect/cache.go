package inspect

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/trust"
)

// Bounds of what is remembered: the verdicts of a busy minute.
const (
	CacheSize = 64
	CacheTime = time.Minute
)

// cache remembers verdicts by the SHA-256 of what was read: the same code held up again is
// answered without being verified again. A verdict holds for one snapshot, for at most
// CacheTime, and never beyond a moment at which it could change. It is safe for concurrent
// use.
type cache struct {
	mu   sync.Mutex
	kept map[[sha256.Size]byte]remembered
}

type remembered struct {
	verdict     cert.Verdict
	snap        trust.Snapshot
	setBack     bool
	from, until time.Time
}

// get gives what is remembered of the content, with the age of the trust list as it is now.
func (c *cache) get(content []byte, snap trust.Snapshot, clock clockfloor.Reading) (cert.Verdict, bool) {
	key := sha256.Sum256(content)
	c.mu.Lock()
	r, ok := c.kept[key]
	c.mu.Unlock()
	if !ok || !r.holds(snap, clock) {
		return cert.Verdict{}, false
	}
	v := r.verdict
	v.Findings = slices.Clone(v.Findings)
	if !v.TrustAsOf.IsZero() {
		v.TrustAge = snap.Age(clock.At).Truncate(time.Second).String()
	}
	return v, true
}

// put remembers a verdict. It forgets what has ended, and the oldest where there is no room.
func (c *cache) put(content []byte, v cert.Verdict, snap trust.Snapshot, clock clockfloor.Reading) {
	v.Findings = slices.Clone(v.Findings)
	r := remembered{verdict: v, snap: snap, setBack: clock.SetBack > 0, from: clock.At}
	r.until = r.end()
	key := sha256.Sum256(content)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = map[[sha256.Size]byte]remembered{}
	}
	var oldest [sha256.Size]byte
	var since time.Time
	for k, old := range c.kept {
		switch {
		case !old.snap.Same(snap), old.from.After(clock.At), !clock.At.Before(old.until):
			delete(c.kept, k)
		case since.IsZero() || old.from.Before(since):
			oldest, since = k, old.from
		}
	}
	if len(c.kept) >= CacheSize {
		delete(c.kept, oldest)
	}
	c.kept[key] = r
}

func (r remembered) holds(snap trust.Snapshot, clock clockfloor.Reading) bool {
	return r.snap.Same(snap) && r.setBack == (clock.SetBack > 0) && !clock.At.Before(r.from) && clock.At.Before(r.until)
}

// end gives when the verdict is to be made anew: the next moment at which the certificate
// begins or ends, with the clock's leeway or without, or the trust list grows stale.
func (r remembered) end() time.Time {
	end := r.from.Add(CacheTime)
	moments := []time.Time{r.snap.AsOf(), r.snap.AsOf().Add(r.snap.MaxAge())}
	if c := r.verdict.Certificate; c != nil {
		moments = append(moments, c.IssuedAt.Add(-ClockLeeway), c.IssuedAt, c.ExpiresAt, c.ExpiresAt.Add(1)) // formats differ whether the end itself is still within
	}
	for _, m := range moments {
		if m.After(r.from) && m.Before(end) {
			end = m
		}
	}
	return end
}
