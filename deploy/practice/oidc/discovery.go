package oidc

import (
	"encoding/json"
	"net/http"
)

// The endpoints, shaped as the real provider's.
const (
	endpointAuthorize = "/protocol/openid-connect/auth"
	endpointToken     = "/protocol/openid-connect/token"
	endpointUserinfo  = "/protocol/openid-connect/userinfo"
	endpointKeys      = "/protocol/openid-connect/certs"
)

var scopesSupported = []string{"openid", "name", "address", "birthdate", "gender"}

// discovery answers OpenID Connect Discovery 1.0 section 4.
func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	iss := p.cfg.Issuer
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                           iss,
		"authorization_endpoint":                           iss + endpointAuthorize,
		"token_endpoint":                                   iss + endpointToken,
		"userinfo_endpoint":                                iss + endpointUserinfo,
		"jwks_uri":                                         iss + endpointKeys,
		"scopes_supported":                                 scopesSupported,
		"claims_supported":                                 []string{"sub", "name", "address", "birthdate", "gender"},
		"response_types_supported":                         []string{"code"},
		"response_modes_supported":                         []string{"query"},
		"grant_types_supported":                            []string{"authorization_code"},
		"subject_types_supported":                          []string{"pairwise"},
		"id_token_signing_alg_values_supported":            []string{"ES256"},
		"token_endpoint_auth_methods_supported":            []string{"private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"ES256"},
		"code_challenge_methods_supported":                 []string{"S256"},
		"acr_values_supported":                             []string{"aal3", "crl"},
		"request_parameter_supported":                      false,
		"request_uri_parameter_supported":                  false,
		"claims_parameter_supported":                       false,
	})
}

func (p *Provider) jwks(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=300")
	writeJSON(w, http.StatusOK, p.keys)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The status is out: a failed write means that the caller has gone.
	_ = json.NewEncoder(w).Encode(v)
}
