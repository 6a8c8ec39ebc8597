package vdsnc

import (
	"errors"
	"strings"
	"sync"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/jcs"
	"madoguchi.example/shared/internal/base64url"
	"madoguchi.example/shared/internal/jsonpull"
)

const (
	maxSignature     = 132                      // bytes of a signature on P-521, the longest
	maxSignatureText = (maxSignature*4 + 2) / 3 // the same in base64url
	maxKept          = 16 << 10                 // bytes of canonical text that are kept as room for the next document
)

// document is a well-formed document that nobody has vouched for yet.
type document struct {
	canonical   []byte // of data: what is signed
	algorithm   algorithm
	signer      string // the signer's certificate in base64url, as it stands
	signature   [maxSignature]byte
	message     message
	unsupported string // why the content is not read, where it is not
}

// documents keeps the room that one document needs for the next.
var documents = sync.Pool{New: func() any { return new(document) }}

// release gives the room back. Nothing of the document but its verdict is of use then.
func (d *document) release() {
	room := d.canonical[:0]
	if cap(room) > maxKept {
		room = nil
	}
	*d = document{canonical: room}
	documents.Put(d)
}

// readDocument reads one document of a text of size bytes and leaves its faults with the
// reader.
func (d *document) readDocument(r *jsonpull.Reader, size int) {
	var data, sig bool
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "data":
			data = true
			if cap(d.canonical) == 0 {
				d.canonical = make([]byte, 0, min(size, maxKept))
			}
			d.canonical = jcs.Append(d.canonical[:0], r)
		case "sig":
			sig = true
			d.readSignature(r)
		default:
			d.message.find(UnknownMember)
		}
	}
	switch {
	case r.Err() != nil:
		return
	case !data || !sig:
		r.Fault("a document without data or sig")
		return
	}
	// The content is read from the very bytes that are signed, so no other reading of the
	// text can differ; and there the header stands before what it tells how to read.
	c := jsonpull.New(string(d.canonical))
	d.readData(c)
	if err := c.End(); err != nil {
		r.Fault("data: %w", err)
	}
}

func (d *document) readData(r *jsonpull.Reader) {
	var header, content bool
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "hdr":
			header = true
			d.readHeader(r)
		case "msg":
			content = true
			if d.unsupported == "" {
				d.message.read(r)
			}
		default:
			d.message.find(UnknownMember)
		}
	}
	if !header || !content {
		r.Fault("no hdr or no msg")
	}
}

func (d *document) readHeader(r *jsonpull.Reader) {
	var v int64
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "t":
			d.message.kind = r.Text()
		case "v":
			v = r.Int()
		case "is":
			d.message.state = r.Text()
		default:
			d.message.find(UnknownMember)
		}
	}
	switch {
	case d.message.kind == "" || d.message.state == "" || v == 0:
		r.Fault("hdr lacks t, v or is")
	case v != version:
		d.unsupported = "a version of the seal that is not read"
	case d.message.kind != typeVaccination && d.message.kind != typeTest:
		d.unsupported = "a seal that is neither of a vaccination nor of a test"
	}
}

// readSignature reads sig. An algorithm that is not known leaves the signature unread.
func (d *document) readSignature(r *jsonpull.Reader) {
	var name, value string
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "alg":
			name = r.Text()
		case "cer":
			d.signer = r.Text()
		case "sigvl":
			value = r.Text()
		default:
			d.message.find(UnknownMember)
		}
	}
	if r.Err() != nil {
		return
	}
	if name == "" || d.signer == "" || value == "" {
		r.Fault("sig lacks alg, cer or sigvl")
		return
	}
	if d.algorithm = algorithmNamed(name); d.algorithm.size == 0 {
		d.unsupported = "a signature algorithm that is not read"
		return
	}
	value, ok := unpad(value)
	var room [maxSignatureText]byte
	if !ok || len(value) > len(room) || base64url.DecodeInto(d.signature[:d.algorithm.size], room[:copy(room[:], value)]) != nil {
		r.Fault("sigvl is not base64url of a signature's two numbers")
	}
}

// unpad takes base64url with and without padding, as issuers write both, and tells whether
// the padding is whole.
func unpad(text string) (string, bool) {
	bare := strings.TrimRight(text, "=")
	return bare, len(bare) == len(text) || (len(text)%4 == 0 && len(text)-len(bare) < 3)
}

var errCertificateText = errors.New("not base64url of a certificate")

// certificateBytes gives the signer's certificate.
func (d *document) certificateBytes() ([]byte, error) {
	text, ok := unpad(d.signer)
	if !ok || len(text) > base64url.EncodedLen(MaxCertificate) {
		return nil, errCertificateText
	}
	der, err := base64url.Decode([]byte(text))
	if err != nil {
		return nil, errCertificateText
	}
	return der, nil
}

// certificate gives the claims in neutral words.
func (d *document) certificate() *cert.Certificate {
	if d.unsupported != "" {
		return nil
	}
	return d.message.certificate()
}
