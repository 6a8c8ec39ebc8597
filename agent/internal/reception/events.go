package reception

import (
	"net/http"
	"time"
)

// keepAlive is how often a silent stream says that it is alive.
const keepAlive = 20 * time.Second

// events tells the open page that something changed, as server-sent events without data:
// the page fetches what it shows.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	changes, stop := s.Desk.Watch()
	defer stop()
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(line string) bool {
		if _, err := w.Write([]byte(line + "\n\n")); err != nil {
			return false
		}
		return out.Flush() == nil
	}
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
		case <-tick.C:
		}
		if !send(line) {
			return
		}
	}
}
