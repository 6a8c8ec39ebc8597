package app

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/correction"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert/verify"
)

// officeCertificates shows certificates and requests for a correction to the console.
type officeCertificates struct{ house *house }

// Corrections implements office.Certificates.
func (o officeCertificates) Corrections(ctx context.Context, who actor.Staff, limit int) ([]office.Correction, error) {
	all, err := o.house.corrections.Waiting(ctx, who, audit.RecordCorrection, limit)
	out := make([]office.Correction, len(all))
	for i, r := range all {
		out[i] = queued(r)
	}
	return out, err
}

func queued(r correction.Request) office.Correction {
	return office.Correction{Reference: r.Reference, Kind: string(r.Kind), Since: r.AskedAt}
}

// Correction implements office.Certificates.
func (o officeCertificates) Correction(ctx context.Context, who actor.Staff, reference string) (office.CorrectionDetail, error) {
	d, err := o.house.corrections.Show(ctx, who, audit.RecordCorrection, reference)
	if err != nil {
		return office.CorrectionDetail{}, err
	}
	names, err := o.names(ctx)
	out := office.CorrectionDetail{
		Correction: queued(d.Request), Holder: holderOf(d.Person), BySelf: d.BySelf, Dose: d.Dose, Words: d.Words,
		OnRecord: shots(d.OnRecord, names), State: string(d.State), Answer: d.Answer, AnsweredAt: d.AnsweredAt,
	}
	if d.Certificate != nil {
		out.Certificate = d.Certificate.Reference
	}
	return out, err
}

// names gives the municipalities' names by code.
func (o officeCertificates) names(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	err := o.house.db.Runner().Do(ctx, func(ctx context.Context, t tx.Tx) error {
		all, err := o.house.citizens.Municipalities(ctx, t)
		for _, m := range all {
			out[string(m.Code)] = m.NameJA
		}
		return err
	})
	return out, err
}

func holderOf(r citizen.Resident) office.Holder {
	return office.Holder{Name: r.Name.Kanji(), Kana: r.Name.Kana(), Latin: r.Name.Latin(), Birth: r.BirthDate.Date}
}

func shots(records []issuance.Record, names map[string]string) []office.Vaccination {
	out := make([]office.Vaccination, len(records))
	for i, r := range records {
		out[i] = office.Vaccination{Number: int(r.Number), Product: r.Product, Lot: r.Lot, On: r.On, Performer: r.Performer, From: names[string(r.Municipality)]}
	}
	return out
}

// Answer implements office.Certificates.
func (o officeCertificates) Answer(ctx context.Context, who actor.Staff, reference, answer, words string) error {
	return o.house.corrections.Answer(ctx, who, audit.RecordCorrection, reference, correction.State(answer), words)
}

// Find implements office.Certificates.
func (o officeCertificates) Find(ctx context.Context, who actor.Staff, reference string) (office.Paper, error) {
	f, err := o.house.issuance.Find(ctx, who, audit.RecordCorrection, reference)
	if err != nil {
		return office.Paper{}, err
	}
	names, err := o.names(ctx)
	out := office.Paper{Reference: f.Reference, Holder: holderOf(f.Holder), At: f.At, OnRecord: shots(f.OnRecord, names)}
	if f.Kind == issuance.RefersToRefusal {
		out.Refused = f.Object
		return out, err
	}
	out.Use, out.Revoked, out.RevokedFor = string(f.Certificate.Use), f.Certificate.Revoked, string(f.Certificate.RevokedFor)
	for _, r := range f.Certificate.Renderings {
		out.Formats = append(out.Formats, verify.Title(r.Format))
	}
	for _, d := range f.Certificate.Claims.Doses {
		out.States = append(out.States, office.Vaccination{Number: d.Number, Product: d.Product, Lot: d.Lot, On: d.On})
	}
	return out, err
}

// Revoke implements office.Certificates.
func (o officeCertificates) Revoke(ctx context.Context, who actor.Staff, reference, reason string) error {
	return o.house.issuance.TakeBack(ctx, who, audit.RecordCorrection, reference, reason)
}
