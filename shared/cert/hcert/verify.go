package hcert

import (
	"crypto/sha256"
	"errors"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/trust"
)

// Verify verifies the text of one certificate, "HC1:…", exactly as it was scanned. Its steps
// and the precedence of its outcomes are those of the architecture note: form and content
// first, then signer, signature, key usage, revocation, time, and last the snapshot's own
// age.
//
// A text of another prefix is Unsupported. A key id that no listed signer has is UnknownKey;
// where no signer is listed at all, nobody is trusted: UntrustedIssuer.
func Verify(input []byte, snap trust.Snapshot, at time.Time) cert.Verdict {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	d, err := s.open(input)
	switch {
	case errors.Is(err, errPrefix):
		return refused(cert.Unsupported, err)
	case err != nil:
		return refused(cert.Malformed, err)
	}
	v := cert.Verdict{Format: Format}
	if d.content {
		v.Certificate = &d.certificate
	}
	v.Outcome, v.Reason = d.judge(s, snap, at)
	v.Findings = d.findings
	if v.Findings == nil {
		v.Findings = []cert.Finding{}
	}
	return v
}

func refused(outcome cert.Outcome, err error) cert.Verdict {
	return cert.Verdict{
		Format: Format, Outcome: outcome, Findings: []cert.Finding{},
		Reason: "cannot read the certificate: " + err.Error(),
	}
}

// judge gives the outcome of a well-formed certificate.
func (d *document) judge(s *scratch, snap trust.Snapshot, at time.Time) (cert.Outcome, string) {
	if d.unsupported != "" {
		return cert.Unsupported, d.unsupported
	}
	pinned, _ := snap.Section(Section.Name).(*anchors)
	if pinned == nil || pinned.count == 0 {
		return cert.UntrustedIssuer, "no signer is on the trust list"
	}
	signers := pinned.signers[d.message.KeyID]
	if len(signers) == 0 {
		return cert.UnknownKey, "no signer on the trust list has this key id"
	}
	if outcome, reason := d.judgeSignature(s, signers, at); outcome != cert.Valid {
		return outcome, reason
	}
	if at.Before(snap.AsOf()) {
		d.find(cert.ClockBeforeSnapshot)
	}
	revoked, known := pinned.revoked.revocation(d)
	if revoked {
		return cert.Revoked, "the issuer has revoked this certificate"
	}
	if outcome, reason := d.judgeTime(at); outcome != cert.Valid {
		return outcome, reason
	}
	if snap.Stale(at) {
		return cert.StaleTrust, "the trust list is older than it may be"
	}
	if !known {
		d.find(cert.NoRevocationList)
		return cert.StaleRevocation, "the revocation list of this signer could not be read"
	}
	return cert.Valid, ""
}

// judgeSignature tries every signer with the key id.
func (d *document) judgeSignature(s *scratch, signers []*signer, at time.Time) (cert.Outcome, string) {
	s.signed = d.message.AppendSigned(s.signed[:0])
	digest := sha256.Sum256(s.signed)
	outcome, reason := cert.BadSignature, "the signature does not fit the content and the signer's key"
	for _, signer := range signers {
		if !d.message.Verify(signer.key, digest[:], s.sig) {
			continue
		}
		if signer.usage&needed(d.certificate.Content) == 0 {
			outcome, reason = cert.KeyUsageMismatch, "its signer may not sign content of this kind"
			continue
		}
		if at.Before(signer.from) || at.After(signer.to) {
			d.find(SignerDated)
		}
		return cert.Valid, ""
	}
	return outcome, reason
}

// judgeTime tells what the clock says: a certificate is expired after its exp (hcert_spec,
// "Expiration Time"; RFC 8392 section 3.1.4 would end it a second earlier), and it begins
// with the later of nbf and iat.
func (d *document) judgeTime(at time.Time) (cert.Outcome, string) {
	if d.from.excludes(at, true) || d.to.excludes(at, false) {
		d.find(OutsidePeriod)
	}
	begins := d.issued
	if d.notBefore.After(begins) {
		begins = d.notBefore
	}
	switch {
	case at.Before(begins):
		return cert.NotYetValid, "not valid before " + begins.Format(time.RFC3339)
	case !d.expires.IsZero() && at.After(d.expires):
		return cert.Expired, "expired at " + d.expires.Format(time.RFC3339)
	}
	return cert.Valid, ""
}
