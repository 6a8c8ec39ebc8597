package app

import (
	"context"
	"strings"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/office"
)

// officeApprovals shows an officer what waits for a second person.
type officeApprovals struct{ house *house }

// Waiting implements office.Approvals.
func (o officeApprovals) Waiting(ctx context.Context, who actor.Staff) ([]office.Approval, error) {
	purpose := audit.BenefitDecision
	if who.Has(actor.ChildApprover) {
		purpose = audit.ChildSupport
	}
	waiting, err := o.house.approvals.Waiting(ctx, who, purpose)
	if err != nil {
		return nil, err
	}
	out := make([]office.Approval, len(waiting))
	for i, w := range waiting {
		name, err := o.house.staffName(ctx, w.AskedBy)
		if err != nil {
			return nil, err
		}
		out[i] = office.Approval{Kind: w.Kind, Object: w.Object, AskedBy: name, AskedAt: w.AskedAt, Due: w.Due, Own: !w.Mine, Others: w.Others}
	}
	return out, nil
}

// waitingFor gives the request of one object as the officer's queue has it, nil when it
// does not stand there.
func (h *house) waitingFor(ctx context.Context, who actor.Staff, kind, object string) (*office.Approval, error) {
	all, err := officeApprovals{h}.Waiting(ctx, who)
	for _, a := range all {
		if a.Kind == kind && a.Object == object {
			return &a, err
		}
	}
	return nil, err
}

// staffName gives an officer's name, "" for a job or somebody who is not known any more.
func (h *house) staffName(ctx context.Context, id string) (string, error) {
	if !strings.HasPrefix(id, "stf_") {
		return "", nil
	}
	return h.logins.StaffName(ctx, id)
}
