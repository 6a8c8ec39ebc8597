package issuance

import (
	"context"
	"crypto"
	"encoding/base32"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/reference"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// draft is a certificate while its forms are written.
type draft struct {
	id     string
	office string // who issues, in Latin letters
	at     time.Time
	claims cert.Certificate
	pass   *passport // nil without one
	mark   string    // 16 letters and digits that name the certificate and nobody
}

// form is a format beside the SMART Health Card: one row for each.
type form struct {
	format cert.Format
	use    keyring.Use
	write  func(d draft, key keyring.Key, signer crypto.Signer) (Rendering, Why, error)
}

// forms are those of an overseas certificate, in the order in which they are shown.
var forms = []form{
	{HCERT, keyring.HCERT, writeHC1},
	{VDSNC, keyring.VDSNC, writeVDSNC},
}

// compose writes and signs the certificate in all its forms. It stores nothing.
func (x *Office) compose(ctx context.Context, t tx.Tx, who actor.Citizen, p citizen.Person, use Use, pass *passport, held []Held) (Certificate, error) {
	if len(held) == 0 {
		return Certificate{}, fault.New(fault.NoRecord, "there is no vaccination record to certify: ask the counter for a correction")
	}
	stated, err := digest(held)
	if err != nil {
		return Certificate{}, err
	}
	c := Certificate{Person: p.ID, Municipality: p.Ref.Municipality, AskedBy: who.ID, Use: use, IssuedAt: x.Now().UTC(),
		Issuer: x.Issuer, Records: stated, Claims: claims(p, use, held), States: held}
	if c.ID, err = x.IDs.New("crt"); err != nil {
		return Certificate{}, err
	}
	if c.Reference, err = reference.New(x.IDs.Rand, reference.Certificate); err != nil {
		return Certificate{}, err
	}
	d := draft{id: c.ID, at: c.IssuedAt, pass: pass,
		mark: base32.HexEncoding.EncodeToString(x.mark("certificate", c.ID)[:10]),
		claims: cert.Certificate{Content: cert.Vaccination, Issuer: x.Issuer, Holder: p.Name, BirthDate: p.BirthDate.Date,
			Sex: sexOf(p.Resident), IssuedAt: c.IssuedAt, Doses: doses(held)}}
	if err := x.card(ctx, t, &c, d); err != nil {
		return Certificate{}, err
	}
	if use == Domestic {
		return c, nil
	}
	office, err := x.Family.Municipality(ctx, t, p.Ref.Municipality)
	if err != nil {
		return Certificate{}, err
	}
	d.office = office.NameEN
	for _, f := range forms {
		r, why, err := x.write(ctx, t, f, d)
		switch {
		case err != nil:
			return Certificate{}, err
		case why != "":
			c.LeftOut = append(c.LeftOut, LeftOut{f.format, why})
		default:
			c.Renderings = append(c.Renderings, r)
		}
	}
	return c, nil
}

// write makes one form, or says why there is none.
func (x *Office) write(ctx context.Context, t tx.Tx, f form, d draft) (Rendering, Why, error) {
	key, signer, err := x.Ring.SignerIn(ctx, t, f.use, d.at)
	if fault.CodeOf(err) == fault.Unavailable {
		return Rendering{}, NoSigner, nil
	}
	if err != nil {
		return Rendering{}, "", err
	}
	r, why, err := f.write(d, key, signer)
	r.Format, r.KeyID, r.Specimen = f.format, key.ID, r.Specimen || key.Specimen
	return r, why, err
}

// card writes the SMART Health Card, without which there is no certificate. Where the
// performers' names make it too large for one QR code they are left out: the specification
// does not ask for them.
func (x *Office) card(ctx context.Context, t tx.Tx, c *Certificate, d draft) error {
	key, signer, err := x.Ring.SignerIn(ctx, t, keyring.SHC, d.at)
	if err != nil {
		return err
	}
	c.KeyID, c.RID = key.ID, shc.RevocationID(x.Secret, key.ID, c.ID)
	claimed := d.claims
	claimed.Format, claimed.ID = shc.Format, c.RID
	opts := shc.Options{}
	if c.Use == Overseas {
		opts.Name = shc.NameLatin
	}
	c.Signed, err = shc.Issue(signer, x.Issuer, d.at, claimed, opts)
	if fault.CodeOf(err) == fault.TooLarge {
		claimed.Doses = append([]cert.Dose(nil), claimed.Doses...)
		for i := range claimed.Doses {
			claimed.Doses[i].Performer = ""
		}
		c.Signed, err = shc.Issue(signer, x.Issuer, d.at, claimed, opts)
	}
	if err != nil {
		return err
	}
	first, err := c.Card()
	c.Renderings = []Rendering{first}
	return err
}

// Card gives the SMART Health Card as a rendering.
func (c Certificate) Card() (Rendering, error) {
	text, err := shc.QRText(c.Signed)
	return Rendering{Format: shc.Format, KeyID: c.KeyID, Text: text, RevocationToken: c.RID, Doses: len(c.Claims.Doses)}, err
}

// whyNot says why a format cannot carry what its package refused, and gives back other errors.
func whyNot(err error, places map[string]Why) (Why, error) {
	switch fault.CodeOf(err) {
	case fault.TooLarge:
		return TooLarge, nil
	case fault.NoRecord:
		return NoCode, nil
	case fault.Unavailable:
		return NoSigner, nil
	case fault.InvalidArgument:
		if why, ok := places[fault.PlaceOf(err)]; ok {
			return why, nil
		}
		return NoCode, nil
	}
	return "", err
}

func claims(p citizen.Person, use Use, held []Held) Claims {
	c := Claims{Name: p.Name.Kanji(), BirthDate: p.BirthDate.Date}
	if use == Overseas {
		c.Name = p.Name.Latin()
	}
	for _, r := range held {
		c.Doses = append(c.Doses, Dose{int(r.Number), r.Product, r.On, r.Lot})
	}
	return c
}

func doses(held []Held) []cert.Dose {
	out := make([]cert.Dose, len(held))
	for i, r := range held {
		out[i] = cert.Dose{Number: int(r.Number), Code: r.Code, CodeSystem: cert.CVX, Product: r.Product, Manufacturer: r.Manufacturer,
			Lot: r.Lot, On: r.On, Performer: r.Performer, Country: r.Country}
	}
	return out
}

// sexOf writes a sex as certificates do, "" where the register does not know it.
func sexOf(p citizen.Resident) string {
	return map[identity.Sex]string{identity.SexMale: "M", identity.SexFemale: "F", identity.SexNotApplicable: "X"}[p.Sex]
}
