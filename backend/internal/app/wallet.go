package app

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/authn"
	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/consent"
	"madoguchi.example/backend/internal/httpapi"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/publication"
	walletrows "madoguchi.example/backend/internal/store/wallet"
	"madoguchi.example/backend/internal/wallet"
)

// walletFace keeps the sign-ins of the consent page apart from those of the citizens' app.
const walletFace = "wallet"

// walletClients are the wallet apps of the configuration.
func walletClients(c config.Config) []wallet.Client {
	out := make([]wallet.Client, len(c.Wallet.Clients))
	for i, w := range c.Wallet.Clients {
		out[i] = wallet.Client{ID: w.ID, Name: w.Name, RedirectURIs: w.RedirectURIs}
	}
	return out
}

// checkConfig tells every fault of a configuration that serves.
func checkConfig(c config.Config) error {
	return errors.Join(c.Validate(), wallet.CheckClients(walletClients(c)))
}

// furnishWallet makes what hands copies of certificates to wallet apps.
func (h *house) furnishWallet(p *program) error {
	login := h.config.CitizenLogin
	back, err := url.Parse(login.RedirectURL)
	if err != nil {
		return errors.New("cannot let wallets ask: citizen_login.redirect_url is not a URL")
	}
	back.Path, back.RawQuery = wallet.CallbackPath, ""
	login.RedirectURL = back.String()
	provider, err := h.provider(login, h.keys.citizen, p, "name", "address", "birthdate", "gender")
	if err != nil {
		return err
	}
	h.wallet, err = wallet.New(wallet.Deps{
		Runner: h.db.Runner(), Rows: walletrows.New(h.db.Reads()), Certificates: walletCertificates{h.issuance}, Signers: h.ring,
		Place: func(index int64) (string, int64) {
			n, place := publication.StatusPlace(index)
			return publication.StatusURI(h.config.PublicURL, n), place
		},
		SignIn: authn.NewOnce(walletFace, h.login, provider, linker{h.citizens}),
		Keeper: h.repeat, Record: h.record, Clients: walletClients(h.config), Issuer: h.config.PublicURL,
		Secret: h.keys.wallet, IDs: h.ids, Now: h.now, Rand: p.rand,
	})
	return err
}

func (h *house) walletRoutes() ([]httpapi.Route, error) {
	pages, err := consent.New(h.wallet, h.config.TLS.CertFile != "" || httpsURL(h.config.CitizenLogin.RedirectURL))
	if err != nil {
		return nil, err
	}
	return httpapi.WalletRoutes(httpapi.WalletDeps{Desk: h.wallet, Pages: pages, Now: h.now})
}

// walletCertificates are the certificates that citizens may give away.
type walletCertificates struct{ *issuance.Office }

// Held implements wallet.Certificates.
func (w walletCertificates) Held(ctx context.Context, who actor.Citizen, purpose audit.Purpose) ([]wallet.Held, error) {
	list, err := w.List(ctx, who, purpose, func(string) bool { return false })
	out := make([]wallet.Held, len(list.Certificates))
	for i, c := range list.Certificates {
		out[i] = wallet.Held{
			ID: c.ID, Person: c.Person, Name: c.Claims.Name, Overseas: c.Use == issuance.Overseas, IssuedAt: c.IssuedAt,
			Doses: len(c.Claims.Doses), Good: !c.Superseded && c.Revoked.IsZero(),
		}
	}
	return slices.Clip(out), err
}
