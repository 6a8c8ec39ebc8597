package vdsnc

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"slices"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/ecsig"
	"madoguchi.example/shared/internal/jsonpull"
	"madoguchi.example/shared/trust"
)

// Verify verifies the JSON text of a document, as a code holds it or pretty-printed, or of
// an array of documents. Of several the verdict is the worst one's, and its certificate is
// that one's.
//
// Its steps and the precedence of its outcomes are those of the architecture note: form and
// content first, then what vouches for the signer, the signature, the signer's purpose,
// revocation, the signer's validity, and last the age of the trust list and of the
// authority's revocation list.
func Verify(input []byte, snap trust.Snapshot, at time.Time) cert.Verdict {
	if len(input) > MaxInput {
		return malformed(fmt.Errorf("larger than %d bytes", MaxInput))
	}
	r := jsonpull.New(string(input))
	if r.Kind() != jsonpull.Array {
		d := documents.Get().(*document)
		defer d.release()
		d.readDocument(r, len(input))
		return d.verdict(r.End(), snap, at)
	}
	return verifyArray(r, len(input), snap, at)
}

func verifyArray(r *jsonpull.Reader, size int, snap trust.Snapshot, at time.Time) cert.Verdict {
	var documents []*document
	for a := r.Array(); a.Next(); {
		if a.Index >= MaxDocuments {
			r.Fault("more than %d documents", MaxDocuments)
			continue
		}
		d := &document{}
		d.readDocument(r, size)
		documents = append(documents, d)
	}
	if r.End() != nil {
		return malformed(r.End())
	}
	if len(documents) == 0 {
		return malformed(errors.New("an array without documents"))
	}
	worst := documents[0].verdict(nil, snap, at)
	first, differ := worst.Certificate, false
	for _, d := range documents[1:] {
		v := d.verdict(nil, snap, at)
		differ = differ || !sameHolder(first, v.Certificate)
		if v.Outcome.Before(worst.Outcome) {
			worst = v
		}
	}
	if len(documents) > 1 {
		worst.Findings = append(worst.Findings, cert.SeveralCertificates)
	}
	if differ {
		worst.Findings = append(worst.Findings, cert.HoldersDiffer)
	}
	return worst
}

func sameHolder(a, b *cert.Certificate) bool {
	return a == nil || b == nil ||
		(a.HolderRaw == b.HolderRaw && a.BirthDate == b.BirthDate && a.TravelDocument == b.TravelDocument)
}

func malformed(err error) cert.Verdict {
	return cert.Verdict{Format: Format, Outcome: cert.Malformed, Findings: []cert.Finding{}, Reason: "cannot read the document: " + err.Error()}
}

// verdict judges one document, which was read with err.
func (d *document) verdict(err error, snap trust.Snapshot, at time.Time) cert.Verdict {
	if err != nil {
		return malformed(err)
	}
	v := cert.Verdict{Format: Format, Certificate: d.certificate()}
	if d.message.state == specimenCountry {
		d.message.find(cert.Specimen)
	}
	v.Outcome, v.Reason = d.judge(snap, at)
	if v.Outcome == cert.Malformed {
		return malformed(errors.New(v.Reason))
	}
	if v.Findings = d.message.findings; v.Findings == nil {
		v.Findings = []cert.Finding{}
	}
	return v
}

// judge gives the outcome of a document whose text is well formed.
func (d *document) judge(snap trust.Snapshot, at time.Time) (cert.Outcome, string) {
	pinned, _ := snap.Section(Section.Name).(*anchors)
	c := pinned.remembered(d.signer)
	if c == nil {
		var outcome cert.Outcome
		var reason string
		if c, outcome, reason = d.findChain(pinned); outcome != cert.Valid {
			return outcome, reason
		}
	}
	switch {
	case d.unsupported != "":
		return cert.Unsupported, d.unsupported
	case !d.stateOf(c):
		return cert.UntrustedIssuer, "the signer is of another country than the document"
	case !d.signedBy(c.signer):
		return cert.BadSignature, "the signature does not fit the content and the signer's key"
	}
	if reason := d.purpose(c); reason != "" {
		return cert.KeyUsageMismatch, reason
	}
	return d.inTime(c, snap, at)
}

// findChain reads the signer's certificate and finds what vouches for it.
func (d *document) findChain(pinned *anchors) (*chain, cert.Outcome, string) {
	der, err := d.certificateBytes()
	if err != nil {
		return nil, cert.Malformed, "sig.cer: " + err.Error()
	}
	signer, err := readCertificate(der)
	switch {
	case errors.Is(err, errKey):
		return nil, cert.Unsupported, "sig.cer: " + err.Error()
	case err != nil:
		return nil, cert.Malformed, "sig.cer: " + err.Error()
	case d.unsupported != "":
		return nil, cert.Unsupported, d.unsupported
	case signer.unknownCritical:
		return nil, cert.Unsupported, "sig.cer: a critical extension that is not known"
	}
	c, err := pinned.chainOf(signer, der)
	switch {
	case errors.Is(err, errUnknown):
		return nil, cert.UnknownKey, err.Error()
	case errors.Is(err, errSignatureAlgorithm):
		return nil, cert.Unsupported, "sig.cer: " + err.Error()
	case err != nil:
		return nil, cert.UntrustedIssuer, err.Error()
	}
	pinned.remember(d.signer, c)
	return c, cert.Valid, ""
}

// stateOf tells whether the chain may sign for the state that the document names.
func (d *document) stateOf(c *chain) bool {
	return slices.ContainsFunc(c.countries(), func(country string) bool { return sameCountry(d.message.state, country) })
}

// signedBy checks the signature over the canonical data.
func (d *document) signedBy(signer *certificate) bool {
	key, ok := signer.public.(*ecdsa.PublicKey)
	if !ok || key.Curve != d.algorithm.curve {
		return false
	}
	var room [sha512.Size]byte
	return ecsig.Verify(key, d.digest(room[:0]), d.signature[:d.algorithm.size])
}

// digest appends the hash of the canonical data.
func (d *document) digest(out []byte) []byte {
	switch d.algorithm.size {
	case 64:
		sum := sha256.Sum256(d.canonical)
		return append(out, sum[:]...)
	case 96:
		sum := sha512.Sum384(d.canonical)
		return append(out, sum[:]...)
	default:
		sum := sha512.Sum512(d.canonical)
		return append(out, sum[:]...)
	}
}

// purpose tells why the signer may not sign this document, empty where it may. A signer
// that is pinned itself need not say what it is for.
func (d *document) purpose(c *chain) string {
	s := c.signer
	if len(c.authorities) == 0 {
		d.message.find(SignerPinned)
	}
	if c.pinned && s.extendedUsage == nil && s.documentTypes == nil {
		d.message.find(SignerPurpose)
		return ""
	}
	switch {
	case s.authority:
		return "the signer is an authority"
	case !s.mayUse(bitDigitalSignature):
		return "the signer's key may not sign documents"
	case !slices.ContainsFunc(s.extendedUsage, oidBarcodeSigner.Equal):
		return "the signer is not one of barcodes"
	case !slices.ContainsFunc(s.documentTypes, d.isType):
		return "the signer is not one of this type of document"
	}
	return ""
}

// isType tells whether a signer's document type allows this document: NV for proofs of
// vaccination; NT for proofs of testing, which signers of NV wrote too.
func (d *document) isType(name string) bool {
	return name == "NV" || (name == "NT" && d.message.kind == typeTest)
}

// inTime judges what changes with time: revocation, validity, and the age of what is known.
func (d *document) inTime(c *chain, snap trust.Snapshot, at time.Time) (cert.Outcome, string) {
	if at.Before(snap.AsOf()) {
		d.message.find(cert.ClockBeforeSnapshot)
	}
	var list *revocationList
	for _, x := range c.authorities {
		if x.list.revokes(c.signer.serial) {
			return cert.Revoked, "the authority has revoked the signer"
		}
		if x.list != nil && (list == nil || list.from.Before(x.list.from)) {
			list = x.list
		}
	}
	if outcome, reason := validity(c, at); outcome != cert.Valid {
		return outcome, reason
	}
	if snap.Stale(at) {
		return cert.StaleTrust, "the trust list is older than it may be"
	}
	switch {
	case len(c.authorities) == 0:
	case list == nil:
		d.message.find(cert.NoRevocationList)
	case at.After(list.until):
		return cert.StaleRevocation, "the authority's revocation list ended at " + list.until.Format(time.RFC3339)
	}
	return cert.Valid, ""
}

// validity judges the signer's certificate, and the authority's: one of those whose key
// signed it must be of this time. The private key's usage period limits signing alone.
func validity(c *chain, at time.Time) (cert.Outcome, string) {
	switch s := c.signer; s.during(at) {
	case -1:
		return cert.NotYetValid, "the signer is not valid before " + s.notBefore.Format(time.RFC3339)
	case 1:
		return cert.Expired, "the signer's certificate ended at " + s.notAfter.Format(time.RFC3339)
	}
	if c.pinned || slices.ContainsFunc(c.authorities, func(x *authority) bool { return x.during(at) == 0 }) {
		return cert.Valid, ""
	}
	if c.authorities[0].during(at) < 0 {
		return cert.NotYetValid, "the authority's certificate is not valid yet"
	}
	return cert.Expired, "the authority's certificate has ended"
}
