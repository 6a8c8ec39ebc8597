package office

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/fault"
)

type machines struct {
	sheet     // of the form that takes a terminal out of use
	Terminals []line
	Told      bool // some said how they are
	Places    []Place
	Issued    *Code
	Place     string
	Fault     string
	InUse     []line // those that can be taken out of use
	Done      string
}

type line struct {
	Terminal
	State string // in_use, quiet, disabled
	Key   string // the class of what guards the terminal's file
	Clock string // ok, off, unknown
	Room  string // of its file, used against all, in MB
	Needs bool   // something of what it said, or was noted of it, is for a person
}

// clockOff is how far off a terminal's clock is said to be wrong.
const clockOff = time.Minute

// told adds what the terminal said of itself.
func (l line) told() line {
	h := l.Health
	if h == nil {
		return l
	}
	l.Needs = h.Cloned || len(h.Events) > 0 || h.Said.IsZero()
	if h.Said.IsZero() {
		return l
	}
	l.Key, l.Clock = "other", "ok"
	if slices.Contains([]string{"tpm2", "systemd_credential", "passphrase", "key_file"}, h.KeyClass) {
		l.Key = h.KeyClass
	}
	switch {
	case !h.ClockTrusted:
		l.Clock = "unknown"
	case h.ClockOff.Abs() >= clockOff:
		l.Clock = "off"
	}
	l.Needs = l.Needs || h.Stale+h.DeadLetters+h.PutAside+len(h.Faults) > 0 || l.Clock != "ok"
	l.Room = fmt.Sprintf("%.1f / %.1f MB", float64(h.Used)/1e6, float64(h.File)/1e6)
	return l
}

// TerminalList shows the terminals and offers a code.
func (o *Office) TerminalList(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	return o.machines(ctx, who, r, machines{Done: doneOf(r)})
}

// terminalsPath is the page of the terminals.
const terminalsPath = "/office/terminals"

// StopTerminal takes a terminal out of use.
func (o *Office) StopTerminal(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	s := newSheet("stop", r.Form)
	id := s.chosen("terminal")
	if s.Form.Get("sure") != "yes" {
		s.blame("sure", "sure")
	}
	if s.ok() {
		err := o.Terminals.Stop(ctx, who, id)
		switch fault.CodeOf(err) {
		case "":
			return Page{Location: terminalsPath + "?done=stopped"}, nil
		case fault.NotFound:
			s.blame("terminal", "choose")
		default:
			return Page{}, err
		}
	}
	return o.machines(ctx, who, r, machines{sheet: s})
}

// IssueCode makes an enrolment code and shows it, this once.
func (o *Office) IssueCode(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	place := r.Form.Get("place")
	if place == "" || len(place) > maxRefBytes {
		return o.machines(ctx, who, r, machines{Fault: "office"})
	}
	code, err := o.Terminals.IssueCode(ctx, who, place)
	switch fault.CodeOf(err) {
	case "":
		return o.machines(ctx, who, r, machines{Issued: &code, Place: place})
	case fault.NotFound, fault.InvalidArgument:
		return o.machines(ctx, who, r, machines{Fault: "office"})
	}
	return Page{}, err
}

func (o *Office) machines(ctx context.Context, who actor.Staff, r Request, body machines) (Page, error) {
	all, err := o.Terminals.List(ctx, who)
	if err != nil {
		return Page{}, err
	}
	for _, t := range all {
		l := line{Terminal: t, State: "in_use"}.told()
		body.Told = body.Told || t.Health != nil
		if t.Disabled {
			l.State = "disabled"
		} else if o.quiet(t) {
			l.State = "quiet"
		}
		body.Terminals = append(body.Terminals, l)
		if !t.Disabled {
			body.InUse = append(body.InUse, l)
		}
	}
	if body.Places, err = o.Terminals.Places(ctx, who); err != nil {
		return Page{}, err
	}
	page, err := o.render(ctx, r, &who, "terminals", body)
	if body.Fault != "" || !body.ok() {
		page.Status = http.StatusUnprocessableEntity
	}
	return page, err
}

// recordsShown is how many entries the auditor's page shows.
const recordsShown = 200

// Records shows the newest entries of the access record.
func (o *Office) Records(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	entries, err := o.Trail.Newest(ctx, who, recordsShown)
	if err != nil {
		return Page{}, err
	}
	return o.render(ctx, r, &who, "records", struct{ Entries []auditlog.Entry }{entries})
}
