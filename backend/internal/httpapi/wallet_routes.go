package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/consent"
	"madoguchi.example/backend/internal/wallet"
	"madoguchi.example/mobile-api/apiv1"
)

// WalletDeps is what the routes of wallets and of the consent pages need; all are required.
type WalletDeps struct {
	Desk  *wallet.Desk
	Pages *consent.Pages
	Now   func() time.Time
}

// The limits of the routes for wallets, each of everybody together: a wallet proves nothing
// before it has a token, and who floods one route leaves the others free. Who comes from one
// address is for the proxy in front to limit. Offers are counted for each citizen.
const (
	walletBurst  = 120
	walletRefill = 20 * time.Millisecond
	offerBurst   = 20
	offerRefill  = time.Minute
	// maxWalletForm is the largest form of a wallet.
	maxWalletForm = 16 << 10
)

// WalletRoutes binds the offer, the endpoints of OpenID4VCI and the consent pages.
func WalletRoutes(d WalletDeps) ([]Route, error) {
	f := walletFace{d, newLimiter(walletBurst, walletRefill, maxCallers, d.Now)}
	offers := newLimiter(offerBurst, offerRefill, maxCallers, d.Now)
	routes := []Route{
		Bind(apiv1.OfferToWallet, CitizenOnly, limitedCitizen(offers, f.offer)),
		Raw(http.MethodPost, wallet.TokenPath, Public, f.limited(wallet.TokenPath, f.token)).Limit(maxWalletForm),
		Raw(http.MethodPost, wallet.PushPath, Public, f.limited(wallet.PushPath, f.push)).Limit(maxWalletForm),
		Raw(http.MethodPost, wallet.NoncePath, Public, f.limited(wallet.NoncePath, f.nonce)).Limit(maxWalletForm),
		Raw(http.MethodPost, wallet.CredentialPath, Public, f.limited(wallet.CredentialPath, f.credential)).Limit(wallet.MaxRequest),
	}
	for _, doc := range d.Desk.Documents() {
		routes = append(routes, document(doc))
	}
	assets, err := consent.Assets()
	if err != nil {
		return nil, err
	}
	styles, err := Files("/wallet/assets", assets, officePolicy, Public)
	if err != nil {
		return nil, err
	}
	return append(append(routes, styles...), f.pages()...), nil
}

type walletFace struct {
	WalletDeps
	all *limiter
}

func (f walletFace) offer(ctx context.Context, who actor.Citizen, in *apiv1.OfferWallet) (*apiv1.OneWalletOffer, error) {
	o, err := f.Desk.Offer(ctx, who, audit.CertificateIssuance, in.IdempotencyKey, in.ID)
	if err != nil {
		return nil, err
	}
	return &apiv1.OneWalletOffer{CacheControl: privately, Body: apiv1.WalletOffer{
		OfferURI: o.URI, QRPNG: o.QRPNG, TxCode: o.TxCode, ExpiresAt: o.ExpiresAt,
	}}, nil
}

// limited counts the call against all of that path, and answers a refusal in the way of OAuth 2.0.
func (f walletFace) limited(path string, h func(context.Context, Request) (Response, error)) func(context.Context, actor.Anyone, Request) (Response, error) {
	return func(ctx context.Context, _ actor.Anyone, in Request) (Response, error) {
		if err := f.all.take(path); err != nil {
			return Response{}, err
		}
		out, err := h(ctx, in)
		if refusal, ok := errors.AsType[*wallet.Refusal](err); ok {
			return refused(refusal)
		}
		return out, err
	}
}

func refused(r *wallet.Refusal) (Response, error) {
	var body struct {
		Error string `json:"error,omitempty"`
	}
	body.Error = r.Code
	out, err := jsonResponse(body)
	out.Status = r.Status
	if r.Scheme != "" {
		out.Header.Set("WWW-Authenticate", challenge(r))
	}
	return out, err
}

// challenge says how to come again (RFC 6750 section 3, RFC 9449 section 7.1).
func challenge(r *wallet.Refusal) string {
	switch {
	case r.Scheme == "Basic":
		return `Basic realm="wallet"`
	case r.Code == "":
		return r.Scheme
	case r.Scheme == "DPoP":
		return fmt.Sprintf(`DPoP error=%q, algs="ES256"`, r.Code)
	}
	return fmt.Sprintf("%s error=%q", r.Scheme, r.Code)
}

// walletForm reads a wallet's form. What cannot be read is an empty form: the wallet is
// told the same as when nothing is in it.
func walletForm(in Request) wallet.Form {
	values, err := formOf(in)
	if err != nil {
		values = nil
	}
	return wallet.Form{Values: values, Authorization: len(in.Header.Values("Authorization")) > 0, Proofs: in.Header.Values("DPoP")}
}

func (f walletFace) token(ctx context.Context, in Request) (Response, error) {
	granted, err := f.Desk.Token(ctx, walletForm(in))
	if err != nil {
		return Response{}, err
	}
	return jsonResponse(granted)
}

func (f walletFace) push(ctx context.Context, in Request) (Response, error) {
	pushed, err := f.Desk.Push(ctx, walletForm(in))
	if err != nil {
		return Response{}, err
	}
	out, err := jsonResponse(pushed)
	out.Status = http.StatusCreated
	return out, err
}

func (f walletFace) nonce(ctx context.Context, _ Request) (Response, error) {
	nonce, err := f.Desk.Nonce(ctx)
	if err != nil {
		return Response{}, err
	}
	return jsonResponse(map[string]string{"c_nonce": nonce})
}

func (f walletFace) credential(ctx context.Context, in Request) (Response, error) {
	r := wallet.Request{Authorization: in.Header.Get("Authorization"), Proofs: in.Header.Values("DPoP")}
	if mediaType(in.Header.Get("Content-Type")) == "application/json" {
		r.Body = in.Body
	}
	issued, err := f.Desk.Credentials(ctx, r)
	if err != nil {
		return Response{}, err
	}
	return jsonResponse(issued)
}

// document serves metadata to everybody, web pages included.
func document(d wallet.Document) Route {
	return Raw(http.MethodGet, d.Path, Public, func(context.Context, actor.Anyone, Request) (Response, error) {
		return Response{
			ContentType: "application/json", Body: d.Body,
			Header: http.Header{"Cache-Control": {"public, max-age=300"}, "Access-Control-Allow-Origin": {"*"}},
		}, nil
	})
}
