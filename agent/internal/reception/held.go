package reception

import (
	"encoding/hex"
	"fmt"
	"io"
	"sync"
	"time"

	"madoguchi.example/agent/internal/card/counter"
)

// held keeps what a card said between its reading and the record, in memory alone, so that
// neither a name nor whether it is proven travels through the page as a field.
type held struct {
	mu  sync.Mutex
	all map[string]holding
}

type holding struct {
	reading counter.Reading
	until   time.Time
}

// Limits of what is held.
const (
	holdFor = 15 * time.Minute
	maxHeld = 50
)

// keep gives a handle for the reading.
func (h *held) keep(r counter.Reading, now time.Time, random io.Reader) (string, error) {
	raw := make([]byte, 16)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("cannot make a handle: %w", err)
	}
	id := hex.EncodeToString(raw)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = map[string]holding{}
	}
	for old, x := range h.all {
		if !now.Before(x.until) || len(h.all) >= maxHeld {
			delete(h.all, old)
		}
	}
	h.all[id] = holding{r, now.Add(holdFor)}
	return id, nil
}

func (h *held) get(id string, now time.Time) (counter.Reading, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x, ok := h.all[id]
	return x.reading, ok && now.Before(x.until)
}

func (h *held) drop(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.all, id)
}
