package wire

import (
	"fmt"
	"regexp"
	"time"

	"madoguchi.example/shared/fault"
)

// HealthType is the "typ" of the compact JWS (ES256, by the terminal's key) that carries a
// Health.
const HealthType = "madoguchi-health+jwt"

// Limits of a health summary.
const (
	MaxHealthBytes = 4 << 10 // the compact JWS
	MaxHealthJSON  = 2800    // its payload: base64, header and signature fit beside it
	MaxFaults      = 16      // words of the terminal's own examination
	MaxCount       = 1 << 40 // records and files
	maxVersion     = 64      // bytes of a program's version
)

var (
	jwsForm = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)
	wordy   = regexp.MustCompile(`^[A-Za-z0-9 ._+()/-]*$`)
)

// Validate checks the forms and sizes of a health summary: words where words belong, so that
// nothing of a person can ride in it.
func (h Health) Validate() error {
	switch {
	case !nameForm.MatchString(h.Terminal):
		return fault.At(fault.InvalidArgument, "health.terminal", "must be a terminal's handle")
	case h.At.IsZero():
		return fault.At(fault.InvalidArgument, "health.at", "must be given")
	case len(h.Version) > maxVersion || !wordy.MatchString(h.Version):
		return fault.At(fault.InvalidArgument, "health.version", "must be a version of at most %d bytes", maxVersion)
	case h.KeyClass != "" && !nameForm.MatchString(h.KeyClass):
		return fault.At(fault.InvalidArgument, "health.key_class", "must be a short name in lower case")
	case len(h.Faults) > MaxFaults:
		return fault.At(fault.TooLarge, "health.faults", "must be at most %d", MaxFaults)
	}
	for i, word := range h.Faults {
		if !nameForm.MatchString(word) {
			return fault.At(fault.InvalidArgument, fmt.Sprintf("health.faults[%d]", i), "must be a short name in lower case")
		}
	}
	if err := h.validateNumbers(); err != nil {
		return err
	}
	return h.Clock.validate("health.clock")
}

func (h Health) validateNumbers() error {
	for _, n := range []struct {
		place string
		value int64
	}{
		{"pending", int64(h.Pending)}, {"stale", int64(h.Stale)}, {"unanswered", int64(h.Unanswered)},
		{"dead_letters", int64(h.DeadLetters)}, {"file_bytes", h.FileBytes}, {"used_bytes", h.UsedBytes},
		{"put_aside", int64(h.PutAside)}, {"lost", int64(h.Lost)},
	} {
		if n.value < 0 || n.value > MaxCount {
			return fault.At(fault.InvalidArgument, "health."+n.place, "must be 0 to %d", int64(MaxCount))
		}
	}
	for _, t := range []struct {
		place string
		at    time.Time
	}{{"at", h.At}, {"oldest_at", h.OldestAt}, {"last_ack", h.LastAck}, {"compacted", h.Compacted}} {
		if y := t.at.Year(); y < 0 || y > 9998 {
			return fault.At(fault.InvalidArgument, "health."+t.place, "must be a time of this age")
		}
	}
	return nil
}

// EncodeHealth writes the payload of the JWS, at most MaxHealthJSON bytes.
func EncodeHealth(h Health) ([]byte, error) {
	if err := h.Validate(); err != nil {
		return nil, err
	}
	b, err := encodeJSON(h)
	if err == nil && len(b) > MaxHealthJSON {
		err = fault.At(fault.TooLarge, "health", "must be at most %d bytes", MaxHealthJSON)
	}
	return b, err
}

// DecodeHealth reads the payload of the JWS, strictly. Whose it is, the signature tells.
func DecodeHealth(data []byte) (Health, error) {
	var h Health
	if err := strict("health", data, MaxHealthJSON, &h); err != nil {
		return Health{}, err
	}
	if err := h.Validate(); err != nil {
		return Health{}, err
	}
	return h, nil
}
