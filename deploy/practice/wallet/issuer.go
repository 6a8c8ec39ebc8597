package wallet

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
)

// The format and key type that the wallet speaks.
const (
	formatSDJWT = "dc+sd-jwt"
	algorithm   = "ES256"
)

const grantPreAuthorized = "urn:ietf:params:oauth:grant-type:pre-authorized_code"

// Offer is a credential offer (section 4.1).
type Offer struct {
	Issuer         string   `json:"credential_issuer"`
	Configurations []string `json:"credential_configuration_ids"`
	Grants         struct {
		PreAuthorized *struct {
			Code   string `json:"pre-authorized_code"`
			TxCode *struct {
				InputMode   string `json:"input_mode"`
				Length      int    `json:"length"`
				Description string `json:"description"`
			} `json:"tx_code"`
		} `json:"urn:ietf:params:oauth:grant-type:pre-authorized_code"`
	} `json:"grants"`
}

const offerScheme = "openid-credential-offer"

// ParseOffer reads an offer by value from its URI.
func ParseOffer(uri string) (Offer, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != offerScheme {
		return Offer{}, errors.New("the code is no credential offer")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(q["credential_offer"]) != 1 || len(q) != 1 {
		return Offer{}, errors.New("the offer's URI does not hold exactly one offer")
	}
	var o Offer
	if err := read([]byte(q.Get("credential_offer")), &o); err != nil {
		return Offer{}, err
	}
	g := o.Grants.PreAuthorized
	switch {
	case secure(o.Issuer) != nil || strings.HasSuffix(o.Issuer, "/"):
		return Offer{}, errors.New("the offer's issuer is no plain https address")
	case len(o.Configurations) != 1:
		return Offer{}, errors.New("the offer does not name one credential")
	case g == nil || g.Code == "":
		return Offer{}, errors.New("the offer holds no pre-authorized code")
	case g.TxCode == nil || g.TxCode.InputMode != "numeric" || g.TxCode.Length < 4 || len(g.TxCode.Description) > 300*4:
		return Offer{}, errors.New("the offer asks for no code that its owner types: whoever sees the picture could take it")
	}
	return o, nil
}

// Issuer is what an issuer and its authorization server say of themselves.
type Issuer struct {
	ID            string                   `json:"credential_issuer"`
	Credential    string                   `json:"credential_endpoint"`
	Nonce         string                   `json:"nonce_endpoint"`
	Servers       []string                 `json:"authorization_servers"`
	Configuration map[string]Configuration `json:"credential_configurations_supported"`

	server server
}

// Configuration is one kind of credential.
type Configuration struct {
	Format     string   `json:"format"`
	VCT        string   `json:"vct"`
	Scope      string   `json:"scope"`
	Binding    []string `json:"cryptographic_binding_methods_supported"`
	Algorithms []string `json:"credential_signing_alg_values_supported"`
	Proofs     map[string]struct {
		Algorithms []string `json:"proof_signing_alg_values_supported"`
	} `json:"proof_types_supported"`
}

// server is the metadata of RFC 8414.
type server struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Pushed        string   `json:"pushed_authorization_request_endpoint"`
	Responses     []string `json:"response_types_supported"`
	Grants        []string `json:"grant_types_supported"`
	Challenges    []string `json:"code_challenge_methods_supported"`
	Named         bool     `json:"authorization_response_iss_parameter_supported"`
}

// wellKnown puts a well-known name between host and path (RFC 8615).
func wellKnown(issuer, name string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	u.Path = "/.well-known/" + name + strings.TrimSuffix(u.Path, "/")
	return u.String()
}

// Discover reads the metadata of an issuer and of its authorization server.
func (w *Wallet) Discover(ctx context.Context, id string) (Issuer, error) {
	var i Issuer
	if err := w.document(ctx, wellKnown(id, "openid-credential-issuer"), &i); err != nil {
		return i, err
	}
	if i.ID != id {
		return i, errors.New("the issuer's metadata names another issuer")
	}
	at := id
	if len(i.Servers) > 0 {
		at = i.Servers[0]
	}
	if err := w.document(ctx, wellKnown(at, "oauth-authorization-server"), &i.server); err != nil {
		return i, err
	}
	if i.server.Issuer != at {
		return i, errors.New("the authorization server's metadata names another server")
	}
	return i, i.fault()
}

// fault tells what a careful wallet does not take.
func (i Issuer) fault() error {
	for _, address := range []string{i.Credential, i.server.Token, i.server.Authorization} {
		if secure(address) != nil {
			return errors.New("an endpoint is missing or no plain https address")
		}
	}
	for name, c := range i.Configuration {
		switch {
		case c.Format != formatSDJWT:
			continue
		case c.VCT == "" || !slices.Contains(c.Algorithms, algorithm):
			return errors.New(name + " has no type, or none of its algorithms is known")
		case len(c.Binding) > 0 && len(c.Proofs) == 0:
			return errors.New(name + " is bound to a key without a proof of it")
		case len(c.Proofs) > 0 && secure(i.Nonce) != nil:
			return errors.New(name + " asks for proofs, and there is no nonce endpoint")
		case len(c.Proofs) > 0 && !slices.Contains(c.Proofs["jwt"].Algorithms, algorithm):
			return errors.New(name + " takes no proof that the wallet can make")
		}
	}
	switch {
	case slices.Contains(i.server.Responses, "code") && !slices.Contains(i.server.Challenges, "S256"):
		return errors.New("the authorization server does without PKCE")
	case slices.Contains(i.server.Responses, "code") && !i.server.Named:
		return errors.New("the authorization server does not say who it is in its redirect")
	}
	return nil
}

// configuration gives one that the wallet can keep.
func (i Issuer) configuration(name string) (Configuration, error) {
	c, there := i.Configuration[name]
	if !there || c.Format != formatSDJWT || !slices.Contains(c.Binding, "jwk") {
		return c, errors.New("the issuer has no such credential for this wallet")
	}
	return c, nil
}
