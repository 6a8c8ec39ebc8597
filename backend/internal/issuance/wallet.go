package issuance

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/fault"
)

// Places of the status lists. A place is drawn, so that an index tells nothing about when
// and after whom a copy was made; from the first list alone while it has room.
const (
	ListPlaces    = 1 << 20
	StatusLists   = 64
	drawsPerRange = 4
)

// ForWallet gives what a wallet's copy of a certificate states, without any number that would
// link one copy to another, and a status index that no
// other copy has, in the caller's transaction. Faults: NotFound for a certificate of
// somebody whom the citizen does not act for; Conflict at "superseded" or "revoked".
func (x *Office) ForWallet(ctx context.Context, t tx.Tx, who actor.Citizen, purpose audit.Purpose, certificateID string) (cert.Certificate, int64, error) {
	people, err := x.Family.People(ctx, t, who)
	if err != nil {
		return cert.Certificate{}, 0, err
	}
	for _, p := range people {
		c, ok, err := x.Rows.Get(ctx, t, p.ID, certificateID)
		if err != nil {
			return cert.Certificate{}, 0, err
		}
		if !ok {
			continue
		}
		held, err := x.records(ctx, t, p.Resident)
		if err != nil {
			return cert.Certificate{}, 0, err
		}
		now, err := digest(held)
		switch {
		case err != nil:
			return cert.Certificate{}, 0, err
		case !c.Revoked.IsZero():
			return cert.Certificate{}, 0, fault.At(fault.Conflict, "revoked", "the certificate is revoked: issue it anew")
		case !bytes.Equal(now, c.Records):
			return cert.Certificate{}, 0, fault.At(fault.Conflict, "superseded", "there are newer records: issue the certificate anew")
		}
		index, err := x.place(ctx, t)
		if err != nil {
			return cert.Certificate{}, 0, err
		}
		return cert.Certificate{Content: cert.Vaccination, Issuer: c.Issuer, Holder: p.Name, BirthDate: p.BirthDate.Date,
				Sex: sexOf(p.Resident), IssuedAt: c.IssuedAt, Doses: doses(held)}, index,
			x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "certificate.copy", CitizenID: p.ID,
				Municipality: p.Ref.Municipality, Object: c.ID, Items: []string{"name", "birth_date", "vaccinations"}})
	}
	return cert.Certificate{}, 0, fault.New(fault.NotFound, "there is no such certificate")
}

// place draws a place of the status lists that nobody has. Where several draws of a range
// are taken, the range is about full, and the next ones are from twice as many lists.
func (x *Office) place(ctx context.Context, t tx.Tx) (int64, error) {
	var raw [8]byte
	for places := uint64(ListPlaces); places <= ListPlaces*StatusLists; places *= 2 {
		for range drawsPerRange {
			if _, err := io.ReadFull(x.IDs.Rand, raw[:]); err != nil {
				return 0, fmt.Errorf("cannot draw a status index: %w", err)
			}
			index := int64(binary.BigEndian.Uint64(raw[:]) % places)
			free, err := x.Rows.TakePlace(ctx, t, index)
			if err != nil || free {
				return index, err
			}
		}
	}
	return 0, fault.New(fault.Unavailable, "no free place in the status lists was found")
}
