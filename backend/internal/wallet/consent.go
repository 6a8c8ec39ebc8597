package wallet

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"net/url"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// errVisit is what the person sees when there is nothing to answer in this browser.
var errVisit = fault.New(fault.Unauthenticated, "there is no wallet waiting in this browser: begin again in the wallet")

// Callback takes the provider's answer in the browser that holds the secret. A person whom
// the register does not know gets IdentityUnlinked with the counter to go to; their visit
// can still be answered with no.
func (d *Desk) Callback(ctx context.Context, query url.Values, secret string) (Step, error) {
	v, ok := Form{Values: query}.values("state", "error")
	code, whole := Form{Values: query}.one("code", 2*MaxValue)
	if !ok || !whole || v["state"] == "" || (code == "") == (v["error"] == "") {
		return Step{}, errShown
	}
	visit, err := d.waiting(ctx, secret)
	if err != nil {
		return Step{}, err
	}
	if v["error"] != "" {
		return d.notSignedIn(ctx, visit, v["state"], secret)
	}
	who, err := d.SignIn.Finish(ctx, code, v["state"], secret)
	if err != nil {
		return Step{}, err
	}
	fresh, err := d.secret()
	if err != nil {
		return Step{}, err
	}
	var signed bool
	err = d.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		signed, err = d.Rows.SignVisit(ctx, t, hashOf(secret), hashOf(fresh), who.ID, who.Municipality, d.Now())
		return err
	})
	if err == nil && !signed {
		err = errVisit
	}
	return Step{Location: ConsentPath, Secret: fresh}, err
}

// notSignedIn ends a visit whose citizen turned back at the provider.
func (d *Desk) notSignedIn(ctx context.Context, v Visit, state, secret string) (Step, error) {
	if err := d.SignIn.Abandon(ctx, state, secret); err != nil {
		return Step{}, err
	}
	return d.leave(ctx, v, secret)
}

// leave ends a visit and tells the wallet that it gets nothing.
func (d *Desk) leave(ctx context.Context, v Visit, secret string) (Step, error) {
	taken := false
	err := d.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		_, taken, err = d.Rows.TakeVisit(ctx, t, hashOf(secret), d.Now())
		return err
	})
	if err == nil && !taken {
		err = errVisit
	}
	if err != nil {
		return Step{}, err
	}
	return d.back(v.Asked, url.Values{"error": {"access_denied"}})
}

func (d *Desk) waiting(ctx context.Context, secret string) (Visit, error) {
	if secret == "" || len(secret) > MaxValue {
		return Visit{}, errVisit
	}
	v, found, err := d.Rows.VisitByHash(ctx, hashOf(secret), d.Now())
	if err == nil && !found {
		err = errVisit
	}
	return v, err
}

// Consent is what the citizen is asked.
type Consent struct {
	Wallet  string // its name
	Home    string // the redirect URI to which a form's answer leads
	Form    string // what the form must bring back, so that no other page can answer
	Signed  bool   // somebody signed in; else only a no is taken
	Citizen identity.CitizenID
	Choices []Held // each person's newest good certificate, the citizen's own first
}

// Consent gives what the citizen in this browser is asked.
func (d *Desk) Consent(ctx context.Context, secret string) (Consent, error) {
	v, err := d.waiting(ctx, secret)
	if err != nil {
		return Consent{}, err
	}
	c := Consent{Wallet: d.clients[v.Asked.Client].Name, Home: v.Asked.RedirectURI, Form: d.form(secret), Signed: v.Citizen != ""}
	if !c.Signed {
		return c, nil
	}
	c.Citizen = v.Citizen
	c.Choices, err = d.newest(ctx, actor.Citizen{ID: v.Citizen, Municipality: v.Municipality})
	return c, err
}

// form is the mark that the consent page's form carries.
func (d *Desk) form(secret string) string {
	return base64.RawURLEncoding.EncodeToString(d.mark("form", secret)[:16])
}

// newest lists each person's newest good certificate, the citizen's own first.
func (d *Desk) newest(ctx context.Context, who actor.Citizen) ([]Held, error) {
	all, err := d.Certificates.Held(ctx, who, audit.CertificateIssuance)
	if err != nil {
		return nil, err
	}
	var own, others []Held
	seen := map[identity.CitizenID]bool{}
	for _, h := range all {
		switch {
		case seen[h.Person] || !h.Good:
		case h.Person == who.ID:
			own = append(own, h)
			seen[h.Person] = true
		default:
			others = append(others, h)
			seen[h.Person] = true
		}
	}
	return append(own, others...), nil
}

// Reply is what the citizen answered.
type Reply struct {
	Form        string
	Yes         bool
	Certificate string
}

// Answer takes the citizen's word and leads the browser back to the wallet, once.
func (d *Desk) Answer(ctx context.Context, secret string, r Reply) (Step, error) {
	v, err := d.waiting(ctx, secret)
	if err != nil {
		return Step{}, err
	}
	if !hmac.Equal([]byte(r.Form), []byte(d.form(secret))) {
		return Step{}, fault.New(fault.Forbidden, "the answer was not given on our page")
	}
	if !r.Yes {
		return d.leave(ctx, v, secret)
	}
	if v.Citizen == "" {
		return Step{}, errVisit
	}
	who := actor.Citizen{ID: v.Citizen, Municipality: v.Municipality}
	choices, err := d.newest(ctx, who)
	if err != nil {
		return Step{}, err
	}
	for _, c := range choices {
		if c.ID == r.Certificate {
			return d.allow(ctx, who, secret, c)
		}
	}
	return Step{}, fault.At(fault.InvalidArgument, "certificate", "choose whose certificate the wallet gets")
}

// allow writes what the citizen allowed and gives the wallet its code.
func (d *Desk) allow(ctx context.Context, who actor.Citizen, secret string, c Held) (Step, error) {
	code, err := d.secret()
	if err != nil {
		return Step{}, err
	}
	var v Visit
	err = d.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		var taken bool
		if v, taken, err = d.Rows.TakeVisit(ctx, t, hashOf(secret), d.Now()); err != nil {
			return err
		}
		if !taken || v.Citizen != who.ID {
			return errVisit
		}
		return d.consented(ctx, t, who, v.Asked, code, c)
	})
	if err != nil {
		return Step{}, err
	}
	return d.back(v.Asked, url.Values{"code": {code}})
}

func (d *Desk) consented(ctx context.Context, t tx.Tx, who actor.Citizen, a Asked, code string, c Held) error {
	id, err := d.IDs.New("wgr")
	if err != nil {
		return err
	}
	now := d.Now().UTC()
	if err := d.Rows.InsertGrant(ctx, t, Grant{
		Hash: hashOf(code), ID: id, Kind: Consented, Citizen: who.ID, Municipality: who.Municipality, Person: c.Person,
		Certificate: c.ID, Client: a.Client, RedirectURI: a.RedirectURI, Challenge: a.Challenge, Detailed: a.Detailed, Key: a.Key,
		CreatedAt: now, ExpiresAt: now.Add(CodeLifetime),
	}); err != nil {
		return err
	}
	return d.Record.Append(ctx, t, who, audit.Event{
		Purpose: audit.CertificateIssuance, Action: "wallet.consent", CitizenID: c.Person, Municipality: who.Municipality,
		Object: c.ID, Items: []string{"certificate"},
	})
}
