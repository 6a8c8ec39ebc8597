package uplink

import (
	"time"

	"madoguchi.example/shared/wire"
)

// measure is one comparison of our clock with the backend's.
type measure struct {
	taken  bool
	offset time.Duration // the backend's clock less ours
	wall   time.Time     // our wall clock then
	boot   string
	mono   time.Duration // since that boot
}

// Clock tells what is known of this terminal's clock. The offset is that of the last receipt,
// put right by what the clock since the boot says of a wall clock that was moved meanwhile.
// It is trusted when it was measured since that boot.
func (u *Uplink) Clock() wire.Clock {
	c := u.boot()
	u.mu.Lock()
	m := u.measured
	u.mu.Unlock()
	if !m.taken {
		return c
	}
	c.Trusted = c.Boot == m.boot
	offset := m.offset
	if c.Boot != "" && c.Trusted {
		passed := time.Duration(c.MonotonicMS)*time.Millisecond - m.mono
		offset += passed - u.Now().Round(0).Sub(m.wall)
	}
	c.OffsetMS = min(max(offset.Milliseconds(), -wire.MaxOffsetMS), wire.MaxOffsetMS)
	return c
}

func (u *Uplink) boot() wire.Clock {
	if u.Config.Clock == nil {
		return wire.Clock{}
	}
	c := u.Config.Clock()
	return wire.Clock{Boot: c.Boot, MonotonicMS: c.MonotonicMS}
}

// compare takes a receipt's time as that of half the way between question and answer.
func (u *Uplink) compare(asked time.Time, receipt wire.Receipt) {
	now, c := u.Now(), u.boot()
	trip := now.Sub(asked)
	if receipt.ServerTime.IsZero() || trip < 0 {
		return
	}
	wall := now.Round(0) // without what Go knows of the time that passed
	u.mu.Lock()
	defer u.mu.Unlock()
	u.measured = measure{
		taken: true, offset: receipt.ServerTime.Sub(wall.Add(-trip / 2)), wall: wall,
		boot: c.Boot, mono: time.Duration(c.MonotonicMS) * time.Millisecond,
	}
}
