package app

import (
	"crypto/x509"
	"fmt"
	"os"

	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/keyfile"
	"madoguchi.example/backend/internal/payer"
	"madoguchi.example/backend/internal/payer/fhir"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/fault"
)

// published is a payer that terminals are told of.
type published interface {
	payer.Payer
	Published() profile.Payer
}

// allPayers are the registry and the payers that are asked over FHIR.
func (h *house) allPayers(p *program) ([]published, error) {
	all := []published{h.registry}
	for _, c := range h.config.Payer.FHIR {
		one, err := h.fhirPayer(c, p)
		if err != nil {
			return nil, fmt.Errorf("cannot use payer %s: %w", c.ID, err)
		}
		all = append(all, one)
	}
	return all, nil
}

func (h *house) fhirPayer(c config.FHIRPayer, p *program) (*fhir.Payer, error) {
	key, err := keyfile.X25519(c.KeyFile)
	if err != nil {
		return nil, err
	}
	roots, err := rootsOf(c.CAFile)
	if err != nil {
		return nil, err
	}
	patience, err := c.Patience()
	if err != nil {
		return nil, err
	}
	token, err := h.payerToken(c, roots, p)
	if err != nil {
		return nil, err
	}
	return fhir.New(fhir.Config{
		ID: c.ID, Name: c.Name, BaseURL: c.BaseURL, Key: key, Timeout: patience, Roots: roots, Token: token,
		NoneFound: c.NoneFound, SeveralFound: c.SeveralFound, Now: h.now, Log: h.log,
	})
}

func (h *house) payerToken(c config.FHIRPayer, roots *x509.CertPool, p *program) (fhir.TokenSource, error) {
	switch {
	case c.TokenFile != "":
		return fhir.Bearer(c.TokenFile), nil
	case c.TokenURL == "":
		return nil, nil
	}
	key, err := keyfile.ECDSA(c.ClientKeyFile, p.rand)
	if err != nil {
		return nil, err
	}
	return fhir.Credentials{
		TokenURL: c.TokenURL, ClientID: c.ClientID, KeyID: c.ClientKeyID, Scope: c.Scope, Key: key,
		HTTP: fhir.Client(roots, fhir.DefaultTimeout), Now: h.now, Rand: p.rand,
	}.Source()
}

func rootsOf(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidArgument, err, "cannot read the payer's certificates")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.InvalidArgument, "the payer's file holds no certificate")
	}
	return roots, nil
}

// profilePayers are the payers that terminals are told of, the registry first.
func profilePayers(all []published) []profile.Payer {
	told := make([]profile.Payer, len(all))
	for i, p := range all {
		told[i] = p.Published()
	}
	return told
}

// answering are the same payers as the desk of checks asks them.
func answering(all []published) []payer.Payer {
	asked := make([]payer.Payer, len(all))
	for i, p := range all {
		asked[i] = p
	}
	return asked
}
