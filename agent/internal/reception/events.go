package reception

import (
	"net/http"
	"strconv"
	"time"
)

// keepAlive is how often a silent stream says that it is alive.
const keepAlive = 20 * time.Second

// events tells the open pages that something changed, as server-sent events: the pages fetch
// what they show. The number beside a scan is how many came, so that each is asked for once.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	changes, stop := s.Desk.Watch()
	defer stop()
	cards, stopCards := s.watchCards()
	defer stopCards()
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(line string) bool {
		if _, err := w.Write([]byte(line + "\n\n")); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	seen := s.scanCount()
	if !send("event: changed\ndata: {}") {
		return
	}
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		line := ": alive"
		select {
		case <-r.Context().Done():
			return
		case <-changes:
			line = "event: changed\ndata: {}"
			if n := s.scanCount(); n != seen {
				seen = n
				line = "event: scan\ndata: " + strconv.FormatUint(n, 10) + "\n\n" + line
			}
		case <-cards:
			line = "event: card\ndata: {}"
		case <-tick.C:
		}
		if !send(line) {
			return
		}
	}
}

func (s *server) scanCount() uint64 {
	if s.Scans == nil {
		return 0
	}
	return s.Scans.Count()
}

func (s *server) watchCards() (<-chan struct{}, func()) {
	if s.Cards == nil {
		return nil, func() {}
	}
	return s.Cards.Watch()
}
