// Package counter is how a counter uses cards: it watches the readers, tells what lies in
// them, and reads a My Number Card when it is asked to.
//
// It is what reception, check and doctor use; they know nothing of readers and applets. A
// card gives who a person is and nothing of their insurance.
//
// A My Number Card has two PINs of four digits, the one of its text (券面事項入力補助用) and
// the one of its key for authentication (利用者証明用), which most people set to the same
// digits. Read tries the first, and the second only where the first has accepted the digits
// and all tries of the second are left: whoever set two PINs loses one try of the second
// once, and is never brought near to losing it. What Read never does is trying a PIN of
// which one try is left.
package counter

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/shared/trust"
)

// Kind is what lies in a reader.
type Kind string

// The kinds.
const (
	None          Kind = "none"
	MyNumber      Kind = "my_number"
	MyNumberPhone Kind = "my_number_phone"  // carried by a phone
	MyNumberNoPIN Kind = "my_number_no_pin" // 顔認証マイナンバーカード
	Other         Kind = "other"
	Mute          Kind = "mute"
)

// ours tells whether it is a My Number Card of any sort.
func (k Kind) ours() bool { return k == MyNumber || k == MyNumberPhone || k == MyNumberNoPIN }

// Status is what the counter sees of its readers. What lies there and cannot be read by PIN
// is a Kind, not a Fault.
type Status struct {
	Reachable bool          // the service that knows the readers answers
	Readers   []card.Reader // all of them
	Card      Kind
	Reader    string    // where the card lies, or the only reader
	PINLeft   int       // the fewer tries of both PINs; -1 unknown
	Since     time.Time // when it came to be so
	Fault     card.Word // "" for none
}

// Config is what a Counter needs.
type Config struct {
	Readers card.Readers
	Trust   func() trust.Snapshot // the roots, asked for at each reading; nil trusts nobody
	Reader  string                // the only reader to use; empty: any
	Now     func() time.Time
	Rand    io.Reader    // of challenges; nil: none are made but a server's
	Log     *slog.Logger // nil: nothing is logged
}

// Counter is the use of cards at one counter. It is safe for concurrent use.
type Counter struct {
	Config
	use chan struct{} // holds one token: who has it uses the readers

	mu       sync.Mutex
	status   Status
	seen     map[string]look // what lies in a reader, by its name
	chosen   string          // of several cards
	watchers map[chan struct{}]bool
}

// look is what was found in a reader.
type look struct {
	events uint32
	kind   Kind
	left   int
	fault  card.Word // why it could not be told
}

// New makes a Counter, which sees nothing until Run or Look runs.
func New(c Config) *Counter {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Trust == nil {
		c.Trust = func() trust.Snapshot { return trust.Snapshot{} }
	}
	x := &Counter{Config: c, use: make(chan struct{}, 1), seen: map[string]look{}, watchers: map[chan struct{}]bool{}}
	x.use <- struct{}{}
	x.status = Status{Card: None, PINLeft: -1, Fault: card.NoPCSCD, Since: c.Now()}
	return x
}

// Status gives what the counter sees now.
func (c *Counter) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.status
	s.Readers = slices.Clone(s.Readers)
	return s
}

// Watch gives a channel on which something comes after each change of Status, and what ends
// it. A reader that is late hears of several changes at once.
func (c *Counter) Watch() (<-chan struct{}, func()) {
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

// Choose says which reader's card is meant while cards lie in several; empty: none.
func (c *Counter) Choose(reader string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.chosen = reader
	c.judge(c.status.Reachable, c.status.Readers, c.status.Fault)
}

// Pauses between two tries to reach the service, and before a reader that was in trouble is
// looked at again.
const (
	firstPause = time.Second / 2
	maxPause   = 8 * time.Second
	lookAgain  = 2 * time.Second
)

// Run watches the readers until ctx ends, whatever becomes of the service that knows them.
func (c *Counter) Run(ctx context.Context) error {
	for pause := firstPause; ; {
		heard, err := c.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if heard {
			pause = firstPause
		}
		c.unreachable(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// Look looks at the readers once, for programs that do not run on.
func (c *Counter) Look(ctx context.Context) error {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	var readers []card.Reader
	err := c.Readers.Watch(watching, func(now []card.Reader) {
		if watching.Err() == nil {
			readers = now
			cancel()
		}
	})
	if err != nil {
		c.unreachable(err)
		return err
	}
	c.examine(ctx, readers)
	return nil
}

// follow watches until the service is gone. It tells whether it was there at all.
func (c *Counter) follow(ctx context.Context) (heard bool, err error) {
	latest := make(chan []card.Reader, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- c.Readers.Watch(ctx, func(readers []card.Reader) {
			select {
			case <-latest: // nobody asked for that one in time
			default:
			}
			latest <- readers
		})
	}()
	var readers []card.Reader
	var again <-chan time.Time
	for {
		select {
		case err := <-ended:
			return heard, err
		case readers = <-latest:
			heard = true
		case <-again:
		}
		again = nil
		if c.examine(ctx, readers) {
			again = time.After(lookAgain)
		}
	}
}

// examine looks into the readers whose card is new and tells whether one of them should be
// looked at again after a while.
func (c *Counter) examine(ctx context.Context, readers []card.Reader) (again bool) {
	if c.acquire(ctx) != nil {
		return false
	}
	defer c.release()
	for _, r := range readers {
		if r.State != card.Present || !c.Means(r.Name) || c.known(r) {
			continue
		}
		found := c.lookInto(ctx, r)
		again = again || found.fault != ""
		c.mu.Lock()
		c.seen[r.Name] = found
		c.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.judge(true, readers, "")
	return again
}

// Means tells whether the counter uses the reader of this name.
func (c *Counter) Means(reader string) bool { return c.Reader == "" || c.Reader == reader }

// known tells whether it was found out what lies in the reader.
func (c *Counter) known(r card.Reader) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, seen := c.seen[r.Name]
	return seen && found.events == r.Events && found.fault == ""
}

// unreachable forgets all readers.
func (c *Counter) unreachable(err error) {
	word := card.WordOf(err)
	if word == "" {
		word = card.PCSCDGone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.seen)
	c.judge(false, nil, word)
}

// judge makes the status of what is known. The caller holds the lock.
func (c *Counter) judge(reachable bool, readers []card.Reader, fault card.Word) {
	s := Status{Reachable: reachable, Readers: readers, Card: None, PINLeft: -1, Fault: fault}
	if reachable {
		c.forget(readers)
		c.pick(&s)
	}
	if s.same(c.status) {
		return
	}
	s.Since = c.Now()
	c.status = s
	c.Log.Info("card readers", "reachable", s.Reachable, "readers", len(s.Readers), "card", s.Card, "fault", s.Fault)
	for w := range c.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// same compares all but the time.
func (s Status) same(o Status) bool {
	return s.Reachable == o.Reachable && s.Card == o.Card && s.Reader == o.Reader && s.PINLeft == o.PINLeft && s.Fault == o.Fault &&
		slices.EqualFunc(s.Readers, o.Readers, func(a, b card.Reader) bool {
			return a.Name == b.Name && a.State == b.State && a.Events == b.Events
		})
}

// forget drops what was found in readers that have another card now, or none, or are gone.
func (c *Counter) forget(readers []card.Reader) {
	for name, found := range c.seen {
		i := slices.IndexFunc(readers, func(r card.Reader) bool { return r.Name == name })
		if i < 0 || readers[i].Events != found.events || readers[i].State == card.Empty || readers[i].State == card.Gone {
			delete(c.seen, name)
		}
	}
}

// place is a reader with what lies in it.
type place struct {
	card.Reader
	look
}

// pick chooses the reader that is meant and says what lies in it.
func (c *Counter) pick(s *Status) {
	var used, ours, other []place
	for _, r := range s.Readers {
		if !c.Means(r.Name) || r.State == card.Gone {
			continue
		}
		p := place{r, c.lying(r)}
		used = append(used, p)
		switch {
		case p.kind.ours():
			ours = append(ours, p)
		case p.kind != None || p.fault != "":
			other = append(other, p)
		}
	}
	if i := slices.IndexFunc(ours, func(p place) bool { return p.Name == c.chosen }); i >= 0 {
		ours = ours[i : i+1]
	}
	switch {
	case len(used) == 0 && c.Reader != "":
		s.Fault = card.ReaderUnknown
	case len(used) == 0:
		s.Fault = card.NoReader
	case len(ours) > 1:
		s.Fault = card.TwoCards
	case len(ours) == 1:
		s.take(ours[0])
	case len(other) > 0:
		s.take(other[0])
	case len(used) == 1:
		s.take(used[0])
	}
}

func (s *Status) take(p place) {
	s.Reader, s.Card, s.PINLeft, s.Fault = p.Name, p.kind, p.left, p.fault
}

// lying is what lies in a reader, as far as it is known.
func (c *Counter) lying(r card.Reader) look {
	if found, seen := c.seen[r.Name]; seen {
		return found
	}
	l := look{kind: None, left: -1}
	switch r.State {
	case card.Mute:
		l.kind = Mute
	case card.InUse:
		l.fault = card.ReaderInUse
	}
	return l
}

func (c *Counter) acquire(ctx context.Context) error {
	select {
	case <-c.use:
		return nil
	case <-ctx.Done():
		return card.CardSlow.Fault(ctx.Err())
	}
}

func (c *Counter) release() { c.use <- struct{}{} }
