package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shlink"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/trust"
)

// Findings about a link that was to be followed.
const (
	LinkRefused     cert.Finding = "link_refused"        // the server does not give it, or not now
	LinkUnreachable cert.Finding = "link_unreachable"    // no answer, or the line is down
	LinkForbidden   cert.Finding = "link_not_followed"   // it leads to where no link may lead
	WrongPasscode   cert.Finding = "link_wrong_passcode" // the person may try again
	LinkLocked      cert.Finding = "link_locked"         // no attempt is left
	LinkGone        cert.Finding = "link_gone"           // the person has ended it, or it never was
	LinkBusy        cert.Finding = "link_busy"           // try again later
	FromLink        cert.Finding = "from_link"           // loaded over the network
	NoCertificate   cert.Finding = "link_no_certificate" // nothing in it can be verified
)

// Fetcher loads what a SMART Health Link leads to, as linkfetch does: what was loaded, or
// why not (a shlink.Refusal or a fault).
type Fetcher interface {
	Fetch(ctx context.Context, link []byte, passcode string) ([]shlink.File, error)
}

// Link fetches what a link leads to and gives the verdict on it: of several cards the worst
// card's. A link that could not be followed stays Unsupported, with the finding needs_network
// and one that says why, and the words for it as the reason.
func Link(ctx context.Context, f Fetcher, link []byte, passcode string, snap trust.Snapshot, clock clockfloor.Reading) cert.Verdict {
	return timed(clock, load(ctx, f, link, passcode, snap, clock.At))
}

// load follows a link once and gives what judges what it led to.
func load(ctx context.Context, f Fetcher, link []byte, passcode string, snap trust.Snapshot, at time.Time) func(time.Time) cert.Verdict {
	link = Text(link)
	v := verify.Verify(link, snap, at)
	always := func(time.Time) cert.Verdict { return v }
	if v.Format != shlink.Format || !slices.Contains(v.Findings, cert.NeedsNetwork) {
		return always
	}
	files, err := f.Fetch(ctx, link, passcode)
	if err != nil {
		finding, reason := whyNot(err)
		v.Reason = reason
		if finding != "" && !slices.Contains(v.Findings, finding) {
			v.Findings = append(v.Findings, finding)
		}
		return always
	}
	return func(at time.Time) cert.Verdict { return worst(files, snap, at) }
}

// worst verifies every card that a link led to.
func worst(files []shlink.File, snap trust.Snapshot, at time.Time) cert.Verdict {
	var out cert.Verdict
	var first *cert.Certificate
	cards, differ := 0, false
	for _, file := range files {
		if file.ContentType != shlink.HealthCard {
			continue
		}
		v := verify.Verify(file.Content, snap, at)
		differ = differ || !sameHolder(first, v.Certificate)
		if cards++; cards == 1 {
			first = v.Certificate
		}
		if cards == 1 || v.Outcome.Before(out.Outcome) {
			out = v
		}
	}
	if cards == 0 {
		return cert.Verdict{
			Format: shlink.Format, Outcome: cert.Unsupported, Findings: []cert.Finding{FromLink, NoCertificate},
			Reason: "the link leads to no certificate that can be verified",
		}
	}
	out.Findings = append(slices.Clip(out.Findings), FromLink)
	if cards > 1 {
		out.Findings = append(out.Findings, cert.SeveralCertificates)
	}
	if differ {
		out.Findings = append(out.Findings, cert.HoldersDiffer)
	}
	slices.Sort(out.Findings)
	out.Findings = slices.Compact(out.Findings)
	return out
}

func sameHolder(a, b *cert.Certificate) bool {
	return a == nil || b == nil || (a.HolderRaw == b.HolderRaw && a.BirthDate == b.BirthDate)
}

// whyNot tells in words why a link could not be followed.
func whyNot(err error) (cert.Finding, string) {
	if r, ok := errors.AsType[shlink.Refusal](err); ok {
		return refusal(r)
	}
	switch fault.CodeOf(err) {
	case fault.Unavailable:
		return LinkUnreachable, "the link's server cannot be reached"
	case fault.Forbidden:
		return LinkForbidden, "the link leads to where no link is followed to: not https, or this machine's own network"
	case fault.TooLarge:
		return LinkRefused, "the link leads to more than is read"
	}
	return "", reasonOf(err)
}

func reasonOf(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Message
	}
	return "the link cannot be followed"
}

func refusal(r shlink.Refusal) (cert.Finding, string) {
	switch r.Kind {
	case shlink.WrongPasscode:
		switch {
		case r.Remaining == 0:
			return LinkLocked, "the passcode is wrong, and no attempt is left"
		case r.Remaining > 0:
			return WrongPasscode, fmt.Sprintf("the passcode is wrong; attempts left: %d", r.Remaining)
		}
		return WrongPasscode, "the passcode is wrong"
	case shlink.Gone:
		return LinkGone, "the link leads nowhere any more"
	case shlink.TooMany:
		if r.RetryAfter > 0 {
			return LinkBusy, fmt.Sprintf("the link's server wants a pause of %s", r.RetryAfter)
		}
		return LinkBusy, "the link's server wants a pause"
	}
	return LinkRefused, "the link's server refuses"
}
