package app

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/fleet"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/keyfile"
	"madoguchi.example/backend/internal/observe"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/wire"
)

// receiptKeyID names a receipt key after its public half.
func receiptKeyID(key ed25519.PrivateKey) string {
	sum := sha256.Sum256(key.Public().(ed25519.PublicKey))
	return "rcp_" + hex.EncodeToString(sum[:8])
}

// otherReceiptKeys reads the receipt keys beside the one that signs, files receipt-*.key:
// those that signed before, and one that is about to. Terminals are told of them, so that no
// mark is by a key that they do not know while one takes the other's place.
func otherReceiptKeys(dir string) ([]ed25519.PrivateKey, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "receipt-*.key"))
	if err != nil {
		return nil, err
	}
	if len(paths) >= profile.MaxReceiptKeys {
		return nil, fmt.Errorf("cannot use the receipt keys: there are %d files receipt-*.key, and %d are the most", len(paths), profile.MaxReceiptKeys-1)
	}
	var all []ed25519.PrivateKey
	for _, path := range paths {
		key, err := keyfile.ReadEd25519(path)
		if err != nil {
			return nil, err
		}
		all = append(all, key)
	}
	return all, nil
}

// receiptKeys are the public halves, that of the one that signs first.
func receiptKeys(signs ed25519.PrivateKey, others []ed25519.PrivateKey) []profile.ReceiptKey {
	var all []profile.ReceiptKey
	for _, key := range append([]ed25519.PrivateKey{signs}, others...) {
		next := profile.ReceiptKey{ID: receiptKeyID(key), PublicKey: key.Public().(ed25519.PublicKey)}
		if !slices.ContainsFunc(all, func(k profile.ReceiptKey) bool { return k.ID == next.ID }) {
			all = append(all, next)
		}
	}
	return all
}

func (h *house) intakeLimits() intake.Limits {
	c := h.config.Terminals
	return intake.Limits{
		LiveRecords: c.LiveRecords, LiveAtOnce: c.LiveAtOnce, BacklogAtOnce: c.BacklogAtOnce,
		BacklogRate: c.BacklogRate, LongestSlot: c.LongestSlot,
	}
}

// watchTerminals counts what terminals send and which are silent.
func (h *house) watchTerminals(m *observe.Metrics) {
	perLane := func(read func(intake.Stats, intake.Lane) float64) func() map[string]float64 {
		return func() map[string]float64 {
			s, out := h.intake.Stats(), map[string]float64{}
			for _, lane := range intake.Lanes() {
				out[string(lane)] = read(s, lane)
			}
			return out
		}
	}
	m.Numbers("madoguchi_intake_batches_total", "Batches of terminals that were stored, by lane.", "lane", true,
		perLane(func(s intake.Stats, l intake.Lane) float64 { return float64(s.Batches[l]) }))
	m.Numbers("madoguchi_intake_refused_total", "Batches whose terminal was told to come again, by lane.", "lane", true,
		perLane(func(s intake.Stats, l intake.Lane) float64 { return float64(s.Refused[l]) }))
	m.Numbers("madoguchi_intake_inside", "Batches being taken in, by lane.", "lane", false,
		perLane(func(s intake.Stats, l intake.Lane) float64 { return float64(s.Inside[l]) }))
	m.Numbers("madoguchi_intake_records_total", "Records of terminals, by the word on them.", "result", true, func() map[string]float64 {
		s, out := h.intake.Stats(), map[string]float64{}
		for _, status := range []wire.Status{wire.Accepted, wire.Duplicate, wire.Conflict, wire.Rejected, wire.Retry} {
			out[string(status)] = float64(s.Results[status])
		}
		return out
	})
	m.Numbers("madoguchi_intake_events_total", "Security events of terminals, by kind.", "kind", true, func() map[string]float64 {
		s, out := h.intake.Stats(), map[string]float64{}
		for _, kind := range intake.EventKinds() {
			out[string(kind)] = float64(s.Events[kind])
		}
		return out
	})
	m.Gauge("madoguchi_intake_backlog_announced", "Records that terminals in the backlog lane said they hold still.",
		func() float64 { return float64(h.intake.Stats().Waiting) })
	m.Gauge("madoguchi_intake_backlog_rate", "Records a second that come in from the backlog.",
		func() float64 { return h.intake.Stats().PerSecond })
	h.watchSilence(m)
}

// silenceEvery is how long one count of all terminals serves those who ask.
const silenceEvery = 30 * time.Second

func (h *house) watchSilence(m *observe.Metrics) {
	var mu sync.Mutex
	var last fleet.Silence
	var at time.Time
	read := func() fleet.Silence {
		mu.Lock()
		defer mu.Unlock()
		if now := h.now(); at.IsZero() || now.Sub(at) >= silenceEvery {
			at = now
			s, err := h.fleet.Silence(context.Background())
			if err != nil {
				h.log.Warn("cannot count the silent terminals", slog.String("cause", err.Error()))
				return last
			}
			last = s
		}
		return last
	}
	m.Gauge("madoguchi_terminals_in_use", "Enrolled terminals in use.", func() float64 { return float64(read().InUse) })
	m.Gauge("madoguchi_terminals_silent", "Terminals in use that were not heard of for an hour.", func() float64 { return float64(read().Silent) })
	m.Gauge("madoguchi_terminals_pending_records", "Records that wait at terminals, by their last word.", func() float64 { return float64(read().Pending) })
}

// health gives what the console shows of terminals' health, by terminal.
func (o officeTerminals) health(ctx context.Context, who actor.Staff, ids []string) (map[string]office.Health, error) {
	all, err := o.fleet.Health(ctx, who, audit.TerminalOperation)
	if err != nil {
		return nil, err
	}
	events, err := o.house.intake.Events(ctx, who, audit.TerminalOperation, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[string]office.Health, len(all))
	for _, id := range ids {
		h, said := all[id]
		if !said && len(events[id]) == 0 {
			continue
		}
		shown := office.Health{
			Said: h.ReceivedAt, Pending: h.Pending, Oldest: h.OldestAt, Stale: h.Stale, LastAck: h.LastAck, DeadLetters: h.DeadLetters,
			File: h.FileBytes, Used: h.UsedBytes, PutAside: h.PutAside, Lost: h.Lost, KeyClass: h.KeyClass,
			ClockTrusted: h.Clock.Trusted, ClockOff: time.Duration(h.Clock.OffsetMS) * time.Millisecond,
			Version: h.Version, Faults: h.Faults, Cloned: events[id][intake.Fork] > 0,
		}
		for _, kind := range intake.EventKinds() {
			if n := events[id][kind]; n > 0 {
				shown.Events = append(shown.Events, office.Happened{Word: string(kind), N: n})
			}
		}
		out[id] = shown
	}
	return out, nil
}
