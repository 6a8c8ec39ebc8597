package issuance

import (
	"bytes"
	"context"
	"fmt"

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
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
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
		if out.Same = known(out.Version); out.Same {
			return nil
		}
		if out.Certificates, err = x.Rows.Newest(ctx, t, ids, MaxListed); err != nil {
			return err
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

// Rendered is a certificate ready to be shown without a network.
type Rendered struct {
	QRText string
	QRPNG  []byte
	File   []byte // a .smart-health-card file
}

// Render makes what is shown of a certificate.
func (c Certificate) Render() (Rendered, error) {
	text, err := shc.QRText(c.Signed)
	if err != nil {
		return Rendered{}, fmt.Errorf("cannot show a certificate: %w", err)
	}
	picture, err := qr.PNG(text, modulePixels)
	if err != nil {
		return Rendered{}, fmt.Errorf("cannot show a certificate: %w", err)
	}
	file, err := shc.File(c.Signed)
	if err != nil {
		return Rendered{}, fmt.Errorf("cannot show a certificate: %w", err)
	}
	return Rendered{text, picture, file}, nil
}
