// Package sdjwtvc promises vaccination certificates for wallets: SD-JWT VC whose holder
// shows as little as asked and proves to be the one it was issued to. It issues them,
// presents them and verifies them, and any other SD-JWT as far as its form, signature,
// key binding and status go.
//
// Reading is strict where another reader could see something else: base64url and JSON in
// one form, every disclosure referenced exactly once, no digest twice, no claim
// overwritten, no control claim hidden. A remark is made where real issuers differ without
// harm. Every size is bounded before the step that it would burden. There is no clock, no
// network and no state.
//
// Sources: RFC 9901 (SD-JWT; section 7 is the order of the checks), draft-ietf-oauth-
// sd-jwt-vc (credential, issuer metadata, type metadata), draft-ietf-oauth-status-list.
package sdjwtvc

import (
	"time"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/trust"
)

// Format names this format.
const Format cert.Format = "sdjwtvc"

// Section is this format's part of a trust layout: the folder sdjwt of issuers' key sets
// with their status lists. See TrustFile.
var Section = trust.Section{Name: "sdjwt", Load: func(f *trust.Folder) (any, error) { return loadAnchors(f) }}

// TypePath ends the vct of our own credential type; before it stands the issuer's name.
const TypePath = "/vct/vaccination-certificate"

// Media types: of the credential in a wallet and of a published status list.
const (
	MediaType       = "application/dc+sd-jwt"
	StatusMediaType = "application/statuslist+jwt"
)

// Limits. Each is checked before the text is decoded.
const (
	MaxInput          = 256 << 10    // characters of a presentation
	MaxDisclosures    = 512          // disclosures of one presentation
	maxHeader         = 16 << 10     // characters of a header, which may hold certificates
	maxBinding        = 8 << 10      // characters of a key binding
	maxNodes          = 16384        // values of one credential, disclosed ones included
	maxNesting        = 32           // objects and arrays within each other, disclosed ones included
	maxDoses          = 64           // vaccinations of one certificate
	maxChain          = 8            // certificates of x5c
	lastSecond        = 253402300799 // 9999-12-31T23:59:59Z: beyond it a time cannot be written
	saltSize          = 16           // bytes: RFC 9901 section 9.3 recommends 128 bits
	typeCredential    = "dc+sd-jwt"
	typeEarlier       = "vc+sd-jwt" // until draft 06 of SD-JWT VC, and the W3C's
	typeBinding       = "kb+jwt"
	typeStatusList    = "statuslist+jwt"
	hashSHA256        = "sha-256"
	defaultBindingAge = 5 * time.Minute
	bindingSkew       = time.Minute // how far ahead the holder's clock may be
)

// Findings that this format gives.
const (
	OtherType           cert.Finding = "other_type"            // typ is not dc+sd-jwt: an earlier name, a profile's, or none
	NoType              cert.Finding = "no_credential_type"    // no vct, though an SD-JWT VC must have one
	HolderUnproven      cert.Finding = "holder_unproven"       // it names a holder's key, and nobody proved to hold it
	BindingUnasked      cert.Finding = "key_binding_unasked"   // the holder's proof is good, but was not asked for here and now
	DosesWithheld       cert.Finding = "doses_withheld"        // the holder shows not every entry of the list
	OtherStatus         cert.Finding = "other_status"          // a status of a kind that is not read
	CertificateOutdated cert.Finding = "key_certificate_dated" // the key's x5c is not of this time; keys are pinned, so a remark
)

// Expect is what a verifier asked the holder to sign. Nonce and Audience must not be empty.
type Expect struct {
	Nonce    string
	Audience string
	MaxAge   time.Duration // of the holder's proof; zero: five minutes
}

// Verify verifies a credential or a presentation that somebody hands over. A key binding
// must hold in signature and content, and then the holder is bound, with the finding that
// nobody asked for it here and now: it may be a copy of what another verifier was shown.
func Verify(input []byte, snap trust.Snapshot, at time.Time) cert.Verdict {
	return verify(input, snap, at, nil)
}

// VerifyPresentation verifies the answer to one's own request: the key binding must be
// there and name the nonce and the audience that were sent.
func VerifyPresentation(input []byte, snap trust.Snapshot, at time.Time, want Expect) cert.Verdict {
	return verify(input, snap, at, &want)
}
