package shlink

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"madoguchi.example/shared/internal/jsonpull"
)

// HTTP's words, which are few enough here: nothing on the way of a verification may be able
// to open a connection, so the library that does is not imported (RFC 9110).
const (
	methodGet             = "GET"
	methodPost            = "POST"
	statusUnauthorized    = 401
	statusNotFound        = 404
	statusGone            = 410
	statusTooManyRequests = 429
	httpDate              = "Mon, 02 Jan 2006 15:04:05 GMT"
)

// Request is what to send, as values: nothing here sends it. It holds a secret address and
// perhaps a passcode, so it is not to be logged.
type Request struct {
	Method      string
	URL         string
	ContentType string // of Body; empty without
	Accept      string
	Body        []byte
}

// ManifestRequest asks for the manifest of a link without the flag U. Recipient is shown to
// the person who shared the link; passcode is what that person told, empty where the link
// has no flag P.
func (l Link) ManifestRequest(recipient, passcode string) Request {
	body, err := json.Marshal(struct {
		Recipient   string `json:"recipient"`
		Passcode    string `json:"passcode,omitempty"`
		EmbeddedMax int    `json:"embeddedLengthMax"`
	}{recipient, passcode, EmbeddedMax})
	if err != nil {
		panic("shlink: two texts and a number always have a JSON form")
	}
	return Request{methodPost, l.URL, "application/json", "application/json", body}
}

// DirectRequest asks for the one file of a link with the flag U.
func (l Link) DirectRequest(recipient string) Request {
	separator := "?"
	if strings.Contains(l.URL, "?") {
		separator = "&"
	}
	return Request{Method: methodGet, URL: l.URL + separator + "recipient=" + url.QueryEscape(recipient), Accept: "application/jose"}
}

// Request asks for a file that the manifest does not embed. Its address is good for an hour
// after the manifest came, and perhaps only once.
func (f ManifestFile) Request() Request {
	return Request{Method: methodGet, URL: f.Location, Accept: "application/jose"}
}

// ContentType says what a file is.
type ContentType string

// The types. Others are handed on as they were written.
const (
	HealthCard ContentType = "application/smart-health-card"
	FHIR       ContentType = "application/fhir+json"
	APIAccess  ContentType = "application/smart-api-access"
)

// Status says whether a file may change.
type Status string

// The states; empty where the manifest does not say.
const (
	Finalized     Status = "finalized"
	CanChange     Status = "can-change"
	NoLongerValid Status = "no-longer-valid"
)

// ManifestFile is one file of a manifest. Of Embedded and Location at least one is there;
// Embedded is the encrypted file itself.
type ManifestFile struct {
	ContentType ContentType
	Location    string
	Embedded    string
	LastUpdated time.Time // zero: not told
	Status      Status
	FHIRVersion string // empty: 4.0.1 may be assumed
}

// Manifest lists what a link leads to.
type Manifest struct{ Files []ManifestFile }

// ParseManifest reads a manifest. A file without type, or without any way to its content,
// is a fault; members that the specification does not name are ignored.
func ParseManifest(text []byte) (Manifest, error) {
	if len(text) > MaxManifest {
		return Manifest{}, fmt.Errorf("cannot read the manifest: larger than %d bytes", MaxManifest)
	}
	var out Manifest
	found := false
	r := jsonpull.New(string(text))
	for m := r.Object(); m.Next(); {
		if m.Name != "files" {
			continue
		}
		found = true
		for a := r.Array(); a.Next(); {
			if a.Index >= MaxFiles {
				r.Fault("more than %d files", MaxFiles)
				continue
			}
			out.Files = append(out.Files, readManifestFile(r))
		}
	}
	if !found {
		r.Fault("no files")
	}
	if err := r.End(); err != nil {
		return Manifest{}, fmt.Errorf("cannot read the manifest: %w", err)
	}
	return out, nil
}

func readManifestFile(r *jsonpull.Reader) ManifestFile {
	var f ManifestFile
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "contentType":
			f.ContentType = ContentType(r.Text())
		case "location":
			if f.Location = r.Text(); len(f.Location) > MaxLocation || !isAddress(f.Location) {
				r.Fault("location is not a web address")
			}
		case "embedded":
			if f.Embedded = r.Text(); len(f.Embedded) > MaxJWE {
				r.Fault("embedded is longer than %d characters", MaxJWE)
			}
		case "lastUpdated":
			f.LastUpdated = readInstant(r)
		case "status":
			f.Status = readStatus(r)
		case "fhirVersion":
			f.FHIRVersion = r.Text()
		}
	}
	switch {
	case f.ContentType == "":
		r.Fault("a file without contentType")
	case f.Location == "" && f.Embedded == "":
		r.Fault("a file with neither location nor embedded")
	}
	return f
}

// readInstant reads an ISO 8601 time with a zone; some servers write the day alone.
func readInstant(r *jsonpull.Reader) time.Time {
	text := r.Text()
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	r.Fault("lastUpdated is not a time")
	return time.Time{}
}

func readStatus(r *jsonpull.Reader) Status {
	switch s := Status(r.Text()); s {
	case Finalized, CanChange, NoLongerValid:
		return s
	}
	r.Fault("status is none of the three")
	return ""
}

// Refusal is a server's answer other than success.
type Refusal struct {
	Kind       RefusalKind
	Remaining  int           // attempts left with WrongPasscode; -1: not told
	RetryAfter time.Duration // with TooMany; 0: not told
}

// RefusalKind says why a server refused.
type RefusalKind string

// The kinds.
const (
	WrongPasscode RefusalKind = "wrong_passcode" // 401
	Gone          RefusalKind = "gone"           // 404: no longer active, or never was
	TooMany       RefusalKind = "too_many"       // 429
	OtherRefusal  RefusalKind = "other"
)

// Error says what happened in constant words.
func (r Refusal) Error() string { return "the link's server refused: " + string(r.Kind) }

// maxWait bounds what a server may ask to wait for.
const maxWait = 30 * 24 * time.Hour

// ParseRefusal reads an answer whose status is not 200. RetryAfter is that header's value,
// seconds or an HTTP date, which is counted from at. A body that cannot be read only leaves
// the number of attempts untold.
func ParseRefusal(status int, retryAfter string, body []byte, at time.Time) Refusal {
	out := Refusal{Kind: OtherRefusal, Remaining: -1}
	switch status {
	case statusUnauthorized:
		out.Kind = WrongPasscode
		if n, err := remainingAttempts(body); err == nil {
			out.Remaining = n
		}
	case statusNotFound, statusGone:
		out.Kind = Gone
	case statusTooManyRequests:
		out.Kind = TooMany
		out.RetryAfter = wait(retryAfter, at)
	}
	return out
}

func remainingAttempts(body []byte) (int, error) {
	if len(body) > maxRefusal {
		return 0, errors.New("too large")
	}
	n := int64(-1)
	r := jsonpull.New(string(body))
	for m := r.Object(); m.Next(); {
		if m.Name == "remainingAttempts" {
			n = r.Int()
		}
	}
	if err := r.End(); err != nil {
		return 0, err
	}
	const most = 1_000_000
	if n < 0 || n > most {
		return 0, errors.New("out of range")
	}
	return int(n), nil
}

func wait(retryAfter string, at time.Time) time.Duration {
	if n, err := strconv.ParseUint(retryAfter, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, maxWait)
	}
	if t, err := time.Parse(httpDate, retryAfter); err == nil {
		return min(max(t.Sub(at), 0), maxWait)
	}
	return 0
}
