package tour

import (
	"context"
	"errors"
	"fmt"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/practice/wallet"
	"madoguchi.example/deploy/stage"
)

func (w *certificateWalk) walletSteps() []step {
	return []step{
		{"a wallet reads the offer, and a wrong code from its owner is refused", w.wrongCode},
		{"with the right code it gets a copy of its own and checks all of it", w.takeOffer},
		{"the code of an offer works once, and a nonce that was not given does not", w.attacks},
		{"by way of the consent page a wallet gets a copy, too", w.consent},
		{"a wallet that pushes its request and binds its token gets one that a thief cannot use", w.bound},
		{"a code that comes a second time ends what came of the first", w.replay},
		{"the counter verifies what a wallet shows, bound to its key, with claims left out", w.present},
	}
}

// Wallet makes a person's wallet app; one that is assured pushes its requests and binds its
// tokens.
func (g *Guide) Wallet(assured bool) (*wallet.Wallet, error) {
	to, err := wallet.Through(stage.PublicURL, g.Stage.Public.URL())
	if err != nil {
		return nil, err
	}
	return wallet.New(wallet.Config{ClientID: stage.WalletClient, RedirectURI: stage.WalletReturn, Assured: assured, Transport: to,
		Now: g.Stage.Clock.Now, Rand: g.Rand}), nil
}

func (w *certificateWalk) wrongCode(ctx context.Context) (err error) {
	if w.wallet, err = w.Wallet(false); err != nil {
		return err
	}
	o, err := w.mover.OfferWallet(ctx, w.overseas.ID, "")
	if err != nil {
		return err
	}
	if strings.Contains(o.OfferURI, o.TxCode) {
		return errors.New("the code that the owner types stands in the picture")
	}
	wrong := "000000"
	if o.TxCode == wrong {
		wrong = "000001"
	}
	_, err = w.wallet.Take(ctx, o.OfferURI, wrong)
	return want(wallet.Refused(err, "invalid_grant"), "a wrong code was answered with %v", err)
}

func (w *certificateWalk) takeOffer(ctx context.Context) error {
	o, err := w.mover.OfferWallet(ctx, w.overseas.ID, "")
	if err != nil {
		return err
	}
	k, err := w.wallet.Take(ctx, o.OfferURI, o.TxCode)
	if err != nil {
		return err
	}
	return w.hold(ctx, k)
}

// hold takes a copy that is about the mover and good.
func (w *certificateWalk) hold(ctx context.Context, k wallet.Kept) error {
	family := strings.Fields(w.Stage.Cast.Moved.NameLatin)[1]
	if k.Claims["family_name"] != family {
		return errors.New("the copy is about somebody else")
	}
	status, err := w.wallet.Status(ctx, k)
	if err != nil {
		return err
	}
	w.kept = append(w.kept, k)
	return want(status == 0, "the copy's status is %d", status)
}

// offered gives what an offer of the mover's certificate leads to.
func (w *certificateWalk) offered(ctx context.Context) (i wallet.Issuer, o wallet.Offer, txCode string, err error) {
	made, err := w.mover.OfferWallet(ctx, w.overseas.ID, "")
	if err != nil {
		return i, o, "", err
	}
	if o, err = wallet.ParseOffer(made.OfferURI); err != nil {
		return i, o, "", err
	}
	i, err = w.wallet.Discover(ctx, o.Issuer)
	return i, o, made.TxCode, err
}

func (w *certificateWalk) attacks(ctx context.Context) error {
	i, o, txCode, err := w.offered(ctx)
	if err != nil {
		return err
	}
	token, err := w.wallet.Redeem(ctx, i, o, txCode)
	if err != nil {
		return err
	}
	key, err := w.wallet.NewKey()
	if err != nil {
		return err
	}
	nonce, err := w.wallet.Nonce(ctx, i)
	if err != nil {
		return err
	}
	for what, c := range map[string]struct{ issuer, nonce, code string }{
		"a nonce that was not given": {i.ID, "bm90LWdpdmVuLWJ5LWFueWJvZHk", "invalid_nonce"},
		"a proof for another issuer": {"https://other.example", nonce, "invalid_proof"},
	} {
		proof, err := w.wallet.Proof(key, c.issuer, c.nonce)
		if err != nil {
			return err
		}
		if _, err = w.wallet.Ask(ctx, i, token, o.Configurations[0], proof); !wallet.Refused(err, c.code) {
			return fmt.Errorf("%s was answered with %v", what, err)
		}
	}
	if _, err = w.wallet.Redeem(ctx, i, o, txCode); !wallet.Refused(err, "invalid_grant") {
		return fmt.Errorf("an offer's code that comes twice was answered with %v", err)
	}
	_, err = w.wallet.Fetch(ctx, i, token, o.Configurations[0])
	return want(err != nil, "a token outlived the second use of its code")
}

// allow walks the mover's browser from a wallet's request to its redirect.
func (w *certificateWalk) allow(ctx context.Context, to string) (*url.URL, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	c := &Console{Base: w.Stage.Public.URL(), http: stay()}
	c.http.Jar = jar
	path, ours := strings.CutPrefix(to, stage.PublicURL)
	if !ours {
		return nil, errors.New("the wallet's request leads to another issuer")
	}
	begun, err := c.get(ctx, path)
	if err != nil {
		return nil, err
	}
	back, err := authorize(ctx, c.http, begun.header.Get("Location"), population.SubMoved)
	if err != nil {
		return nil, fmt.Errorf("status %d: %w", begun.status, err)
	}
	if _, err := getPage(ctx, c.http, back.String()); err != nil {
		return nil, err
	}
	asked, err := c.open(ctx, "/wallet/consent")
	if err != nil {
		return nil, err
	}
	if !strings.Contains(asked.text(), "練習ウォレット") {
		return nil, fmt.Errorf("the page does not say who asks: %s", short(asked))
	}
	s, there := asked.sheet(having("answer", "yes"))
	if !there {
		return nil, fmt.Errorf("the page asks for no consent: %s", short(asked))
	}
	for _, radio := range asked.all(func(x element) bool { return x.attr("name") == "certificate" }) {
		s.fields.Set("certificate", radio.attr("value"))
		break
	}
	s.fields.Set("answer", "yes")
	p, err := c.post(ctx, s.action, s.fields)
	if err != nil {
		return nil, err
	}
	return url.Parse(p.header.Get("Location"))
}

// visit does the authorization code flow up to the token.
func (w *certificateWalk) visit(ctx context.Context, app *wallet.Wallet) (wallet.Issuer, *wallet.Visit, wallet.Token, error) {
	var token wallet.Token
	i, err := app.Discover(ctx, stage.PublicURL)
	if err != nil {
		return i, nil, token, err
	}
	v, err := app.Visit(ctx, i, walletKind)
	if err != nil {
		return i, nil, token, err
	}
	to, err := w.allow(ctx, v.URL)
	if err != nil {
		return i, v, token, err
	}
	token, err = app.Return(ctx, i, v, to)
	return i, v, token, err
}

// walletKind is the credential that the issuer's metadata describes.
const walletKind = "VaccinationCertificate"

func (w *certificateWalk) consent(ctx context.Context) error {
	i, _, token, err := w.visit(ctx, w.wallet)
	if err != nil {
		return err
	}
	k, err := w.wallet.Fetch(ctx, i, token, walletKind)
	if err != nil {
		return err
	}
	return w.hold(ctx, k)
}

// bound is the same with pushed requests and tokens that are bound to a key; a thief of the
// token has another.
func (w *certificateWalk) bound(ctx context.Context) error {
	app, err := w.Wallet(true)
	if err != nil {
		return err
	}
	thief, err := w.Wallet(true)
	if err != nil {
		return err
	}
	i, _, token, err := w.visit(ctx, app)
	if err != nil {
		return err
	}
	for what, other := range map[string]*wallet.Wallet{"with another key": thief, "as a bearer": w.wallet} {
		if _, err := other.Fetch(ctx, i, token, walletKind); err == nil {
			return fmt.Errorf("a stolen token was taken %s", what)
		}
	}
	k, err := app.Fetch(ctx, i, token, walletKind)
	if err != nil {
		return err
	}
	return w.hold(ctx, k)
}

func (w *certificateWalk) replay(ctx context.Context) error {
	i, v, token, err := w.visit(ctx, w.wallet)
	if err != nil {
		return err
	}
	if _, err := w.wallet.Exchange(ctx, i, v); !wallet.Refused(err, "invalid_grant") {
		return fmt.Errorf("a code that comes twice was answered with %v", err)
	}
	_, err = w.wallet.Fetch(ctx, i, token, walletKind)
	return want(err != nil, "a token outlived the second use of its code")
}

func (w *certificateWalk) present(ctx context.Context) error {
	k := w.kept[0]
	shown, err := w.wallet.Present(k, "https://counter.example", "n-0S6_WzA2Mj", "family_name", "given_name")
	if err != nil {
		return err
	}
	v, err := w.judged(ctx, []byte(shown))
	if err != nil {
		return err
	}
	if v.Format != "sdjwtvc" || v.Outcome != "valid" {
		return fmt.Errorf("the command says %s of %s: %v", v.Outcome, v.Format, v.Findings)
	}
	at, err := w.desk.Verdict(ctx, shown)
	if err != nil {
		return err
	}
	return want(at.attr("data-outcome") == "valid" && !strings.Contains(at.text(), w.Stage.Cast.Moved.BirthDate),
		"the desk says %s", at.attr("data-outcome"))
}
