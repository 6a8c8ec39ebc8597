package app

import (
	"context"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/shared/handle"
)

// officeProtection lets protectors work.
type officeProtection struct{ register *protection.Register }

// Waiting implements office.Protection.
func (o officeProtection) Waiting(ctx context.Context, who actor.Staff, limit int) ([]office.Withheld, error) {
	tasks, err := o.register.Waiting(ctx, who, audit.Protection, limit)
	out := make([]office.Withheld, len(tasks))
	for i, t := range tasks {
		out[i] = office.Withheld{ID: t.ID, Ref: t.Ref, Name: t.Name, What: office.SameText(t.Title), Link: withheldPage(t.Object), Since: t.Since()}
	}
	return out, err
}

// withheldPage gives the page on which a protector notes what came of it, "" for none.
func withheldPage(object string) string {
	if handle.Valid("awd", object) {
		return "/office/benefits/awards/" + object
	}
	return ""
}

// InForce implements office.Protection.
func (o officeProtection) InForce(ctx context.Context, who actor.Staff, limit int) ([]office.Protected, error) {
	all, err := o.register.InForce(ctx, who, audit.Protection, limit)
	out := make([]office.Protected, len(all))
	for i, p := range all {
		out[i] = office.Protected{Ref: p.Ref, Name: p.Name, Kind: string(p.Kind), Since: p.Since, Until: p.Until}
	}
	return out, err
}

// Settle implements office.Protection.
func (o officeProtection) Settle(ctx context.Context, who actor.Staff, id, how, note string) error {
	return o.register.Settle(ctx, who, audit.Protection, id, protection.How(how), note)
}

// Set implements office.Protection.
func (o officeProtection) Set(ctx context.Context, who actor.Staff, f office.Flag) error {
	return o.register.Set(ctx, who, audit.Protection, f.Ref, protection.Kind(f.Kind), f.Until)
}

// Lift implements office.Protection.
func (o officeProtection) Lift(ctx context.Context, who actor.Staff, ref, kind string) error {
	return o.register.Lift(ctx, who, audit.Protection, ref, protection.Kind(kind))
}
