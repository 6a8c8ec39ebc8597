package profile

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"filippo.io/age"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
)

// Schema is the version of the document that this package reads and writes.
const Schema = 1

// Limits of a profile. Times are milliseconds.
const (
	MaxPayers          = 16
	MaxNameCharacters  = 100
	MinAnswerTimeoutMS = 1_000
	MaxAnswerTimeoutMS = 10_000 // past ten seconds a receptionist records and goes on
	MinLockAfterMS     = 30_000
	MaxLockAfterMS     = 3_600_000
	MaxReceiptKeys     = 8
	MaxSpreadMS        = 3_600_000
)

// The times that a backend publishes where nobody chose others.
const (
	DefaultAnswerTimeoutMS = 10_000
	DefaultLockAfterMS     = 300_000
	DefaultSpreadMS        = 300_000
)

var (
	payerID      = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	keyID        = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	institution  = regexp.MustCompile(`^[0-9]{10}$`)
	municipality = regexp.MustCompile(`^[0-9]{6}$`)
)

// Known tells whether c is one of the four classes.
func (c Class) Known() bool {
	return c == Clinic || c == InsurerCounter || c == Counter || c == Shelter
}

// Validate gives every fault of p at once, joined, each a *fault.Error whose Place is the
// field; nil when p can be obeyed. A check digit that does not fit is no fault: published
// codes exist that fail it.
func (p Profile) Validate() error {
	var c collector
	c.that(p.Schema == Schema, "schema", "must be %d", Schema)
	c.that(handle.Valid("trm", p.Terminal), "terminal", "must be a terminal's handle (trm_…)")
	c.that(p.Class.Known(), "class", "must be clinic, insurer_counter, counter or shelter")
	c.that(handle.Valid("ofc", p.Office), "office", "must be an office's handle (ofc_…)")
	c.that(isName(p.OfficeName), "office_name", "must have 1 to %d characters", MaxNameCharacters)
	c.that(municipality.MatchString(p.Municipality), "municipality", "must have 6 digits")
	if p.Class == Clinic {
		c.that(institution.MatchString(p.Institution), "institution", "must have 10 digits for a clinic")
	} else {
		c.that(p.Institution == "", "institution", "belongs to clinics only")
	}
	c.between(p.AnswerTimeoutMS, MinAnswerTimeoutMS, MaxAnswerTimeoutMS, "answer_timeout_ms")
	c.between(p.LockAfterMS, MinLockAfterMS, MaxLockAfterMS, "lock_after_ms")
	p.validatePayers(&c)
	p.validateSync(&c)
	return errors.Join(c...)
}

func (p Profile) validatePayers(c *collector) {
	c.that(len(p.Payers) <= MaxPayers, "payers", "must be at most %d", MaxPayers)
	c.that(len(p.Payers) == 0 || p.Class.MayCheckInsurance(), "payers", "belong to clinics and insurers' counters only")
	seen := map[string]bool{}
	for i, payer := range p.Payers[:min(len(p.Payers), MaxPayers)] {
		at := fmt.Sprintf("payers[%d]", i)
		c.that(payerID.MatchString(payer.ID), at+".id", "must be 1 to 32 small letters, digits or underlines")
		c.that(!seen[payer.ID], at+".id", "stands twice")
		seen[payer.ID] = true
		c.that(isName(payer.Name), at+".name", "must have 1 to %d characters", MaxNameCharacters)
		_, err := age.ParseX25519Recipient(payer.Recipient)
		c.that(err == nil, at+".recipient", "must be an age X25519 recipient (age1…)")
	}
}

// validateSync checks what the sync of records needs.
func (p Profile) validateSync(c *collector) {
	c.that(len(p.ReceiptKeys) <= MaxReceiptKeys, "receipt_keys", "must be at most %d", MaxReceiptKeys)
	seen := map[string]bool{}
	for i, key := range p.ReceiptKeys[:min(len(p.ReceiptKeys), MaxReceiptKeys)] {
		at := fmt.Sprintf("receipt_keys[%d]", i)
		c.that(keyID.MatchString(key.ID), at+".id", "must be 1 to 64 small letters, digits, underlines or hyphens")
		c.that(!seen[key.ID], at+".id", "stands twice")
		seen[key.ID] = true
		c.that(len(key.PublicKey) == ed25519.PublicKeySize, at+".public_key", "must have %d bytes", ed25519.PublicKeySize)
	}
	if p.ExportRecipient != "" {
		_, err := age.ParseX25519Recipient(p.ExportRecipient)
		c.that(err == nil, "export_recipient", "must be an age X25519 recipient (age1…)")
	}
	c.between(p.SpreadMS, 0, MaxSpreadMS, "spread_ms")
}

func isName(s string) bool {
	n := utf8.RuneCountInString(s)
	return utf8.ValidString(s) && n >= 1 && n <= MaxNameCharacters
}

type collector []error

func (c *collector) that(holds bool, place, format string, args ...any) {
	if !holds {
		*c = append(*c, fault.At(fault.InvalidArgument, place, format, args...))
	}
}

func (c *collector) between(v, low, high int64, place string) {
	c.that(v >= low && v <= high, place, "must be %d to %d", low, high)
}
