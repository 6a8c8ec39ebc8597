package shc

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/internal/jsonpull"
	"madoguchi.example/shared/trust"
)

const (
	lastSecond     = 253402300799 // 9999-12-31T23:59:59Z: beyond it a time cannot be written
	milliThreshold = 100e9        // a number of seconds in the year 5138, or milliseconds since 1973
)

// payload is what a card claims.
type payload struct {
	iss      string
	rid      string
	nbf, exp time.Time
	expires  bool
	holder   holder
	doses    []cert.Dose
	findings []cert.Finding

	reference string // of the first dose, to the Patient
	apart     bool   // another dose's reference differs from it
}

func (p *payload) find(f cert.Finding) {
	if !slices.Contains(p.findings, f) {
		p.findings = append(p.findings, f)
	}
}

// readers keeps the room that reading takes between cards.
var readers = sync.Pool{New: func() any { return jsonpull.New("") }}

// giveBack forgets what was read before the reader waits for the next card.
func giveBack(r *jsonpull.Reader) {
	r.Reset("")
	readers.Put(r)
}

// parsePayload reads a payload and refuses what is not a health card.
func parsePayload(text string) (payload, error) {
	var p payload
	r := readers.Get().(*jsonpull.Reader)
	defer giveBack(r)
	r.Reset(text)
	var nbf, vc bool
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "iss":
			p.iss = r.Text()
		case "nbf":
			nbf = true
			p.nbf = p.readTime(r)
		case "exp":
			p.expires = true
			p.exp = p.readTime(r)
		case "vc":
			vc = true
			p.readVC(r)
		}
	}
	switch {
	case r.End() != nil:
		return p, r.End()
	case !trust.ValidIssuer(p.iss):
		return p, errors.New("iss is not an https address without trailing slash")
	case !nbf:
		return p, errors.New("no nbf")
	case !vc:
		return p, errors.New("no vc")
	}
	return p, nil
}

// readTime reads a NumericDate (RFC 7519), which may be fractional. A time after the year
// 9999 becomes its end.
func (p *payload) readTime(r *jsonpull.Reader) time.Time {
	seconds := r.Float()
	if seconds < 0 {
		r.Fault("a time before 1970")
		return time.Time{}
	}
	if seconds > milliThreshold {
		p.find(TimeInMilliseconds)
	}
	whole, fraction := math.Modf(min(seconds, lastSecond))
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC()
}

func (p *payload) readVC(r *jsonpull.Reader) {
	var card, subject bool
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "type":
			card = readTypes(r)
		case "rid":
			if p.rid = r.Text(); !trust.ValidRID(p.rid) {
				r.Fault("rid is not 1 to %d characters of base64url", trust.MaxRID)
			}
		case "credentialSubject":
			subject = true
			p.readSubject(r)
		}
	}
	if !card {
		r.Fault("vc.type lacks %s", healthCardType)
	}
	if !subject {
		r.Fault("no credentialSubject")
	}
}

// readTypes tells whether the types name a health card. Others are ignored (SHALL).
func readTypes(r *jsonpull.Reader) bool {
	card := false
	for a := r.Array(); a.Next(); {
		if a.Index >= maxTypes {
			r.Fault("more than %d types", maxTypes)
			continue
		}
		if r.Text() == healthCardType {
			card = true
		}
	}
	return card
}

func (p *payload) readSubject(r *jsonpull.Reader) {
	var version string
	bundle := false
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "fhirVersion":
			version = r.Text()
		case "fhirBundle":
			bundle = true
			p.readBundle(r)
		}
	}
	if !strings.HasPrefix(version, "4.") {
		p.find(FHIRVersion)
	}
	if !bundle {
		r.Fault("no fhirBundle")
	}
}

// timeOutcome tells what the clock says: exp ends a card at its very second.
func (p *payload) timeOutcome(at time.Time) (cert.Outcome, string) {
	switch {
	case at.Before(p.nbf):
		return cert.NotYetValid, "not valid before " + p.nbf.Format(time.RFC3339)
	case p.expires && !at.Before(p.exp):
		return cert.Expired, "expired at " + p.exp.Format(time.RFC3339)
	}
	return cert.Valid, ""
}

// certificate gives the claims in neutral words.
func (p *payload) certificate() *cert.Certificate {
	c := &cert.Certificate{
		Format: Format, Issuer: p.iss, ID: p.rid,
		Holder: p.holder.name(), HolderRaw: p.holder.raw(), BirthDate: p.holder.birth,
		IssuedAt: p.nbf, Doses: p.doses, Content: cert.Vaccination,
	}
	if len(p.doses) == 0 {
		c.Content = cert.OtherContent
	}
	if p.expires {
		c.ExpiresAt = p.exp
	}
	return c
}

// Check is what an unsigned payload or bundle is worth. Outcome Valid says that the
// content keeps the rules, not that anybody vouches for it.
type Check struct {
	Outcome  cert.Outcome
	Findings []cert.Finding // never nil
	Reason   string
}

// CheckPayload holds the JSON text of an unsigned payload against the rules for a
// verifier at the given time.
func CheckPayload(text []byte, at time.Time) Check {
	if len(text) > MaxPayload {
		return Check{cert.Malformed, []cert.Finding{}, fmt.Sprintf("larger than %d bytes", MaxPayload)}
	}
	p, err := parsePayload(string(text))
	if err != nil {
		return refused(p, err)
	}
	outcome, reason := p.timeOutcome(at)
	return Check{outcome, nonNil(p.findings), reason}
}

// CheckBundle holds the JSON text of a FHIR bundle against the rules for a card.
func CheckBundle(text []byte) Check {
	if len(text) > MaxPayload {
		return Check{cert.Malformed, []cert.Finding{}, fmt.Sprintf("larger than %d bytes", MaxPayload)}
	}
	var p payload
	r := jsonpull.New(string(text))
	p.readBundle(r)
	if err := r.End(); err != nil {
		return refused(p, err)
	}
	return Check{cert.Valid, nonNil(p.findings), ""}
}

func refused(p payload, err error) Check {
	return Check{cert.Malformed, nonNil(p.findings), "payload: " + err.Error()}
}

func nonNil(f []cert.Finding) []cert.Finding {
	if f == nil {
		return []cert.Finding{}
	}
	return f
}
