package client

import (
	"context"
	"log/slog"
	"net/http"

	"madoguchi.example/mobile-api/apiv1"
)

// Ask is what one certificate is asked for with. The same Key asks for the same
// certificate again; an empty Key is filled from the client's random source.
type Ask struct {
	Person string
	Use    string   // domestic or overseas
	MRZ    []string // overseas: the two lines of the passport; without them none for borders
	Key    string
}

// LogValue leaves the passport's lines and the key out.
func (a Ask) LogValue() slog.Value {
	return slog.GroupValue(slog.String("use", a.Use), slog.Bool("mrz", len(a.MRZ) > 0))
}

// IssueCertificate asks for one certificate.
func (c *Client) IssueCertificate(ctx context.Context, ask Ask) (apiv1.Certificate, error) {
	in := apiv1.IssueCertificate{}
	in.Body.Person, in.Body.Use, in.Body.MRZ = ask.Person, ask.Use, ask.MRZ
	var out apiv1.Certificate
	err := c.under(ctx, ask.Key, call{method: http.MethodPost, path: apiv1.IssueCert.Path, body: in.Body}, &out)
	return out, err
}

// ListCertificates lists the certificates of the caller's people, newest first.
func (c *Client) ListCertificates(ctx context.Context) ([]apiv1.Certificate, error) {
	list, _, _, err := c.CertificatesIfChanged(ctx, "")
	return list, err
}

// CertificatesIfChanged lists the certificates unless they are those that etag names; then
// changed is false and the list nil. An empty etag always lists.
func (c *Client) CertificatesIfChanged(ctx context.Context, etag string) (list []apiv1.Certificate, now string, changed bool, err error) {
	var out struct {
		Certificates []apiv1.Certificate `json:"certificates"`
	}
	now, changed, err = c.list(ctx, apiv1.ListCerts.Path, etag, &out)
	return out.Certificates, now, changed, err
}

// OfferWallet makes an offer by which a wallet fetches its own copy of the certificate. The
// same key gives the same offer again, a new one voids it; an empty key is filled from the
// client's random source.
func (c *Client) OfferWallet(ctx context.Context, certificate, key string) (apiv1.WalletOffer, error) {
	var out apiv1.WalletOffer
	err := c.under(ctx, key, call{method: http.MethodPost, path: fill(apiv1.OfferToWallet.Path, certificate)}, &out)
	return out, err
}

// Wrong is what a correction is asked for with. The same Key asks once; an empty Key is
// filled from the client's random source.
type Wrong struct {
	Person      string
	Kind        string // missing, wrong or name
	Certificate string // "" where it is about none
	Dose        int    // 0 where it is about none
	Words       string
	Key         string
}

// LogValue leaves out who and what.
func (w Wrong) LogValue() slog.Value { return slog.GroupValue(slog.String("kind", w.Kind)) }

// AskCorrection asks the office to look at a vaccination record again.
func (c *Client) AskCorrection(ctx context.Context, wrong Wrong) (apiv1.Correction, error) {
	in := apiv1.RequestCorrection{}
	in.Body.Person, in.Body.Kind, in.Body.Words = wrong.Person, wrong.Kind, wrong.Words
	in.Body.Certificate, in.Body.Dose = wrong.Certificate, wrong.Dose
	var out apiv1.Correction
	err := c.under(ctx, wrong.Key, call{method: http.MethodPost, path: apiv1.AskCorrection.Path, body: in.Body}, &out)
	return out, err
}

// Corrections lists the corrections that the caller asked for, newest first.
func (c *Client) Corrections(ctx context.Context) ([]apiv1.Correction, error) {
	list, _, _, err := c.CorrectionsIfChanged(ctx, "")
	return list, err
}

// CorrectionsIfChanged lists the corrections unless they are those that etag names; then
// changed is false and the list nil. An empty etag always lists.
func (c *Client) CorrectionsIfChanged(ctx context.Context, etag string) (list []apiv1.Correction, now string, changed bool, err error) {
	var out struct {
		Corrections []apiv1.Correction `json:"corrections"`
	}
	now, changed, err = c.list(ctx, apiv1.ListCorrections.Path, etag, &out)
	return out.Corrections, now, changed, err
}

// under sends an act that counts once, under the key or a fresh one.
func (c *Client) under(ctx context.Context, key string, k call, out any) error {
	if key == "" {
		made, err := c.word(18)
		if err != nil {
			return err
		}
		key = made
	}
	k.header = map[string]string{"Idempotency-Key": key}
	_, err := c.do(ctx, k, out)
	return err
}
