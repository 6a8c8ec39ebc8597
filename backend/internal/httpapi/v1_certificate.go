package httpapi

import (
	"context"
	"net/http"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/correction"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/identity"
)

func (f citizenFace) issue(ctx context.Context, who actor.Citizen, in *apiv1.IssueCertificate) (*apiv1.OneCertificate, error) {
	c, err := f.Issuance.Issue(ctx, who, audit.CertificateIssuance, in.IdempotencyKey, issuance.Asked{
		Person: identity.CitizenID(in.Body.Person), Use: issuance.Use(in.Body.Use), MRZ: in.Body.MRZ,
	})
	if err != nil {
		return nil, err
	}
	shown, err := f.certificate(c)
	if err != nil {
		return nil, err
	}
	return &apiv1.OneCertificate{CacheControl: privately, Body: shown}, nil
}

func (f citizenFace) certificates(ctx context.Context, who actor.Citizen, in *apiv1.ListCertificates) (*apiv1.Certificates, error) {
	tag := func(version string) string { return ETag("certificates", string(who.ID), version) }
	list, err := f.Issuance.List(ctx, who, audit.CertificateDisplay, func(version string) bool { return Matches(in.IfNoneMatch, tag(version)) })
	if err != nil {
		return nil, err
	}
	out := &apiv1.Certificates{ETag: tag(list.Version), CacheControl: revalidated}
	if list.Same {
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Body.Certificates = make([]apiv1.Certificate, len(list.Certificates))
	for i, c := range list.Certificates {
		if out.Body.Certificates[i], err = f.certificate(c); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f citizenFace) certificate(c issuance.Certificate) (apiv1.Certificate, error) {
	shown, err := f.Issuance.Show(c)
	if err != nil {
		return apiv1.Certificate{}, err
	}
	card := shown[0]
	out := apiv1.Certificate{
		ID: c.ID, Reference: c.Reference, Person: string(c.Person), PersonName: c.Claims.Name, BirthDate: c.Claims.BirthDate.String(),
		Format: string(shc.Format), Use: string(c.Use), IssuedAt: c.IssuedAt, Issuer: c.Issuer,
		Doses: make([]apiv1.Dose, len(c.Claims.Doses)), QRText: card.Text, QRPNG: card.QRPNG, File: string(card.File),
		Renderings: make([]apiv1.Rendering, len(shown)), LeftOut: make([]apiv1.LeftOut, len(c.LeftOut)),
		Superseded: c.Superseded, RevokedFor: string(c.RevokedFor),
	}
	if !c.Revoked.IsZero() {
		out.RevokedAt = &c.Revoked
	}
	for i, d := range c.Claims.Doses {
		out.Doses[i] = apiv1.Dose{Number: d.Number, Product: d.Product, On: d.On.String(), Lot: d.Lot}
	}
	for i, s := range shown {
		out.Renderings[i] = apiv1.Rendering{
			Format: string(s.Format), Title: verify.Title(s.Format), QRText: s.Text, QRPNG: s.QRPNG, File: string(s.File), FileName: s.FileName,
			Specimen: s.Specimen, Where: whereShown(c.Use, s.Format), Doses: s.Doses,
		}
	}
	for i, l := range c.LeftOut {
		out.LeftOut[i] = apiv1.LeftOut{Format: string(l.Format), Title: verify.Title(l.Format), Why: string(l.Why)}
	}
	return out, nil
}

// whereShown says who reads a format.
func whereShown(use issuance.Use, format cert.Format) string {
	switch {
	case use == issuance.Domestic:
		return "domestic"
	case format == issuance.HCERT:
		return "eu_who"
	case format == issuance.VDSNC:
		return "border"
	}
	return "overseas_clinic"
}

// Corrections takes what citizens ask to be corrected. *correction.Desk implements it.
type Corrections interface {
	Ask(ctx context.Context, who actor.Citizen, purpose audit.Purpose, key string, asked correction.Asked) (correction.Request, error)
	// List gives those of the citizen's people, newest first. The version changes whenever
	// the list would.
	List(ctx context.Context, who actor.Citizen, purpose audit.Purpose) (list []correction.Request, version string, err error)
}

func (f citizenFace) correctionRoutes(all, asks *limiter) []Route {
	return []Route{
		Bind(apiv1.AskCorrection, CitizenOnly, limitedCitizen(asks, f.askCorrection)),
		Bind(apiv1.ListCorrections, CitizenOnly, limitedCitizen(all, f.corrections)),
	}
}

func (f citizenFace) askCorrection(ctx context.Context, who actor.Citizen, in *apiv1.RequestCorrection) (*apiv1.OneCorrection, error) {
	r, err := f.Corrections.Ask(ctx, who, audit.RecordCorrection, in.IdempotencyKey, correction.Asked{
		Person: identity.CitizenID(in.Body.Person), Kind: correction.Kind(in.Body.Kind), Certificate: in.Body.Certificate,
		Dose: in.Body.Dose, Words: in.Body.Words,
	})
	if err != nil {
		return nil, err
	}
	return &apiv1.OneCorrection{CacheControl: privately, Body: asked(r)}, nil
}

func (f citizenFace) corrections(ctx context.Context, who actor.Citizen, in *apiv1.ListCorrection) (*apiv1.Corrections, error) {
	list, version, err := f.Corrections.List(ctx, who, audit.Self)
	if err != nil {
		return nil, err
	}
	out := &apiv1.Corrections{ETag: ETag("corrections", string(who.ID), version), CacheControl: revalidated}
	if Matches(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Body.Corrections = make([]apiv1.Correction, len(list))
	for i, r := range list {
		out.Body.Corrections[i] = asked(r)
	}
	return out, nil
}

func asked(r correction.Request) apiv1.Correction {
	m := r.Counter
	out := apiv1.Correction{
		Reference: r.Reference, Person: string(r.Person), Kind: string(r.Kind), Certificate: r.Certificate, Dose: r.Dose, Words: r.Words,
		State: string(r.State), AskedAt: r.AskedAt, Answer: r.Answer,
		Counter: apiv1.Counter{Municipality: m.NameJA, Name: m.Counter.Name, Place: m.Counter.Place, Phone: m.Counter.Phone, Hours: m.Counter.Hours},
	}
	if !r.AnsweredAt.IsZero() {
		out.AnsweredAt = &r.AnsweredAt
	}
	return out
}
