package wallet

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"madoguchi.example/shared/cert/sdjwtvc"
)

// Configuration is the one credential that wallets are given, and Scope asks for it.
const (
	Configuration = "VaccinationCertificate"
	Scope         = "madoguchi.vaccination_certificate"
)

// pages are the documents that do not change while the program runs.
type pages struct {
	vct                  string
	issuer, server, kind []byte
}

// Document is a JSON document with the path at which it is served.
type Document struct {
	Path string
	Body []byte
}

// Documents gives the credential issuer's metadata (section 12.2.4), the authorization
// server's (RFC 8414) and the description of the credential's type. The well-known paths
// carry the issuer's own path, if it has one.
func (d *Desk) Documents() []Document {
	path := ""
	if u, err := url.Parse(d.Issuer); err == nil {
		path = u.Path
	}
	return []Document{
		{"/.well-known/openid-credential-issuer" + path, d.pages.issuer},
		{"/.well-known/oauth-authorization-server" + path, d.pages.server},
		{sdjwtvc.TypePath, d.pages.kind},
	}
}

type named struct {
	Name   string `json:"name"`
	Locale string `json:"locale"`
}

// both gives a name in the two languages that wallets are given.
func both(ja, en string) []named { return []named{{ja, "ja"}, {en, "en"}} }

type object = map[string]any

func (d *Desk) metadata() (pages, error) {
	p := pages{vct: d.Issuer + sdjwtvc.TypePath}
	var err error
	if p.issuer, err = json.Marshal(d.issuerMetadata(p.vct)); err != nil {
		return p, fmt.Errorf("cannot write the issuer's metadata: %w", err)
	}
	if p.server, err = json.Marshal(d.serverMetadata()); err != nil {
		return p, fmt.Errorf("cannot write the authorization server's metadata: %w", err)
	}
	p.kind, err = sdjwtvc.TypeMetadata(p.vct)
	return p, err
}

func (d *Desk) issuerMetadata(vct string) object {
	return object{
		"credential_issuer":         d.Issuer,
		"credential_endpoint":       d.Issuer + CredentialPath,
		"nonce_endpoint":            d.Issuer + NoncePath,
		"display":                   both("窓口", "Madoguchi"),
		"batch_credential_issuance": object{"batch_size": MaxBatch},
		"credential_configurations_supported": object{Configuration: object{
			"format": strings.TrimPrefix(sdjwtvc.MediaType, "application/"),
			"vct":    vct,
			"scope":  Scope,
			"cryptographic_binding_methods_supported": []string{"jwk"},
			"credential_signing_alg_values_supported": []string{"ES256"},
			"proof_types_supported":                   object{"jwt": object{"proof_signing_alg_values_supported": []string{"ES256"}}},
			"credential_metadata": object{
				"display": both("予防接種証明書", "Vaccination certificate"),
				"claims":  claimDisplays(),
			},
		}},
	}
}

func (d *Desk) serverMetadata() object {
	return object{
		"issuer":                                          d.Issuer,
		"authorization_endpoint":                          d.Issuer + AuthorizePath,
		"token_endpoint":                                  d.Issuer + TokenPath,
		"pushed_authorization_request_endpoint":           d.Issuer + PushPath,
		"response_types_supported":                        []string{"code"},
		"response_modes_supported":                        []string{"query"},
		"grant_types_supported":                           []string{grantCode, grantPreAuthorized},
		"token_endpoint_auth_methods_supported":           []string{"none"},
		"code_challenge_methods_supported":                []string{methodS256},
		"scopes_supported":                                []string{Scope},
		"authorization_details_types_supported":           []string{detailType},
		"dpop_signing_alg_values_supported":               []string{"ES256"},
		"authorization_response_iss_parameter_supported":  true,
		"pre-authorized_grant_anonymous_access_supported": true,
		"require_pushed_authorization_requests":           false,
	}
}

// claimDisplay says how a wallet calls a claim (appendix B.2).
type claimDisplay struct {
	Path      []any   `json:"path"`
	Mandatory bool    `json:"mandatory,omitempty"`
	Display   []named `json:"display"`
}

func claimDisplays() []claimDisplay {
	var out []claimDisplay
	for _, c := range sdjwtvc.Claims() {
		out = append(out, claimDisplay{c.Path, c.Mandatory, both(c.Ja, c.En)})
	}
	return out
}
