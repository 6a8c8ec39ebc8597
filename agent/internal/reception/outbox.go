package reception

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"madoguchi.example/agent/internal/doctor"
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
		"size":       func(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20)) },
		"keyclass":   func(class string) template.HTML { return w.rich(known(w, "outbox.key_", class)) },
		"deadwhy":    func(e queue.Entry) template.HTML { return w.rich(known(w, "outbox.why_", deadReason(e))) },
		"kindname":   func(e queue.Entry) template.HTML { return w.rich(known(w, "outbox.kind_", string(e.Kind))) },
		"linenow":    func(v *pageView) template.HTML { return lineNow(w, v) },
		"offset":     func(v *outboxView) template.HTML { return offset(w, v) },
		"recordsnow": func(v *pageView) recordsNow { return now(w, v) },
		"stopped":    stopped,
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

// recordsNow is what a person reads first of the records: one of the states that every face
// shares, and what to do.
type recordsNow struct {
	Tone, Icon string
	Title      template.HTML
	Acts       []template.HTML // what to do, each with why
	Then       template.HTML   // how the work goes on meanwhile; "" where the acts say it
}

func now(w words, v *pageView) recordsNow {
	acts, pending := outboxWarnings(w, v), v.Outbox.Pending
	switch {
	case stopped(v):
		return recordsNow{Tone: "stop", Icon: "refused", Title: w.rich("outbox.now_stopped"), Then: w.rich("outbox.then_stopped"), Acts: acts}
	case len(acts) > 0:
		return recordsNow{Tone: "attention", Icon: "task", Title: w.rich("outbox.now_needs"), Acts: acts}
	case !v.Line.Up && !v.Line.Since.IsZero() && pending > 0:
		return recordsNow{Tone: "waiting", Icon: "recorded", Title: w.rich("outbox.now_down", pending), Then: w.rich("outbox.then_down")}
	case !v.Line.Up && !v.Line.Since.IsZero():
		return recordsNow{Tone: "waiting", Icon: "recorded", Title: w.rich("outbox.now_down_none"), Then: w.rich("outbox.then_down")}
	case pending > 0 && v.Line.Until.After(v.Now):
		return recordsNow{Tone: "waiting", Icon: "recorded", Title: w.rich("outbox.now_turn", pending), Then: w.rich("outbox.then_turn", clockOf(v.Line.Until))}
	case pending > 0:
		return recordsNow{Tone: "waiting", Icon: "checking", Title: w.rich("outbox.now_sending", pending), Then: w.rich("outbox.then_nothing")}
	}
	return recordsNow{Tone: "good", Icon: "answered", Title: w.rich("outbox.now_sent"), Then: w.rich("outbox.then_nothing")}
}

// stopped tells that nothing new can be recorded.
func stopped(v *pageView) bool {
	return v.Stats.Full() || slices.ContainsFunc(v.Findings, stops)
}

// stops tells of a fault of the disk that keeps records from it.
func stops(f doctor.Finding) bool {
	return f.Part == doctor.Disk && !f.OK() && f.Fault != "nearly_full"
}

// lineNow tells of the line, and since when it is so where it is down.
func lineNow(w words, v *pageView) template.HTML {
	switch l := v.Line; {
	case l.Up && l.Reason != "":
		return w.rich("outbox.line_refused")
	case l.Up:
		return w.rich("outbox.line_up")
	case l.Since.IsZero():
		return w.rich("outbox.line_unknown")
	case l.Reason == uplink.ClockWrong:
		return w.rich("outbox.line_clock")
	}
	return w.rich("outbox.line_down", age(w, v.Now.Sub(v.Line.Since)))
}

// Clocks that are off by less than smallOffset are right, and by less than briefOffset are told
// in seconds.
const (
	smallOffset = 2 * time.Second
	briefOffset = 2 * time.Minute
)

func offset(w words, v *outboxView) template.HTML {
	by := (time.Duration(v.ClockOffsetMS) * time.Millisecond).Round(time.Second)
	told := age(w, by.Abs())
	if by.Abs() < briefOffset {
		told = w.plain("outbox.seconds", int(by.Abs().Seconds()))
	}
	switch {
	case !v.ClockTrusted:
		return w.rich("outbox.clock_unknown")
	case by.Abs() < smallOffset:
		return w.rich("outbox.clock_right")
	case by > 0:
		return w.rich("outbox.clock_behind", told)
	}
	return w.rich("outbox.clock_ahead", told)
}

// lineTroubles are the faults of the line that a person can mend, for the bar and the page.
func lineTroubles(w words, l uplink.Line) []template.HTML {
	switch {
	case l.Reason == uplink.ClockWrong && l.ClockBehind:
		return []template.HTML{w.rich("outbox.line_clock_behind")}
	case l.Reason == uplink.ClockWrong:
		return []template.HTML{w.rich("outbox.line_clock_ahead")}
	case l.Reason == uplink.ReceiptUntrusted:
		return []template.HTML{w.rich("outbox.line_receipt")}
	}
	return nil
}

// outboxWarnings say what needs a person, with what to do next; what stops the work first.
func outboxWarnings(w words, v *pageView) (all []template.HTML) {
	if v.Stats.Full() {
		all = append(all, w.rich("outbox.warn_full"))
	}
	letIn := true
	for _, f := range v.Findings {
		if (f.Part == doctor.Disk || f.Part == doctor.Enrolment) && !f.OK() {
			all = append(all, saidAndMend(w, f))
			letIn = letIn && f.Fault != "withdrawn"
		}
	}
	if v.Damage.Closed {
		all = append(all, w.rich("outbox.warn_closed"))
	}
	troubles := lineTroubles(w, v.Line)
	if all = append(all, troubles...); len(troubles) == 0 && letIn && v.Line.Up && v.Line.Reason != "" {
		all = append(all, w.rich("outbox.warn_refused"))
	}
	o := v.Outbox
	if waited := v.Now.Sub(o.OldestAt); o.Pending > 0 && o.Stale == 0 && !o.OldestAt.IsZero() && waited >= amberAfter && !v.Stats.Full() {
		all = append(all, w.rich("outbox.warn_old", age(w, waited)))
	}
	for _, n := range []struct {
		count int
		key   string
	}{{o.Stale, "outbox.warn_stale"}, {o.DeadLetters - o.Damaged, "outbox.warn_dead"}, {o.Lost, "outbox.warn_lost"}, {v.Damage.Files, "outbox.warn_aside"}} {
		if n.count > 0 {
			all = append(all, w.rich(n.key, n.count))
		}
	}
	return all
}

// saidAndMend are the doctor's words for a fault and what to do.
func saidAndMend(w words, f doctor.Finding) template.HTML {
	return w.written(f.Said(string(w.Lang))) + " " + w.written(f.Mend(string(w.Lang)))
}
