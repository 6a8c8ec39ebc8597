package sdjwtvc

import (
	"fmt"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/internal/jsonpull"
	"madoguchi.example/shared/trust"
)

func verify(input []byte, snap trust.Snapshot, at time.Time, want *Expect) cert.Verdict {
	v := cert.Verdict{Format: Format, Outcome: cert.Malformed, Findings: []cert.Finding{}}
	p, err := open(input)
	if err != nil {
		v.Reason = fmt.Sprintf("cannot read the credential: %v", err)
		return v
	}
	v.Outcome, v.Reason = p.judge(snap, at, want)
	if p.claims.cert.Format != "" {
		v.Certificate = &p.claims.cert
	}
	if p.claims.findings != nil {
		v.Findings = p.claims.findings
	}
	return v
}

// judge gives the outcome of a well-formed presentation. Its order is that of the
// architecture note, section 7.
func (p *presentation) judge(snap trust.Snapshot, at time.Time, want *Expect) (cert.Outcome, string) {
	holder, outcome, reason := p.supported()
	if outcome != cert.Valid {
		return outcome, reason
	}
	pinned, _ := snap.Section(Section.Name).(*anchors)
	issuer, known := pinned.find(p.claims.iss)
	if !known {
		return cert.UntrustedIssuer, "the issuer is not on the trust list"
	}
	candidates := p.head.candidates(issuer.Issuer)
	if len(candidates) == 0 {
		return cert.UnknownKey, "the issuer has no such key on the trust list"
	}
	key, signed := p.signer(candidates)
	if !signed {
		return cert.BadSignature, "the signature does not fit the content and the issuer's key"
	}
	if reason := p.bound(holder, want); reason != "" {
		return cert.BadSignature, reason
	}
	p.remark(key, snap, at)
	revocation := issuer.revocation(p.claims.status, snap.AsOf(), at)
	if revocation == trust.IsRevoked {
		return cert.Revoked, "the issuer has revoked this credential"
	}
	if outcome, reason := p.timely(at, want); outcome != cert.Valid {
		return outcome, reason
	}
	if snap.Stale(at) {
		return cert.StaleTrust, "the trust list is older than it may be"
	}
	if revocation != trust.NotRevoked {
		p.claims.find(cert.NoRevocationList)
	}
	if revocation == trust.RevocationUnknown {
		return cert.StaleRevocation, "the trust list lacks the issuer's status list in force"
	}
	return cert.Valid, ""
}

// supported tells whether all that must be verified can be, and gives the holder's key
// where it is needed.
func (p *presentation) supported() (*trust.Key, cert.Outcome, string) {
	switch {
	case p.unsupported != "":
		return nil, cert.Unsupported, p.unsupported
	case p.binding == nil:
		return nil, cert.Valid, ""
	case p.binding.unsupported != "":
		return nil, cert.Unsupported, "the holder's proof is of a kind that is not read here"
	case p.claims.holder == nil:
		return nil, cert.Valid, ""
	}
	jwk := p.claims.holder.get("jwk")
	if !jwk.is(jsonpull.Object) {
		return nil, cert.Unsupported, "the holder's key is named in a way that is not read here"
	}
	keys, err := trust.ParseLooseJWKS([]byte(`{"keys":[`+string(jwk.json())+`]}`), "")
	if err != nil || len(keys) != 1 {
		return nil, cert.Unsupported, "the holder's key is of a kind that is not read here"
	}
	return &keys[0], cert.Valid, ""
}

// bound checks the holder's proof and tells what is wrong with it; empty is good, or none
// was asked for and none given.
func (p *presentation) bound(holder *trust.Key, want *Expect) string {
	b := p.binding
	switch {
	case b == nil && want != nil:
		return "the holder's proof is missing"
	case b == nil:
		if p.claims.holder != nil {
			p.claims.find(HolderUnproven)
		}
		return ""
	case holder == nil:
		return "a holder's proof with a credential that names no holder"
	case !b.token.VerifyES256(holder.Public):
		return "the holder's proof does not fit the holder's key"
	case b.hash != digestOf(p.signed):
		return "the holder's proof is for another presentation"
	case want != nil && (b.nonce != want.Nonce || b.audience != want.Audience):
		return "the holder's proof answers another request"
	case want == nil:
		p.claims.find(BindingUnasked)
	}
	p.claims.cert.HolderBound = true
	return ""
}

func (p *presentation) remark(key trust.Key, snap trust.Snapshot, at time.Time) {
	leaf := p.head.leaf
	if (key.Certificate && (at.Before(key.NotBefore) || at.After(key.NotAfter))) ||
		(leaf != nil && (at.Before(leaf.NotBefore) || at.After(leaf.NotAfter))) {
		p.claims.find(CertificateOutdated)
	}
	if at.Before(snap.AsOf()) {
		p.claims.find(cert.ClockBeforeSnapshot)
	}
}

// timely tells what the clock says of the credential and of the holder's proof.
func (p *presentation) timely(at time.Time, want *Expect) (cert.Outcome, string) {
	if outcome, reason := p.claims.times.outcome(at); outcome != cert.Valid {
		return outcome, reason
	}
	if p.binding == nil {
		return cert.Valid, ""
	}
	times := p.binding.times
	times.notBefore(p.binding.issued.Add(-bindingSkew))
	if want != nil {
		age := want.MaxAge
		if age <= 0 {
			age = defaultBindingAge
		}
		times.notAfter(p.binding.issued.Add(age))
	}
	if outcome, _ := times.outcome(at); outcome != cert.Valid {
		return outcome, "the holder's proof is not of this time"
	}
	return cert.Valid, ""
}
