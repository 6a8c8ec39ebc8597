package sdjwtvc

import (
	"crypto"
	"errors"
	"fmt"
	"strings"
	"time"

	"madoguchi.example/shared/cert/internal/jws"
)

// Disclosure is one claim that a holder may show or withhold.
type Disclosure struct {
	Name    string // of a member; empty for an array's entry
	Element bool   // an array's entry
	Value   string // JSON, what was disclosed within it included
}

// Disclosures lists what the holder of a credential may show, in its order. The credential
// is read, not verified.
func Disclosures(credential string) ([]Disclosure, error) {
	p, err := held(credential)
	if err != nil {
		return nil, err
	}
	var out []Disclosure
	for i := range p.disclosures {
		out = append(out, p.disclosures[i].public())
	}
	return out, nil
}

func (d *disclosure) public() Disclosure {
	return Disclosure{d.name, d.element, string(d.value.json())}
}

// held opens a credential as its holder has it: without key binding.
func held(credential string) (*presentation, error) {
	p, err := open([]byte(credential))
	if err != nil {
		return nil, fmt.Errorf("cannot read the credential: %w", err)
	}
	if p.binding != nil {
		return nil, errors.New("cannot read the credential: it is a presentation already")
	}
	return p, nil
}

// Present gives what a wallet sends: the credential with the disclosures that show picks
// and those that they stand in, and a key binding by holder for the nonce and the audience
// that the verifier named. With a nil holder there is no key binding.
func Present(credential string, show func(Disclosure) bool, holder crypto.Signer, nonce, audience string, at time.Time) (string, error) {
	p, err := held(credential)
	if err != nil {
		return "", err
	}
	shown := make([]bool, len(p.disclosures))
	for i := range p.disclosures {
		if !show(p.disclosures[i].public()) {
			continue
		}
		for around := i; around >= 0; around = p.disclosures[around].within {
			shown[around] = true
		}
	}
	token, _, _ := strings.Cut(credential, "~")
	out := token + "~"
	for i, d := range p.disclosures {
		if shown[i] {
			out += string(d.text) + "~"
		}
	}
	if holder == nil {
		return out, nil
	}
	binding := object()
	binding.add("iat", number(at.Unix()))
	binding.add("aud", str(audience))
	binding.add("nonce", str(nonce))
	binding.add("sd_hash", str(digestOf([]byte(out))))
	proof, err := jws.SignES256(holder, writeHeader(typeBinding, ""), binding.json())
	if err != nil {
		return "", fmt.Errorf("cannot prove the holder: %w", err)
	}
	return out + proof, nil
}
