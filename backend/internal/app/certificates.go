package app

import (
	"context"
	"fmt"
	"os"

	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/correction"
	"madoguchi.example/backend/internal/httpapi"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/keyfile"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/publication"
	citizenrows "madoguchi.example/backend/internal/store/citizen"
	correctionrows "madoguchi.example/backend/internal/store/correction"
	issuancerows "madoguchi.example/backend/internal/store/issuance"
	keyringrows "madoguchi.example/backend/internal/store/keyring"
)

// furnishCertificates makes what signs certificates, what issues them, and what tells the
// world of their keys and of those that are good no more.
func (h *house) furnishCertificates(ctx context.Context, p *program) error {
	c, run, reads := h.config, h.db.Runner(), h.db.Reads()
	border, err := border(c.Certificates.VDSNC)
	if err != nil {
		return err
	}
	h.ring, err = keyring.Open(ctx, keyring.Deps{
		Runner: run, Rows: keyringrows.New(reads), Record: h.record, Dir: c.KeyDir, Issuer: c.PublicURL,
		CacheLifetime: c.Certificates.CacheLifetime, Border: border, Now: h.now, Rand: p.rand,
	})
	if err != nil {
		return err
	}
	rows := issuancerows.New(reads)
	h.press, err = publication.New(publication.Deps{
		Keys: h.ring, Revocations: rows, Issuer: c.PublicURL, CacheLifetime: c.Certificates.CacheLifetime,
		TrustDir: c.Certificates.TrustDir, Now: h.now, Log: h.log,
	})
	if err != nil {
		return err
	}
	h.issuance, err = issuance.New(issuance.Deps{
		Runner: run, Rows: rows, Family: h.citizens, Residents: citizenrows.New(reads), Keeper: h.repeat, Record: h.record,
		Ring: h.ring, Mail: h.notices, Protection: h.protection, Issuer: c.PublicURL, Secret: h.keys.revoke, IDs: h.ids, Now: h.now,
	})
	if err != nil {
		return err
	}
	h.corrections = correction.New(correction.Deps{
		Runner: run, Rows: correctionrows.New(reads), Family: h.citizens, Records: h.issuance, Keeper: h.repeat, Mail: h.notices,
		Protection: h.protection, Record: h.record, IDs: h.ids, Now: h.now,
	})
	return nil
}

// border reads the signer that the passport authority certified; nil without one.
func border(v config.VDSNC) (*keyring.Border, error) {
	if v.CertificateFile == "" {
		return nil, nil
	}
	certificate, err := os.ReadFile(v.CertificateFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the signer's certificate: %w", err)
	}
	out := &keyring.Border{Certificate: certificate, Label: v.KeyLabel}
	if v.KeyFile != "" {
		out.Key, err = keyfile.Read(v.KeyFile)
	}
	return out, err
}

// wellKnown serves keys and lists to everybody.
func (h *house) wellKnown() []httpapi.Route {
	return httpapi.WellKnownRoutes(httpapi.WellKnownDeps{Press: h.press, KeyAge: h.press.KeyAge(), RevocationAge: publication.RevocationAge})
}
