package wallet

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/sdjwtvc"
	"madoguchi.example/shared/fault"
)

// The token types.
const (
	schemeBearer = "Bearer"
	schemeDPoP   = "DPoP"
)

// Request is what a wallet sent to the credential endpoint.
type Request struct {
	Authorization string
	Proofs        []string // the DPoP headers
	Body          []byte   // at most MaxRequest bytes
}

// Issued is the answer of the credential endpoint (section 8.3).
type Issued struct {
	Credentials []Credential `json:"credentials"`
}

// Credential is one SD-JWT VC.
type Credential struct {
	Credential string `json:"credential"`
}

// Credentials writes one copy of the token's certificate for each key that is proved.
func (d *Desk) Credentials(ctx context.Context, r Request) (Issued, error) {
	k, possession, err := d.bearer(ctx, r)
	if err != nil {
		return Issued{}, err
	}
	proofs, err := d.requested(r.Body, k)
	if err != nil {
		return Issued{}, err
	}
	key, signer, err := d.Signers.Signer(ctx, keyring.SDJWT, d.Now())
	if err != nil {
		return Issued{}, err
	}
	copies, err := d.claim(ctx, k, possession, proofs, key.ID)
	if err != nil {
		return Issued{}, err
	}
	var out Issued
	for _, c := range copies {
		signed, err := sdjwtvc.Issue(signer, key.ID, d.Issuer, c.at, c.claims, c.options)
		if err != nil {
			return Issued{}, err
		}
		out.Credentials = append(out.Credentials, Credential{signed})
	}
	return out, nil
}

// bearer finds the access token of a request, with the proof that goes with one that is
// bound to a key.
func (d *Desk) bearer(ctx context.Context, r Request) (Token, *signedHere, error) {
	scheme, token, _ := strings.Cut(r.Authorization, " ")
	bound := strings.EqualFold(scheme, schemeDPoP)
	if token == "" || len(token) > MaxValue || !bound && !strings.EqualFold(scheme, schemeBearer) {
		return Token{}, nil, unauthorized("", schemeBearer)
	}
	k, found, err := d.Rows.TokenByHash(ctx, hashOf(token), d.Now())
	if err != nil {
		return Token{}, nil, err
	}
	if !found || bound != (k.Key != "") {
		return Token{}, nil, unauthorized("invalid_token", schemeBearer)
	}
	if !bound {
		return k, nil, nil
	}
	if len(r.Proofs) != 1 {
		return Token{}, nil, unauthorized(errInvalidDPoP.Code, schemeDPoP)
	}
	p, err := d.possession(r.Proofs[0], CredentialPath, token)
	if err != nil || p.thumbprint != k.Key {
		return Token{}, nil, unauthorized(errInvalidDPoP.Code, schemeDPoP)
	}
	return k, &p, nil
}

// proved is a key that a wallet proved to hold, and the nonce of the proof.
type proved struct {
	signedHere
	nonce string
	until time.Time // of the nonce
}

// requested reads a credential request (section 8.2) and checks its proofs.
func (d *Desk) requested(body []byte, k Token) ([]proved, error) {
	m, err := members(body)
	if err != nil {
		return nil, errCredentialRequest
	}
	if _, ok := m["credential_response_encryption"]; ok {
		return nil, errEncryption
	}
	if err := d.identified(m, k); err != nil {
		return nil, err
	}
	proofs, err := members(m["proofs"])
	if err != nil || len(proofs) != 1 {
		return nil, errProof
	}
	jwts, ok := list(proofs["jwt"])
	if !ok || len(jwts) == 0 {
		return nil, errProof
	}
	if len(jwts) > MaxBatch {
		return nil, errCredentialRequest
	}
	return d.proved(jwts, k)
}

// identified checks that the request names what the token was given for, in the way that
// the token's answer asked for.
func (d *Desk) identified(m map[string]json.RawMessage, k Token) error {
	identifier, byIdentifier := m["credential_identifier"]
	configuration, byConfiguration := m["credential_configuration_id"]
	if byIdentifier == byConfiguration {
		return errCredentialRequest
	}
	if byIdentifier {
		id, ok := text(identifier, MaxValue)
		switch {
		case !ok || !k.Detailed:
			return errCredentialRequest
		case id != d.dataset(k.Certificate):
			return errIdentifier
		}
		return nil
	}
	id, ok := text(configuration, MaxValue)
	switch {
	case !ok:
		return errCredentialRequest
	case id != Configuration:
		return errConfiguration
	case k.Detailed:
		return errCredentialRequest
	}
	return nil
}

// proved checks the key proofs: each good, each of another key, with nonces of ours.
func (d *Desk) proved(jwts []json.RawMessage, k Token) ([]proved, error) {
	seen := map[string]bool{}
	var out []proved
	for _, raw := range jwts {
		s, ok := text(raw, MaxProof)
		if !ok {
			return nil, errProof
		}
		p, nonce, err := d.keyProof(s, k)
		if err != nil || seen[p.thumbprint] {
			return nil, errProof
		}
		seen[p.thumbprint] = true
		out = append(out, proved{signedHere: p, nonce: nonce})
	}
	for i := range out {
		var ok bool
		if out[i].until, ok = d.lives(out[i].nonce); !ok {
			return nil, errNonce
		}
	}
	return out, nil
}

// claim spends the nonces and records the copies, all or nothing.
func (d *Desk) claim(ctx context.Context, k Token, possession *signedHere, proofs []proved, keyID string) ([]stated, error) {
	var out []stated
	err := d.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		if possession != nil {
			if err := d.spendPossession(ctx, t, *possession); err != nil {
				return unauthorizedAgain(err)
			}
		}
		if err := d.spendNonces(ctx, t, proofs); err != nil {
			return err
		}
		enough, err := d.Rows.CountCopies(ctx, t, k.Hash, len(proofs), MaxCopies, d.Now())
		if err != nil {
			return err
		}
		if !enough {
			return errDenied
		}
		out, err = d.copies(ctx, t, k, proofs, keyID)
		return err
	})
	return out, err
}

// unauthorizedAgain tells a DPoP proof that comes twice in the way of a protected resource.
func unauthorizedAgain(err error) error {
	if err == error(errInvalidDPoP) {
		return unauthorized(errInvalidDPoP.Code, schemeDPoP)
	}
	return err
}

func (d *Desk) spendNonces(ctx context.Context, t tx.Tx, proofs []proved) error {
	spent := map[string]bool{}
	for _, p := range proofs {
		if spent[p.nonce] {
			continue // the proofs of one request may share a nonce
		}
		spent[p.nonce] = true
		fresh, err := d.Rows.SpendOnce(ctx, t, hashOf(p.nonce), p.until)
		if err != nil {
			return err
		}
		if !fresh {
			return errNonce
		}
	}
	return nil
}

// stated is one copy before it is signed.
type stated struct {
	claims  cert.Certificate
	at      time.Time
	options sdjwtvc.Options
}

func (d *Desk) copies(ctx context.Context, t tx.Tx, k Token, proofs []proved, keyID string) ([]stated, error) {
	who, at := actor.Citizen{ID: k.Citizen, Municipality: k.Municipality}, d.Now().UTC()
	var out []stated
	for _, p := range proofs {
		claims, index, err := d.Certificates.ForWallet(ctx, t, who, audit.CertificateIssuance, k.Certificate)
		if err == nil {
			err = d.Certificates.AddWalletCopy(ctx, t, k.Person, k.Certificate, keyID, index)
		}
		if err != nil {
			return nil, notGood(err)
		}
		uri, place := d.Place(index)
		out = append(out, stated{claims, at, sdjwtvc.Options{
			VCT: d.pages.vct, Holder: p.key, StatusURI: uri, StatusIndex: place, Salt: d.Rand,
		}})
	}
	return out, d.Record.Append(ctx, t, who, audit.Event{
		Purpose: audit.CertificateIssuance, Action: "wallet.credential", CitizenID: k.Person, Municipality: k.Municipality,
		Object: k.Certificate, Items: []string{"certificate"},
	})
}

// notGood denies a certificate that is not good any more since the citizen gave it away.
func notGood(err error) error {
	switch fault.CodeOf(err) {
	case fault.Conflict, fault.NotFound, fault.NoRecord, fault.Forbidden, fault.IdentityUnlinked:
		return errDenied
	}
	return err
}
