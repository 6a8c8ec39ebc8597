package issuance

import (
	"context"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/reference"
	"madoguchi.example/backend/internal/remark"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// Referral is what a reference names.
type Referral struct {
	Reference    string
	Citizen      identity.CitizenID
	Municipality identity.MunicipalityCode
	Kind         ReferralKind
	Object       string // the certificate, or why it was refused
	At           time.Time
}

// Found is what an officer sees of a reference.
type Found struct {
	Referral
	Holder      citizen.Resident
	Certificate Certificate // of a certificate
	OnRecord    []Record    // of the holder today
}

// Limits of an officer's words.
const (
	minWords = 1
	maxWords = 500
)

var errNoReference = fault.At(fault.NotFound, "reference", "there is no such reference in this municipality")

// Find gives a clerk or an approver what their municipality knows of a reference: a
// certificate as it was issued, or why one was refused, and the holder's records today.
// Somebody who is protected is found by protectors alone, and is nobody to everybody else.
func (x *Office) Find(ctx context.Context, who actor.Staff, purpose audit.Purpose, typed string) (Found, error) {
	var out Found
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
		out, err = x.find(ctx, t, who, typed)
		if err != nil {
			return err
		}
		held, err := x.records(ctx, t, out.Holder)
		if err != nil {
			return err
		}
		for _, h := range held {
			out.OnRecord = append(out.OnRecord, h.Record)
		}
		return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: "certificate.read", CitizenID: out.Citizen,
			Municipality: out.Municipality, Object: out.Object, Items: []string{"name", "birth_date", "certificate", "vaccinations"}})
	})
	return out, err
}

func (x *Office) find(ctx context.Context, t tx.Tx, who actor.Staff, typed string) (Found, error) {
	ref, kind, ok := reference.Parse(typed)
	if !ok || kind != reference.Certificate && kind != reference.Refusal {
		return Found{}, fault.At(fault.InvalidArgument, "reference", "this is no reference of a certificate: a letter, or two of them, may have been mistaken")
	}
	r, ok, err := x.Rows.Referred(ctx, t, ref)
	if err != nil {
		return Found{}, err
	}
	if !ok || r.Municipality != who.Municipality || !who.Has(actor.Clerk) && !who.Has(actor.Approver) {
		return Found{}, errNoReference
	}
	flagged, err := x.Protection.Flagged(ctx, t, []identity.CitizenID{r.Citizen})
	if err != nil {
		return Found{}, err
	}
	if flagged[r.Citizen] && !who.Has(actor.Protector) {
		return Found{}, errNoReference
	}
	people, err := x.Residents.Standings(ctx, t, []identity.CitizenID{r.Citizen})
	if err != nil {
		return Found{}, err
	}
	out := Found{Referral: r, Holder: people[r.Citizen].Resident}
	if r.Kind == RefersToCertificate {
		if out.Certificate, ok, err = x.Rows.Get(ctx, t, r.Citizen, r.Object); err == nil && !ok {
			err = fault.New(fault.Internal, "a certificate that a reference names is not there")
		}
	}
	return out, err
}

// TakeBack revokes a certificate for an officer's reason. It is the approver's act: clerks
// look certificates up.
func (x *Office) TakeBack(ctx context.Context, who actor.Staff, purpose audit.Purpose, typed, reason string) error {
	if !who.Has(actor.Approver) {
		return fault.New(fault.Forbidden, "certificates are revoked by approvers")
	}
	if err := remark.Check("reason", reason, minWords, maxWords); err != nil {
		return err
	}
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		found, err := x.find(ctx, t, who, typed)
		if err != nil {
			return err
		}
		if found.Kind != RefersToCertificate {
			return errNoReference
		}
		if !found.Certificate.Revoked.IsZero() {
			return fault.At(fault.Conflict, "state", "the certificate is revoked already")
		}
		return x.Revoke(ctx, t, who, purpose, found.Citizen, found.Object, Grounds{OnRequest, reason})
	})
}

// OnRecord lists a person's records, under earlier rows as well, in the caller's
// transaction. It records nothing: the caller records what it reads.
func (x *Office) OnRecord(ctx context.Context, t tx.Tx, of citizen.Resident) ([]Record, error) {
	held, err := x.records(ctx, t, of)
	out := make([]Record, len(held))
	for i, h := range held {
		out[i] = h.Record
	}
	return out, err
}

// Issued gives a person's certificate as it was issued, in the caller's transaction. It
// records nothing: the caller records what it reads.
func (x *Office) Issued(ctx context.Context, t tx.Tx, of identity.CitizenID, id string) (Certificate, bool, error) {
	return x.Rows.Get(ctx, t, of, id)
}
