package issuance

import (
	"crypto"
	"crypto/x509"
	"slices"
	"time"

	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/cert/vaccine"
	"madoguchi.example/shared/cert/vdsnc"
	"madoguchi.example/shared/fault"
)

// The formats beside the SMART Health Card.
const (
	HCERT = hcert.Format
	VDSNC = vdsnc.Format
)

// Who issues, as international documents name it.
const (
	issuingCountry = "JP"
	issuingState   = "JPN"
	specimenState  = "UTO" // Doc 9303's country that is none
)

// hc1Life is how long an HC1 certificate is good for; its signer's certificate may end before.
const hc1Life = 365 * 24 * time.Hour

// snomedCOVID is the one disease that an EU certificate is about (value set
// disease-agent-targeted).
const snomedCOVID = "840539006"

// writeHC1 writes the EU certificate of the latest dose against COVID-19 where the EU has a
// code for its product, otherwise the certificate of the World Health Organization, of all
// doses that it has codes for.
func writeHC1(d draft, key keyring.Key, signer crypto.Signer) (Rendering, Why, error) {
	c := d.claims
	c.Format = HCERT
	var err error
	if c.ID, err = hcert.NewUVCI(issuingCountry, d.mark); err != nil {
		return Rendering{}, "", err
	}
	expires, err := hc1End(d.at, key.Certificate)
	if err != nil {
		return Rendering{}, "", err
	}
	o := hcert.Options{Kind: hcert.DCC, Country: issuingCountry, Authority: d.office}
	stated := 1
	if c.Doses = euDoses(d.claims.Doses); len(c.Doses) == 0 {
		o.Kind, c.Doses = hcert.DVC, coded(d.claims.Doses)
		stated = len(c.Doses)
		if d.pass != nil {
			c.TravelDocument = d.pass.number
		}
	}
	text, err := hcert.Issue(signer, key.Certificate, d.at, expires, c, o)
	if err != nil {
		why, err := whyNot(err, map[string]Why{hcert.PlaceHolder: NoName})
		return Rendering{}, why, err
	}
	return Rendering{Text: text, RevocationToken: hcert.UCIRevocation(c.ID).String(), Doses: stated}, "", nil
}

// hc1End is the end of an HC1 certificate: never after that of its signer's.
func hc1End(at time.Time, dsc []byte) (time.Time, error) {
	signer, err := x509.ParseCertificate(dsc)
	if err != nil {
		return time.Time{}, fault.Wrap(fault.Internal, err, "cannot read the signer's certificate")
	}
	if end := at.Add(hc1Life); end.Before(signer.NotAfter) {
		return end, nil
	}
	return signer.NotAfter, nil
}

// euDoses are the doses against COVID-19, where the latest of them has a code of the EU;
// otherwise none.
func euDoses(all []cert.Dose) []cert.Dose {
	var out []cert.Dose
	code := ""
	for _, d := range all { // by day
		if p, ok := product(d); ok && p.DiseaseSNOMED == snomedCOVID {
			d.Code, code = p.CVX, p.EUProduct
			out = append(out, d)
		}
	}
	if code == "" {
		return nil
	}
	return out
}

// coded are the doses whose product has an international code.
func coded(all []cert.Dose) []cert.Dose {
	var out []cert.Dose
	for _, d := range all {
		if p, ok := product(d); ok && p.ICD11Vaccine != "" {
			d.Code = p.CVX
			out = append(out, d)
		}
	}
	return out
}

// product finds a dose's vaccine, whether or not its CVX code was written with a zero.
func product(d cert.Dose) (vaccine.Product, bool) {
	if p, ok := vaccine.ByCVX(d.Code); ok {
		return p, true
	}
	return vaccine.ByCVX("0" + d.Code)
}

// writeVDSNC writes the passport's document: the doses that have an international code, a
// lot and a day. Signed by a specimen's signer it says so itself, by a country that is none.
func writeVDSNC(d draft, key keyring.Key, signer crypto.Signer) (Rendering, Why, error) {
	if d.pass == nil {
		return Rendering{}, NoPassport, nil
	}
	c := d.claims
	c.Format, c.ID, c.TravelDocument = VDSNC, d.mark, d.pass.number
	c.Holder.FamilyLatin, c.Holder.GivenLatin = d.pass.family, d.pass.given
	c.Doses = slices.DeleteFunc(coded(c.Doses), func(dose cert.Dose) bool { return dose.Lot == "" })
	o := vdsnc.Options{Issuer: issuingState, Centre: d.office}
	if key.Specimen {
		o.Issuer = specimenState
	}
	text, err := vdsnc.Issue(signer, key.Certificate, d.at, c, o)
	if err != nil {
		why, err := whyNot(err, map[string]Why{vdsnc.PlaceHolder: NoName})
		return Rendering{}, why, err
	}
	return Rendering{Text: text, Doses: len(c.Doses), Specimen: key.Specimen}, "", nil
}
