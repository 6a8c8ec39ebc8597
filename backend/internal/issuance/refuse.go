package issuance

import (
	"context"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/reference"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
)

// Refused is a certificate that was not made, with what its holder can do.
type Refused struct {
	error             // with the counter
	Reason     string // what is wrong at the fault's place, "" where the place says it
	Reference  string // read it to the counter
	Correction string // the kind of correction that helps: missing, wrong, name; or ""
}

// Unwrap gives the fault.
func (r Refused) Unwrap() error { return r.error }

// Explain gives what the answer tells beside the fault.
func (r Refused) Explain() (reason, reference, correction string) {
	return r.Reason, r.Reference, r.Correction
}

// reasoned is a fault that says more than its place.
type reasoned struct {
	error
	reason string
}

func (r reasoned) Unwrap() error { return r.error }

// Explain gives the reason alone: what was typed wrong needs no counter.
func (r reasoned) Explain() (reason, reference, correction string) { return r.reason, "", "" }

// refuse keeps why there is no certificate under a reference.
func (x *Office) refuse(ctx context.Context, t tx.Tx, p citizen.Resident, why error) (Refused, error) {
	m, err := x.Family.Municipality(ctx, t, p.Ref.Municipality)
	if err != nil {
		return Refused{}, err
	}
	out := Refused{error: citizen.AtCounter(why, m)}
	object := string(fault.CodeOf(why))
	if fault.CodeOf(why) == fault.NoRecord {
		out.Correction = "missing"
	}
	if r, ok := why.(reasoned); ok {
		out.Reason, out.Correction, object = r.reason, "name", r.reason
	}
	if out.Reference, err = reference.New(x.IDs.Rand, reference.Refusal); err != nil {
		return out, err
	}
	return out, x.Rows.Refer(ctx, t, Referral{
		Reference: out.Reference, Citizen: p.ID, Municipality: p.Ref.Municipality, Kind: RefersToRefusal, Object: object, At: x.Now().UTC(),
	})
}

// ReferralKind says what a reference names.
type ReferralKind string

// The kinds.
const (
	RefersToCertificate ReferralKind = "certificate"
	RefersToRefusal     ReferralKind = "refusal"
)
