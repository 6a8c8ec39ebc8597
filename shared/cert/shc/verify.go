package shc

import (
	"errors"
	"fmt"
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/internal/jws"
	"madoguchi.example/shared/internal/jsonpull"
	"madoguchi.example/shared/trust"
)

// VerifyQR verifies QR text: one code, or the parts of a split code one a line in any
// order.
func VerifyQR(input []byte, snap trust.Snapshot, at time.Time) cert.Verdict {
	if len(input) > MaxInput {
		return malformed(fmt.Errorf("larger than %d bytes", MaxInput))
	}
	compact, parts, err := decodeQR(input)
	if err != nil {
		return malformed(err)
	}
	v := VerifyJWS(compact, snap, at)
	if parts > 1 {
		v.Findings = append(v.Findings, DeprecatedChunks)
	}
	return v
}

// VerifyFile verifies a .smart-health-card file. Of several cards the verdict is the
// worst card's, and its certificate is that card's: a file is as good as its worst card.
func VerifyFile(input []byte, snap trust.Snapshot, at time.Time) cert.Verdict {
	cards, err := ReadFile(input)
	if err != nil {
		return malformed(err)
	}
	worst := VerifyJWS([]byte(cards[0]), snap, at)
	differ := false
	first := worst.Certificate
	for _, card := range cards[1:] {
		v := VerifyJWS([]byte(card), snap, at)
		differ = differ || !sameHolder(first, v.Certificate)
		if v.Outcome.Before(worst.Outcome) {
			worst = v
		}
	}
	if len(cards) > 1 {
		worst.Findings = append(worst.Findings, cert.SeveralCertificates)
	}
	if differ {
		worst.Findings = append(worst.Findings, cert.HoldersDiffer)
	}
	return worst
}

func sameHolder(a, b *cert.Certificate) bool {
	return a == nil || b == nil || (a.HolderRaw == b.HolderRaw && a.BirthDate == b.BirthDate)
}

// VerifyJWS verifies one compact JWS. Its steps and the precedence of its outcomes are
// those of the architecture note: form and content first, then issuer and key, signature,
// revocation, time, and last the snapshot's own age.
func VerifyJWS(compact []byte, snap trust.Snapshot, at time.Time) cert.Verdict {
	card, err := openCard(compact)
	if err != nil {
		return malformed(err)
	}
	v := cert.Verdict{Format: Format, Certificate: card.payload.certificate()}
	remark := func(f cert.Finding) { card.payload.find(f) }
	v.Outcome, v.Reason = card.judge(snap, at, remark)
	v.Findings = nonNil(card.payload.findings)
	return v
}

func malformed(err error) cert.Verdict {
	return cert.Verdict{Format: Format, Outcome: cert.Malformed, Findings: []cert.Finding{}, Reason: err.Error()}
}

// card is a well-formed card that nobody has vouched for yet.
type card struct {
	token   jws.Token
	kid     string
	payload payload
}

// openCard reads a card's form and content.
func openCard(compact []byte) (card, error) {
	if len(compact) > MaxJWS {
		return card{}, fmt.Errorf("cannot read the card: longer than %d characters", MaxJWS)
	}
	var c card
	var err error
	if c.token, err = jws.Parse(compact); err != nil {
		return card{}, fmt.Errorf("cannot read the card: %w", err)
	}
	var more bool
	if c.kid, more, err = readHeader(c.token.Header); err != nil {
		return card{}, fmt.Errorf("cannot read the card: header: %w", err)
	}
	text, err := inflate(c.token.Payload, MaxPayload)
	if err != nil {
		return card{}, fmt.Errorf("cannot read the card: payload: %w", err)
	}
	if c.payload, err = parsePayload(text); err != nil {
		return card{}, fmt.Errorf("cannot read the card: payload: %w", err)
	}
	if more {
		c.payload.find(HeaderMember)
	}
	return c, nil
}

// readHeader wants alg ES256, zip DEF and a kid. Other members are ignored (RFC 7515
// section 4) and told by more, but crit: it names what may not be ignored.
func readHeader(text []byte) (kid string, more bool, err error) {
	if len(text) > maxHeader {
		return "", false, fmt.Errorf("larger than %d bytes", maxHeader)
	}
	var alg, zip string
	r := readers.Get().(*jsonpull.Reader)
	defer giveBack(r)
	r.Reset(string(text))
	for m := r.Object(); m.Next(); {
		switch m.Name {
		case "alg":
			alg = r.Text()
		case "zip":
			zip = r.Text()
		case "kid":
			kid = r.Text()
		case "crit":
			r.Fault("a member that a reader must understand")
		default:
			more = true
		}
	}
	switch {
	case r.End() != nil:
		return "", false, r.End()
	case alg != "ES256":
		return "", false, errors.New("alg is not ES256")
	case zip != "DEF":
		return "", false, errors.New("zip is not DEF")
	case kid == "":
		return "", false, errors.New("no kid")
	}
	return kid, more, nil
}

// judge gives the outcome of a well-formed card.
func (c *card) judge(snap trust.Snapshot, at time.Time, remark func(cert.Finding)) (cert.Outcome, string) {
	pinnedIssuers, _ := snap.Section(Section.Name).(*trust.Issuers)
	issuer, pinned := pinnedIssuers.Find(c.payload.iss)
	if !pinned {
		return cert.UntrustedIssuer, "the issuer is not on the trust list"
	}
	key, known := issuer.Key(c.kid)
	if !known {
		return cert.UnknownKey, "the issuer has no such key on the trust list"
	}
	if !c.token.VerifyES256(key.Public) {
		return cert.BadSignature, "the signature does not fit the content and the issuer's key"
	}
	if key.Certificate && (at.Before(key.NotBefore) || at.After(key.NotAfter)) {
		remark(CertificateOutdated)
	}
	if at.Before(snap.AsOf()) {
		remark(cert.ClockBeforeSnapshot)
	}
	revocation := issuer.Revocation(key, c.payload.rid, c.payload.nbf)
	if revocation == trust.IsRevoked {
		return cert.Revoked, "the issuer has revoked this card"
	}
	if outcome, reason := c.payload.timeOutcome(at); outcome != cert.Valid {
		return outcome, reason
	}
	if snap.Stale(at) {
		return cert.StaleTrust, "the trust list is older than it may be"
	}
	if revocation == trust.RevocationUnasked {
		remark(cert.NoRevocationList)
	}
	if revocation == trust.RevocationUnknown {
		remark(cert.NoRevocationList)
		return cert.StaleRevocation, "the trust list lacks the issuer's revocation list in force"
	}
	return cert.Valid, ""
}
