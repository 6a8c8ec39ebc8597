package issuance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"sync"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert/qr"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/identity"
)

// List is the certificates of a citizen's people, newest first.
type List struct {
	Certificates []Certificate
	// Version changes with the content; it is read before the certificates.
	Version string
	// Same: the caller knows this version already, and nothing was read.
	Same bool
}

// List gives the certificates of the citizen and of the children they act for. known
// tells whether the caller has a version already.
func (x *Office) List(ctx context.Context, who actor.Citizen, purpose audit.Purpose, known func(version string) bool) (List, error) {
	var out List
	lost, err := x.givenUp(ctx)
	if err != nil {
		return out, err
	}
	err = x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		people, err := x.Family.People(ctx, t, who)
		if err != nil {
			return err
		}
		var ids, all []identity.CitizenID
		for _, p := range people {
			earlier, err := x.Family.Earlier(ctx, t, p.Resident)
			if err != nil {
				return err
			}
			ids = append(ids, p.ID)
			all = append(append(all, p.ID), earlier...)
		}
		if out.Version, err = x.Rows.Version(ctx, t, all); err != nil {
			return err
		}
		out.Version += lost.version()
		if out.Same = known(out.Version); out.Same {
			return nil
		}
		if out.Certificates, err = x.Rows.Newest(ctx, t, ids, MaxListed); err != nil {
			return err
		}
		for i := range out.Certificates {
			lost.mark(&out.Certificates[i])
		}
		return x.compare(ctx, t, who, purpose, people, out.Certificates)
	})
	return out, err
}

// compare marks what newer records have superseded and records whose was read.
func (x *Office) compare(ctx context.Context, t tx.Tx, who actor.Citizen, purpose audit.Purpose, people []citizen.Person, certificates []Certificate) error {
	for _, p := range people {
		var now []byte
		for i := range certificates {
			c := &certificates[i]
			if c.Person != p.ID {
				continue
			}
			if now == nil {
				records, err := x.records(ctx, t, p.Resident)
				if err != nil {
					return err
				}
				if now, err = digest(records); err != nil {
					return err
				}
			}
			c.Superseded = !bytes.Equal(now, c.Records)
		}
		if now == nil {
			continue
		}
		if err := x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "certificate.read", CitizenID: p.ID,
			Municipality: p.Ref.Municipality, Items: []string{"certificate"}}); err != nil {
			return err
		}
	}
	return nil
}

// modulePixels is the size of a QR code's module in the picture: sharp on a phone's
// screen, and a few kilobytes.
const modulePixels = 6

// Shown is a rendering ready to be shown without a network.
type Shown struct {
	Rendering
	QRPNG    []byte
	File     []byte // what can be saved; nil where the format has no file
	FileName string
}

// Show makes what is shown of each form of a certificate, the SMART Health Card first.
// Pictures are kept in memory: drawing one takes longer than signing.
func (x *Office) Show(c Certificate) ([]Shown, error) {
	out := make([]Shown, len(c.Renderings))
	for i, r := range c.Renderings {
		picture, err := x.pictures.get(r.Text)
		if err != nil {
			return nil, fmt.Errorf("cannot show a certificate: %w", err)
		}
		out[i] = Shown{Rendering: r, QRPNG: picture}
		switch r.Format {
		case shc.Format:
			if out[i].File, err = shc.File(c.Signed); err != nil {
				return nil, fmt.Errorf("cannot show a certificate: %w", err)
			}
			out[i].FileName = "vaccination.smart-health-card"
		case VDSNC:
			out[i].File, out[i].FileName = []byte(r.Text), "vaccination.vdsnc.json"
		}
	}
	return out, nil
}

// maxPictures caps the kept pictures: about 20 MB.
const maxPictures = 4096

// pictures keeps drawn QR codes by the digest of their text.
type pictures struct {
	mu   sync.Mutex
	kept map[[sha256.Size]byte][]byte
}

func (p *pictures) get(text string) ([]byte, error) {
	key := sha256.Sum256([]byte(text))
	p.mu.Lock()
	picture, ok := p.kept[key]
	p.mu.Unlock()
	if ok {
		return picture, nil
	}
	picture, err := qr.PNG(text, modulePixels)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil || len(p.kept) >= maxPictures {
		p.kept = map[[sha256.Size]byte][]byte{}
	}
	p.kept[key] = picture
	return picture, nil
}
