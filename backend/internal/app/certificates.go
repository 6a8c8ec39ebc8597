package app

import (
	"context"
	"fmt"
	"os"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/correction"
	"madoguchi.example/backend/internal/httpapi"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/keyfile"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/keyring/token"
	"madoguchi.example/backend/internal/publication"
	citizenrows "madoguchi.example/backend/internal/store/citizen"
	correctionrows "madoguchi.example/backend/internal/store/correction"
	issuancerows "madoguchi.example/backend/internal/store/issuance"
	keyringrows "madoguchi.example/backend/internal/store/keyring"
)

// furnishCertificates makes what signs certificates, what issues them, and what tells the
// world of their keys and of those that are good no more.
func (h *house) furnishCertificates(ctx context.Context, p *program) error {
	if err := h.furnishKeys(ctx, p); err != nil {
		return err
	}
	c, run, reads := h.config, h.db.Runner(), h.db.Reads()
	rows := issuancerows.New(reads)
	var err error
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

// furnishKeys opens the keys that sign certificates, and the device that keeps them where
// there is one.
func (h *house) furnishKeys(ctx context.Context, p *program) (err error) {
	c := h.config.Certificates
	d := keyring.Deps{
		Runner: h.db.Runner(), Rows: keyringrows.New(h.db.Reads()), Record: h.record, Dir: h.config.KeyDir, Issuer: h.config.PublicURL,
		CacheLifetime: c.CacheLifetime, Now: h.now, Rand: p.rand,
	}
	if c.PKCS11.Module != "" {
		if h.token, err = token.Open(token.Config(c.PKCS11)); err != nil {
			return err
		}
		d.Token = h.token
	}
	if d.Border, err = border(c.VDSNC); err != nil {
		return err
	}
	h.ring, err = keyring.Open(ctx, d)
	return err
}

// maxCertificate caps a signer's certificate in bytes.
const maxCertificate = 64 << 10

// border reads the signer that the passport authority certified; nil without one.
func border(v config.VDSNC) (*keyring.Border, error) {
	if v.CertificateFile == "" {
		return nil, nil
	}
	info, err := os.Stat(v.CertificateFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the signer's certificate: %w", err)
	}
	if info.Size() > maxCertificate {
		return nil, fmt.Errorf("cannot read the signer's certificate: it is larger than %d bytes", maxCertificate)
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

// warnOfOldKeys tells of keys in force that another should follow.
func (h *house) warnOfOldKeys(ctx context.Context) error {
	all, err := h.ring.List(ctx, actor.System{Name: "start"}, audit.SigningKeys)
	for _, k := range all {
		if k.Due(h.now()) {
			h.log.Warn("a signing key should be followed by another: see keys rotate", "format", k.Use, "id", k.ID)
		}
	}
	return err
}

// sweepKeys destroys the private parts of keys that are out of use.
func (h *house) sweepKeys(ctx context.Context) error {
	return h.ring.Sweep(ctx, actor.System{Name: "sweep"}, audit.SigningKeys)
}

// wellKnown serves keys and lists to everybody.
func (h *house) wellKnown() []httpapi.Route {
	return httpapi.WellKnownRoutes(httpapi.WellKnownDeps{Press: h.press, KeyAge: h.press.KeyAge(), RevocationAge: publication.RevocationAge})
}
