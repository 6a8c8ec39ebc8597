package reception

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"madoguchi.example/agent/internal/outbox"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/uplink"
)

// Outbox is what the page of the terminal's own records shows and does. outbox.Box is one.
type Outbox interface {
	Figures(ctx context.Context) (outbox.Figures, error)
	List(ctx context.Context, what string, after uint64, limit int) ([]queue.Entry, error)
	Retry(ctx context.Context, id string) error
}

// maxDead is how many dead letters the page shows.
const maxDead = 50

// outboxView is the page's part of a view.
type outboxView struct {
	outbox.Figures
	Dead []queue.Entry // the oldest maxDead
	More int           // dead letters beside these
}

// readOutbox puts the terminal's own records on the page.
func (s *server) readOutbox(r *http.Request, v *pageView) error {
	if s.Outbox == nil {
		return nil
	}
	f, err := s.Outbox.Figures(r.Context())
	if err != nil {
		return err
	}
	dead, err := s.Outbox.List(r.Context(), "dead", 0, maxDead)
	if err != nil {
		return err
	}
	v.Outbox = &outboxView{Figures: f, Dead: dead, More: max(f.DeadLetters-len(dead), 0)}
	return nil
}

// retry has a dead letter wait again.
func (s *server) retry(w http.ResponseWriter, r *http.Request) {
	if s.Outbox == nil {
		http.NotFound(w, r)
		return
	}
	if err := s.Outbox.Retry(r.Context(), r.PathValue("id")); err != nil {
		s.complain("a dead letter could not wait again", err)
		s.fail(w, r, err)
		return
	}
	v := s.view(w, r)
	s.open(r, v, tabOutbox)
	v.Said = "said.retried"
	s.answer(w, r, http.StatusOK, "act", v)
}

// outboxFuncs tell of the terminal's own records.
func outboxFuncs(w words) template.FuncMap {
	return template.FuncMap{
		"size":     func(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20)) },
		"keyclass": func(class string) template.HTML { return w.rich(known(w, "outbox.key_", class)) },
		"deadwhy":  func(e queue.Entry) template.HTML { return w.rich(known(w, "outbox.why_", deadReason(e))) },
		"kindname": func(e queue.Entry) template.HTML { return w.rich(known(w, "outbox.kind_", string(e.Kind))) },
		"linenow":  func(l uplink.Line) template.HTML { return w.rich(lineKey(l)) },
		"offset":   func(v *outboxView) template.HTML { return offset(w, v) },
		"warnings": func(v *pageView) []template.HTML { return outboxWarnings(w, v) },
	}
}

// known gives the key of the words for one of several, or of those for any other.
func known(w words, prefix, word string) string {
	if _, ok := w.text[prefix+word]; ok {
		return prefix + word
	}
	return prefix + "other"
}

// deadReason is why a record was not taken, in a word.
func deadReason(e queue.Entry) string {
	if e.State == queue.Rejected && e.Code != "" {
		return e.Code
	}
	return string(e.State)
}

func lineKey(l uplink.Line) string {
	switch {
	case l.Reason == uplink.ClockWrong && l.ClockBehind:
		return "outbox.line_clock_behind"
	case l.Reason == uplink.ClockWrong:
		return "outbox.line_clock_ahead"
	case l.Reason == uplink.ReceiptUntrusted:
		return "outbox.line_receipt"
	case l.Up && l.Reason != "":
		return "outbox.line_refused"
	case l.Up:
		return "outbox.line_up"
	case l.Since.IsZero():
		return "outbox.line_unknown"
	}
	return "outbox.line_down"
}

// smallOffset is what a clock may be off without a word.
const smallOffset = 2 * time.Second

func offset(w words, v *outboxView) template.HTML {
	by := (time.Duration(v.ClockOffsetMS) * time.Millisecond).Round(time.Second)
	switch {
	case !v.ClockTrusted:
		return w.rich("outbox.clock_unknown")
	case by.Abs() < smallOffset:
		return w.rich("outbox.clock_right")
	case by > 0:
		return w.rich("outbox.clock_behind", int(by.Seconds()))
	}
	return w.rich("outbox.clock_ahead", int(-by.Seconds()))
}

// lineTroubles are the faults of the line that a person can mend, for the bar and the page.
func lineTroubles(w words, l uplink.Line) []template.HTML {
	switch l.Reason {
	case uplink.ClockWrong, uplink.ReceiptUntrusted:
		return []template.HTML{w.rich(lineKey(l))}
	}
	return nil
}

// outboxWarnings say what needs a person, with what to do next.
func outboxWarnings(w words, v *pageView) []template.HTML {
	all := lineTroubles(w, v.Line)
	o := v.Outbox
	for _, n := range []struct {
		count int
		key   string
	}{{o.Stale, "outbox.warn_stale"}, {o.DeadLetters - o.Damaged, "outbox.warn_dead"}, {o.Lost, "outbox.warn_lost"}, {o.PutAside, "outbox.warn_aside"}} {
		if n.count > 0 {
			all = append(all, w.rich(n.key, n.count))
		}
	}
	if v.Stats.Full() {
		all = append(all, w.rich("bar.full"))
	}
	return all
}
