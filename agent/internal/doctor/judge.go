package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/terminal"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/settings"
)

// Thresholds.
const (
	// waitingLong is how old the oldest unsent record may be before it is worth a word.
	waitingLong = 12 * time.Hour
	// skewNoticed is how far the clock may be from the backend's.
	skewNoticed = clockfloor.Leeway
	// Below full nothing more can be recorded safely, below nearlyFull somebody should make
	// room: the smaller of bytes and share of the disk.
	fullBytes, fullShare             = 16 << 20, 100
	nearlyFullBytes, nearlyFullShare = 512 << 20, 20
)

// What is found of the clock besides its own faults.
const (
	beforeCertificate = "before_certificate"
	afterCertificate  = "after_certificate"
)

// Store is how the terminal's own file stands.
type Store struct {
	Stats    queue.Stats // zero where the file was not opened
	Lost     int         // records and rows that cannot be read any more
	PutAside int         // damaged files that lie beside
	Closed   bool        // a file of this terminal lies there and does not open with the key; a stand-in is used
	Stronger string      // the class of a key source that is there and guards better than the one in use; "" for none
}

// Time is what is known of the clock.
type Time struct {
	Reading clockfloor.Reading
	Skew    time.Duration // the backend's clock less ours; 0 where it is not known
}

// Space is what a file system has left.
type Space struct {
	Free, Total uint64 // bytes for this user
	NoFiles     bool   // no further file can be made, whatever its size
	Copy        uint64 // bytes that a copy of the terminal's file would take; 0 where that is not known
	FastCommit  bool   // its kernel loses what was synced
}

func (p Parts) configuration(context.Context) Finding {
	err := p.Configuration()
	switch {
	case err == nil:
		return Finding{}
	case errors.Is(err, fs.ErrPermission):
		return Finding{Fault: "no_permission"}
	case errors.Is(err, fs.ErrNotExist):
		return Finding{Fault: "no_file"}
	}
	return Finding{Fault: "unreadable", Args: []string{strings.Join(settings.Faults(err), "; ")}}
}

func (p Parts) enrolment(ctx context.Context) (found []Finding) {
	err := p.Enrolment(ctx)
	switch {
	case errors.Is(err, terminal.ErrNotEnrolled):
		return []Finding{{Fault: "not_enrolled"}}
	case errors.Is(err, fs.ErrPermission):
		return []Finding{{Fault: "no_permission"}}
	case err != nil:
		return []Finding{{Fault: "unreadable"}}
	case p.Line == nil:
		return nil
	}
	line := p.Line()
	if line.Reason == fault.Unauthenticated || line.Reason == fault.Forbidden {
		found = append(found, Finding{Fault: "withdrawn", Since: line.Since})
	}
	if line.Cloned {
		found = append(found, Finding{Fault: "cloned"})
	}
	return found
}

// store tells what keeps the file from use, or else all that is worth knowing of it.
func (p Parts) store(ctx context.Context) (found []Finding) {
	s, err := p.Store(ctx)
	switch {
	case errors.Is(err, vault.ErrLocked):
		return []Finding{{Fault: "locked"}}
	case errors.Is(err, vault.ErrWrongKey):
		return []Finding{{Fault: "wrong_key"}}
	case errors.Is(err, fs.ErrPermission):
		return []Finding{{Fault: "no_permission"}}
	case err != nil:
		return []Finding{{Fault: "unreadable"}}
	}
	if s.Closed {
		found = append(found, Finding{Fault: "wrong_key"})
	}
	if s.Stats.Full() {
		found = append(found, Finding{Fault: "full", Args: []string{strconv.Itoa(s.Stats.Pending)}})
	}
	for _, h := range []struct {
		word  string
		count int
		since time.Time
	}{
		{"lost", s.Lost + s.Stats.Damaged, time.Time{}},
		{"put_aside", s.PutAside, time.Time{}},
		{"stale", s.Stats.Stale, s.Stats.OldestAt},
		{"dead", s.Stats.Dead - s.Stats.Damaged, time.Time{}},
	} {
		if h.count > 0 {
			found = append(found, Finding{Hint: h.word, Args: []string{strconv.Itoa(h.count)}, Since: h.since})
		}
	}
	if waited := p.Now().Sub(s.Stats.OldestAt); s.Stats.Pending > 0 && s.Stats.Stale == 0 && !s.Stats.OldestAt.IsZero() && waited >= waitingLong {
		found = append(found, Finding{Hint: "waiting", Args: []string{strconv.Itoa(s.Stats.Pending), hours(waited)}, Since: s.Stats.OldestAt})
	}
	if s.Stronger != "" {
		found = append(found, Finding{Hint: "weak_key", Args: []string{s.Stronger}})
	}
	return found
}

func hours(d time.Duration) string { return strconv.Itoa(int(d / time.Hour)) }

func days(d time.Duration) string { return strconv.Itoa(int(d / (24 * time.Hour))) }

func minutes(d time.Duration) string {
	return strconv.Itoa(int(d.Abs().Round(time.Minute) / time.Minute))
}

// disk tells what keeps the disk from taking records, and what it is worth knowing besides.
func (p Parts) disk(context.Context) (found []Finding) {
	s, err := p.Disk()
	left := []string{fmt.Sprintf("%.1f", float64(s.Free)/(1<<20))}
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return []Finding{{Fault: "full", Args: []string{"0"}}}
	case errors.Is(err, syscall.EROFS):
		return []Finding{{Fault: "read_only"}}
	case errors.Is(err, fs.ErrPermission):
		return []Finding{{Fault: "no_permission"}}
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{{Fault: "no_folder"}}
	case err != nil:
		return []Finding{{Fault: "failed"}}
	}
	switch {
	case s.NoFiles || s.Free < min(fullBytes, s.Total/fullShare+1):
		found = append(found, Finding{Fault: "full", Args: left})
	case s.Free < min(nearlyFullBytes, s.Total/nearlyFullShare):
		found = append(found, Finding{Fault: "nearly_full", Args: left})
	}
	if s.FastCommit {
		found = append(found, Finding{Hint: "fast_commit"})
	}
	// What makes room for more makes room for the copy.
	if s.Copy > 0 && s.Free < s.Copy+fullBytes && (len(found) == 0 || found[0].OK()) {
		found = append(found, Finding{Hint: "no_copy", Args: left})
	}
	return found
}

func (p Parts) clock(ctx context.Context) Finding {
	t := p.Clock(ctx)
	switch {
	case t.Reading.SetBack > 0:
		return Finding{Fault: "set_back", Args: []string{minutes(t.Reading.SetBack)}}
	case t.Skew > skewNoticed:
		return Finding{Fault: "behind", Args: []string{minutes(t.Skew)}}
	case t.Skew < -skewNoticed:
		return Finding{Fault: "ahead", Args: []string{minutes(t.Skew)}}
	}
	if p.Line == nil {
		return Finding{}
	}
	switch line := p.Line(); {
	case line.Reason == uplink.ClockWrong && line.ClockBehind:
		return Finding{Fault: beforeCertificate, Since: line.Since}
	case line.Reason == uplink.ClockWrong:
		return Finding{Fault: afterCertificate, Since: line.Since}
	}
	return Finding{}
}

func (p Parts) backend(ctx context.Context) Finding {
	err := p.Backend(ctx)
	if err == nil {
		return Finding{}
	}
	word, args := cause(err)
	f := Finding{Fault: word, Args: args}
	if p.Line != nil {
		if line := p.Line(); !line.Up {
			f.Since = line.Since
		}
	}
	return f
}

func (p Parts) trust(ctx context.Context) (found []Finding) {
	snap, err := p.Trust(ctx)
	switch {
	case errors.Is(err, terminal.ErrNoTrust):
		return []Finding{{Fault: "none"}}
	case err != nil:
		return []Finding{{Fault: "unreadable"}}
	}
	if snap.Stale(p.Now()) {
		found = append(found, Finding{Fault: "stale", Args: []string{days(snap.Age(p.Now()))}, Since: snap.AsOf().Add(snap.MaxAge())})
	}
	if len(snap.Notes()) > 0 {
		found = append(found, Finding{Hint: "left_out", Args: []string{strconv.Itoa(len(snap.Notes()))}})
	}
	return found
}

// card tells of the service and of the readers behind it.
func (p Parts) card(ctx context.Context) []Finding {
	s := p.Card(ctx)
	service, reader := Finding{Part: PCSCD}, Finding{Part: Reader, Since: s.Since}
	switch s.Fault {
	case card.NoPCSCD, card.PCSCDGone, card.PCSCDRefused, card.PCSCDOther:
		service.Fault, service.Since = string(s.Fault), s.Since
		return []Finding{service}
	case card.NoReader, card.ReaderUnknown, card.ReaderGone:
		reader.Fault = string(s.Fault)
	case card.ReaderInUse, card.TwoCards, card.MuteCard:
		reader.Hint = string(s.Fault)
	}
	if !s.Reachable {
		return []Finding{{Part: PCSCD, Fault: string(card.NoPCSCD), Since: s.Since}}
	}
	return []Finding{service, reader}
}

// scanner tells of the worst of several scanners. That none is found where none was asked
// for by name is no fault: a scanner may act as a keyboard.
func (p Parts) scanner(ctx context.Context) Finding {
	worst := Finding{}
	for _, ask := range p.Scanners {
		h := ask(ctx)
		f := Finding{Since: h.Since, Args: []string{h.Device}}
		switch {
		case !h.Used || h.Ready || h.Fault == "":
			continue
		case h.Automatic && (h.Fault == scanner.NoDevice || h.Fault == scanner.UnknownPort):
			f.Hint = h.Fault
		default:
			f.Fault = h.Fault
		}
		if worst.OK() && (worst.Hint == "" || !f.OK()) {
			worst = f
		}
	}
	return worst
}

func (p Parts) folder(ctx context.Context) Finding {
	h := p.Folder(ctx)
	if h.Fault != "" {
		return Finding{Fault: h.Fault, Args: []string{h.Folder}, Since: h.Since}
	}
	for _, t := range h.Trouble {
		if t.Fault == "zip" { // no answer at all can be taken while it is set so
			return Finding{Fault: t.Fault, Since: t.Since}
		}
	}
	switch {
	case len(h.Trouble) > 0:
		return Finding{Hint: "trouble", Args: []string{strconv.Itoa(len(h.Trouble))}, Since: h.Trouble[0].Since}
	case h.Waiting > 0 && !h.LastAnswer.IsZero() && p.Now().Sub(h.LastAnswer) >= waitingLong:
		return Finding{Hint: "waiting", Args: []string{strconv.Itoa(h.Waiting)}, Since: h.LastAnswer}
	}
	return Finding{}
}

func (p Parts) operators(ctx context.Context) Finding {
	all, err := p.Operators(ctx)
	if err != nil {
		return Finding{Fault: "unreadable"}
	}
	if len(all) == 0 {
		return Finding{Fault: "none"}
	}
	without := 0
	for _, o := range all {
		if !o.HasPIN {
			without++
		}
	}
	if without > 0 {
		return Finding{Hint: "without_pin", Args: []string{strconv.Itoa(without)}}
	}
	return Finding{}
}
