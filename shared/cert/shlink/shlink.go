// Package shlink promises SMART Health Links as far as bytes go: it reads a link, says
// what to ask the server for, and opens what the server gave. It opens no connection; who
// fetches is the caller's business and a person's decision.
//
// A link proves nothing: anybody can write one, its label included. Verify therefore never
// gives a certificate; what the link leads to is verified by its own format.
//
// Reading is strict where another reader could see something else (base64url, JSON names,
// encryption headers, what follows a compressed text) and ignores what the specification
// says to ignore (unknown members and flags). Every size is bounded before the step that
// it would burden. All values are safe for concurrent use.
//
// Specification: HL7 smart-health-cards-and-links, "SMART Health Links".
package shlink

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"strings"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/internal/base64url"
	"madoguchi.example/shared/internal/jsonpull"
	"madoguchi.example/shared/trust"
)

// Format names this format. It has no part in a trust layout.
const Format cert.Format = "shlink"

// Limits. Each is checked before the text is decoded.
const (
	MaxLink     = 4096         // characters of a link with its viewer's address
	MaxURL      = 128          // characters of the address in a link (SHALL NOT be longer)
	MaxLabel    = 80           // characters of a label
	MaxManifest = 8 << 20      // bytes of a manifest
	MaxFiles    = 64           // files of one manifest
	MaxLocation = 4096         // characters of a file's address
	MaxJWE      = 4 << 20      // characters of one encrypted file
	MaxContent  = 8 << 20      // bytes of one opened file
	maxHeader   = 4096         // characters of an encryption header
	maxRefusal  = 4096         // bytes of a refusal's body
	lastSecond  = 253402300799 // 9999-12-31T23:59:59Z: beyond it a time cannot be written
)

// EmbeddedMax is the embeddedLengthMax that is asked for, in characters: a manifest of
// some such files stays below MaxManifest.
const EmbeddedMax = 1 << 20

// Findings that this format gives.
const (
	Expired     cert.Finding = "link_expired"      // its own hint; the server has the last word
	NotHTTPS    cert.Finding = "link_not_https"    // whoever listens sees the request, though not the content
	UnknownFlag cert.Finding = "link_unknown_flag" // newer than this reader; ignored as the specification says
	Passcode    cert.Finding = "needs_passcode"    // the server will ask for one
)

// ErrVersion is returned for a link of a later version, which this reader may not guess at.
var ErrVersion = errors.New("cannot read the link: a later version of the protocol")

// Link is a link taken apart. Make it with Parse or New.
type Link struct {
	URL      string
	Expires  time.Time // zero: it does not say
	LongTerm bool      // flag L: the content may change over time
	Passcode bool      // flag P
	Direct   bool      // flag U: the address gives one file, without manifest
	Label    string    // words of whoever made the link: unproven
	Viewer   string    // the viewer's address before "#", if any
	key      Key
	unknown  bool
}

// Key is the key that a link's files are encrypted with.
type Key [32]byte

// LogValue masks the key.
func (Key) LogValue() slog.Value { return slog.StringValue("***") }

// String masks the key: formatting is not showing.
func (Key) String() string { return "***" }

// GoString masks the key.
func (Key) GoString() string { return "***" }

// LogValue masks all but whether there is a link: its address is as good as a password.
func (Link) LogValue() slog.Value { return slog.StringValue("***") }

// String masks the link: formatting is not showing. Use Text.
func (Link) String() string { return "***" }

// Verify reads a link and tells that what it leads to must be fetched: Malformed, or
// Unsupported with the finding needs_network and what else is remarkable. It looks nothing
// up.
func Verify(input []byte, _ trust.Snapshot, at time.Time) cert.Verdict {
	l, err := Parse(input)
	v := cert.Verdict{Format: Format, Outcome: cert.Malformed, Findings: []cert.Finding{}}
	if err != nil {
		v.Reason = err.Error()
		if errors.Is(err, ErrVersion) {
			v.Outcome = cert.Unsupported
		}
		return v
	}
	v.Outcome, v.Reason = cert.Unsupported, "a link: what it leads to must be fetched first"
	v.Findings = append(v.Findings, cert.NeedsNetwork)
	v.Findings = append(v.Findings, l.Findings(at)...)
	return v
}

// Findings gives the remarks on a link at the given time.
func (l Link) Findings(at time.Time) []cert.Finding {
	out := []cert.Finding{}
	if !l.Expires.IsZero() && !at.Before(l.Expires) {
		out = append(out, Expired)
	}
	if !strings.HasPrefix(l.URL, "https://") {
		out = append(out, NotHTTPS)
	}
	if l.unknown {
		out = append(out, UnknownFlag)
	}
	if l.Passcode {
		out = append(out, Passcode)
	}
	return out
}

const prefix = "shlink:/"

// Parse reads a link, alone or behind a viewer's address ("https://viewer#shlink:/…"),
// blanks around it left out.
func Parse(input []byte) (Link, error) {
	if len(input) > MaxLink {
		return Link{}, fmt.Errorf("cannot read the link: longer than %d characters", MaxLink)
	}
	viewer, encoded, err := cut(strings.TrimSpace(string(input)))
	if err != nil {
		return Link{}, fmt.Errorf("cannot read the link: %w", err)
	}
	text, err := base64url.Decode([]byte(encoded))
	if err != nil {
		return Link{}, fmt.Errorf("cannot read the link: %w", err)
	}
	l, err := parsePayload(string(text))
	if errors.Is(err, ErrVersion) {
		return Link{}, err
	}
	if err != nil {
		return Link{}, fmt.Errorf("cannot read the link: %w", err)
	}
	l.Viewer = viewer
	return l, nil
}

// cut separates the viewer's address from what the link holds.
func cut(text string) (viewer, encoded string, err error) {
	if rest, bare := strings.CutPrefix(text, prefix); bare {
		return "", rest, nil
	}
	viewer, rest, found := strings.Cut(text, "#")
	encoded, link := strings.CutPrefix(rest, prefix)
	if !found || !link || !isAddress(viewer) {
		return "", "", errors.New("neither shlink:/ nor a viewer's address with it behind #")
	}
	return viewer, encoded, nil
}

// rawLink is a link's content before its rules are checked.
type rawLink struct {
	url, key, flag, label string
	exp                   float64
	expires               bool
	version               int64
}

func parsePayload(text string) (Link, error) {
	raw := rawLink{version: 1}
	r := jsonpull.New(text)
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "url":
			raw.url = r.Text()
		case "key":
			raw.key = r.Text()
		case "exp":
			raw.expires = true
			raw.exp = r.Float()
		case "flag":
			raw.flag = r.Text()
		case "label":
			raw.label = r.Text()
		case "v":
			raw.version = r.Int()
		}
	}
	if err := r.End(); err != nil {
		return Link{}, err
	}
	return raw.link()
}

func (raw rawLink) link() (Link, error) {
	l := Link{URL: raw.url, Label: raw.label}
	switch {
	case raw.version > 1:
		return Link{}, ErrVersion
	case raw.version < 1:
		return Link{}, errors.New("v is below 1")
	case len(raw.url) > MaxURL:
		return Link{}, fmt.Errorf("url is longer than %d characters", MaxURL)
	case !isAddress(raw.url):
		return Link{}, errors.New("url is not a web address")
	case len([]rune(raw.label)) > MaxLabel:
		return Link{}, fmt.Errorf("label is longer than %d characters", MaxLabel)
	case raw.expires && raw.exp < 0:
		return Link{}, errors.New("exp is before 1970")
	case base64url.DecodeInto(l.key[:], []byte(raw.key)) != nil:
		return Link{}, errors.New("key is not 32 bytes of base64url")
	}
	if raw.expires {
		l.Expires = time.Unix(int64(math.Floor(min(raw.exp, lastSecond))), 0).UTC()
	}
	err := l.setFlags(raw.flag)
	return l, err
}

// setFlags reads flags: capitals in alphabetical order, each once. Letters that this reader
// does not know are ignored (the specification adds only such as are safe to ignore).
func (l *Link) setFlags(flags string) error {
	last := byte('A' - 1)
	for _, c := range []byte(flags) {
		if c <= last || c > 'Z' {
			return errors.New("flag is not capitals in alphabetical order")
		}
		last = c
		switch c {
		case 'L':
			l.LongTerm = true
		case 'P':
			l.Passcode = true
		case 'U':
			l.Direct = true
		default:
			l.unknown = true
		}
	}
	if l.Passcode && l.Direct {
		return errors.New("flags P and U exclude each other")
	}
	return nil
}

// isAddress tells whether text is an absolute http or https address with a host, without
// user or fragment.
func isAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.Fragment == "" &&
		!strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c >= 0x7f })
}
