package hcert

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/base45"
	"madoguchi.example/shared/cert/internal/cborpull"
	"madoguchi.example/shared/cert/internal/cose"
)

// scratch is what reading one text needs, kept between texts.
type scratch struct {
	decoded []byte
	in      bytes.Reader
	out     bytes.Buffer
	signed  []byte
	sig     []byte
	z       io.ReadCloser
}

var scratches = sync.Pool{New: func() any {
	return &scratch{decoded: make([]byte, 0, base45.DecodedLen(MaxText)), sig: make([]byte, 0, cose.MaxRSA/8)}
}}

var errZlib = errors.New("not zlib data")

// inflate reads zlib (RFC 1950) of at most MaxPayload bytes, with nothing after it.
func (s *scratch) inflate(compressed []byte) (string, error) {
	s.in.Reset(compressed)
	s.out.Reset()
	if err := s.resetZlib(); err != nil {
		return "", errZlib
	}
	n, err := s.out.ReadFrom(io.LimitReader(s.z, MaxPayload+1))
	switch {
	case n > MaxPayload:
		return "", fmt.Errorf("larger than %d bytes when inflated", MaxPayload)
	case err != nil:
		return "", errZlib
	case s.in.Len() != 0:
		return "", errors.New("data after the compressed message")
	}
	return s.out.String(), nil
}

func (s *scratch) resetZlib() (err error) {
	if s.z != nil {
		return s.z.(zlib.Resetter).Reset(&s.in, nil)
	}
	s.z, err = zlib.NewReader(&s.in)
	if err != nil {
		s.z = nil
	}
	return err
}

// document is a well-formed certificate that nobody has vouched for yet.
type document struct {
	message       cose.Message
	iss, cti      string
	issued        time.Time
	notBefore     time.Time
	expires       time.Time
	certificate   cert.Certificate
	findings      []cert.Finding
	unsupported   string // why it is not for this reader, though it is in form
	content       bool   // certificate says what it claims
	authority     string // who issued, in the content's words
	version       string
	from, to      period
	groups, nulls int
}

func (d *document) find(f cert.Finding) {
	if !slices.Contains(d.findings, f) {
		d.findings = append(d.findings, f)
	}
}

// uci gives the id by which the certificate may be revoked.
func (d *document) uci() string {
	if d.certificate.ID != "" {
		return d.certificate.ID
	}
	return d.cti
}

var errPrefix = errors.New("no " + Prefix + " before it")

// open reads a text's form and content.
func (s *scratch) open(text []byte) (*document, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("longer than %d characters", MaxText)
	}
	encoded, found := bytes.CutPrefix(text, []byte(Prefix))
	if !found {
		return nil, errPrefix
	}
	compressed, err := base45.AppendDecode(s.decoded[:0], encoded)
	if err != nil {
		return nil, err
	}
	message, err := s.inflate(compressed)
	if err != nil {
		return nil, err
	}
	d := &document{}
	if d.message, err = cose.Parse(message); err != nil {
		return nil, fmt.Errorf("COSE: %w", err)
	}
	if !d.message.Named {
		return nil, errors.New("COSE: no key id")
	}
	if err := d.message.Supported(); err != nil {
		d.unsupported = err.Error()
	}
	if d.message.Unprotected {
		d.find(HeaderUnprotected)
	}
	if d.message.Untagged {
		d.find(CoseUntagged)
	}
	if err := d.readClaims(); err != nil {
		return nil, fmt.Errorf("CWT: %w", err)
	}
	return d, nil
}

// Claims of the token (RFC 8392 section 4, hcert_spec section 3.3).
const (
	claimIssuer    = 1
	claimExpires   = 4
	claimNotBefore = 5
	claimIssued    = 6
	claimID        = 7
	claimHCERT     = -260

	subclaimDCC = 1
	subclaimDVC = -6
)

func (d *document) readClaims() error {
	hcert := false
	r := cborpull.New(d.message.Payload)
	for m := r.Map(); m.Next(); {
		if m.Key.IsText {
			continue
		}
		switch m.Key.Int {
		case claimIssuer:
			d.iss = r.Text()
		case claimExpires:
			d.expires = d.readTime(&r)
		case claimNotBefore:
			d.notBefore = d.readTime(&r)
		case claimIssued:
			d.issued = d.readTime(&r)
		case claimID:
			d.cti = r.Bytes()
		case claimHCERT:
			hcert = true
			d.readHCERT(&r)
		}
	}
	if err := r.End(); err != nil {
		return err
	}
	if !hcert {
		return errors.New("no health certificate in it")
	}
	d.finish()
	return nil
}

// readHCERT reads the one content that there is.
func (d *document) readHCERT(r *cborpull.Reader) {
	for m := r.Map(); m.Next(); {
		known := !m.Key.IsText && (m.Key.Int == subclaimDCC || m.Key.Int == subclaimDVC)
		if known && d.content {
			r.Fault("two contents")
		}
		switch {
		case !known:
		case m.Key.Int == subclaimDCC:
			d.content = true
			d.readDCC(r)
		default:
			d.content = true
			d.readDVC(r)
		}
	}
	if !d.content && d.unsupported == "" {
		d.unsupported = "a content other than an EU certificate and a WHO vaccination certificate"
	}
}

const (
	lastSecond     = 253402300799 // 9999-12-31T23:59:59Z: beyond it a time cannot be written
	milliThreshold = 100e9        // a number of seconds in the year 5138, or milliseconds since 1973
)

// readTime reads a NumericDate (RFC 8392 section 2), which may be a float. A time after the
// year 9999 becomes its end.
func (d *document) readTime(r *cborpull.Reader) time.Time {
	seconds := r.Number()
	if !(seconds >= 0) || math.IsInf(seconds, 0) {
		r.Fault("a time before 1970, or none")
		return time.Time{}
	}
	if seconds > milliThreshold {
		d.find(TimeInMilliseconds)
	}
	whole, fraction := math.Modf(min(seconds, lastSecond))
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC()
}

// finish completes the certificate with what the token says.
func (d *document) finish() {
	c := &d.certificate
	c.Format, c.IssuedAt, c.ExpiresAt = Format, d.issued, d.expires
	if c.ID == "" {
		c.ID = strings.ToValidUTF8(d.cti, "")
	}
	switch {
	case d.authority == "":
		c.Issuer = d.iss
	case d.iss == "":
		c.Issuer = d.authority
	default:
		c.Issuer = d.authority + " (" + d.iss + ")"
	}
	if d.expires.IsZero() {
		d.find(NoExpiry)
	}
	if d.issued.IsZero() {
		d.find(NoIssueTime)
	}
	if d.content && c.HolderRaw == "" {
		d.find(cert.NoHolderName)
	}
	if d.content && c.Content != cert.Vaccination {
		d.find(cert.NoVaccination)
	}
}
