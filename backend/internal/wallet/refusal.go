package wallet

import "net/http"

// Refusal is an error of OAuth 2.0 or OpenID4VCI that a wallet is told by its name. It
// holds nothing of what the wallet sent.
type Refusal struct {
	Status int
	Code   string // the value of "error"; "" where no credential was brought (RFC 6750 section 3.1)
	// Scheme is what WWW-Authenticate says with status 401: Bearer or DPoP.
	Scheme string
}

// Error names the error.
func (r *Refusal) Error() string { return "the wallet was refused: " + r.Code }

func refuse(code string) *Refusal { return &Refusal{Status: http.StatusBadRequest, Code: code} }

// The refusals of the token endpoint (RFC 6749 section 5.2, RFC 9396 section 5, RFC 9449
// section 5) and of the pushed requests.
var (
	errInvalidRequest = refuse("invalid_request")
	errInvalidGrant   = refuse("invalid_grant")
	errInvalidClient  = refuse("invalid_client")
	errGrantType      = refuse("unsupported_grant_type")
	errDetails        = refuse("invalid_authorization_details")
	errInvalidDPoP    = refuse("invalid_dpop_proof")
)

// The refusals of the credential endpoint (OpenID4VCI 1.0 section 8.3.1.2).
var (
	errCredentialRequest = refuse("invalid_credential_request")
	errConfiguration     = refuse("unknown_credential_configuration")
	errIdentifier        = refuse("unknown_credential_identifier")
	errProof             = refuse("invalid_proof")
	errNonce             = refuse("invalid_nonce")
	errEncryption        = refuse("invalid_encryption_parameters")
	errDenied            = refuse("credential_request_denied")
)

// unauthorized is the answer to an access token that is missing or cannot be used.
func unauthorized(code, scheme string) *Refusal {
	return &Refusal{Status: http.StatusUnauthorized, Code: code, Scheme: scheme}
}
