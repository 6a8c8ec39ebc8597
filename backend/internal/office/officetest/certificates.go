package officetest

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/office"
)

// Certificates gives the canned certificates and requests.
func (c *Canned) Certificates() office.Certificates { return certificates{c} }

type certificates struct{ *Canned }

var holder = office.Holder{Name: LongName, Kana: "たかはしざき ゔぁしりえゔぃち", Latin: "VASSILIEVITCH TAKAHASHIZAKI", Birth: day(1960, 2, 29)}

func (c certificates) shots(n int) []office.Vaccination {
	var out []office.Vaccination
	for i := range min(n, 20) {
		out = append(out, office.Vaccination{Number: i + 1, Product: "コミナティ筋注５～１１歳用", Lot: "PX0001", On: day(2021, 7, 1+i), Performer: "みなと市集団接種会場", From: "みなと市"})
	}
	return out
}

var correctionKinds = []string{"missing", "wrong", "name"}

func (c certificates) Corrections(_ context.Context, _ actor.Staff, limit int) ([]office.Correction, error) {
	var out []office.Correction
	for i := range min(c.Rows, limit) {
		out = append(out, office.Correction{Reference: "K-2345-6789", Kind: correctionKinds[i%len(correctionKinds)], Since: Now.Add(-time.Duration(i) * time.Hour)})
	}
	return out, nil
}

func (c certificates) Correction(_ context.Context, _ actor.Staff, reference string) (office.CorrectionDetail, error) {
	if err := missing(reference, "K-2345-6789"); err != nil {
		return office.CorrectionDetail{}, err
	}
	d := office.CorrectionDetail{Correction: office.Correction{Reference: reference, Kind: "wrong", Since: Now.Add(-time.Hour)}, Holder: holder,
		BySelf: !c.Own, Dose: 2, Words: "2回目のロット番号が\n手元の記録と違います。", OnRecord: c.shots(c.Rows), Certificate: "C-2345-6789", State: "open"}
	if c.Listed == "approved" {
		d.State, d.Answer, d.AnsweredAt = office.AnswerCorrected, "ロット番号を直しました。", Now
	}
	return d, nil
}

func (c certificates) Answer(_ context.Context, _ actor.Staff, reference, answer, words string) error {
	return c.act("answer %s %s %s", reference, answer, words)
}

func (c certificates) Find(_ context.Context, _ actor.Staff, reference string) (office.Paper, error) {
	p := office.Paper{Reference: reference, Holder: holder, At: Now.Add(-time.Hour), OnRecord: c.shots(c.Rows)}
	if reference == "R-2345-6789" {
		p.Refused = "other_name"
		return p, nil
	}
	if err := missing(reference, "C-2345-6789"); err != nil {
		return office.Paper{}, err
	}
	p.Use, p.Formats, p.States = "overseas", []string{"SMART Health Card", "EU Digital COVID Certificate", "ICAO VDS-NC"}, c.shots(3)
	if c.Listed == "returned" {
		p.Revoked, p.RevokedFor = Now, "correction"
	}
	return p, nil
}

func (c certificates) Revoke(_ context.Context, _ actor.Staff, reference, reason string) error {
	return c.act("revoke %s %s", reference, reason)
}
