package protection

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"unicode/utf8"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/jptext"
)

var (
	errNobody = fault.At(fault.NotFound, "ref", "no resident of this municipality has this number")
	errNoFlag = fault.At(fault.NotFound, "ref", "no such protection is in force")
)

// Set protects a resident of the officer's municipality from now on, up to and with the
// day until; the zero day is no end. A protection of the kind that is in force keeps its
// first day.
func (x *Register) Set(ctx context.Context, who actor.Staff, purpose audit.Purpose, ref string, kind Kind, until civil.Date) error {
	switch {
	case may(who, purpose) != nil:
		return may(who, purpose)
	case !slices.Contains(Kinds(), kind):
		return fault.At(fault.InvalidArgument, "kind", "there is no such kind of protection")
	case !until.IsZero() && until.Before(x.today()):
		return fault.At(fault.InvalidArgument, "until", "the last day lies in the past")
	}
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		id, err := x.resident(ctx, t, who, ref)
		if err != nil {
			return err
		}
		f, ok, err := x.Rows.Get(ctx, t, id, kind)
		if err != nil {
			return err
		}
		if !ok || !f.InForce(x.today()) {
			f = Flag{Citizen: id, Municipality: who.Municipality, Kind: kind, Since: x.today()}
		}
		f.Until = until
		if err := x.Rows.Put(ctx, t, f); err != nil {
			return err
		}
		return x.noted(ctx, t, who, purpose, "protection.set", f)
	})
}

// Lift ends a protection at once. What was withheld stays on the list.
func (x *Register) Lift(ctx context.Context, who actor.Staff, purpose audit.Purpose, ref string, kind Kind) error {
	if err := may(who, purpose); err != nil {
		return err
	}
	return x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		id, err := x.resident(ctx, t, who, ref)
		if err != nil {
			return err
		}
		f, ok, err := x.Rows.Get(ctx, t, id, kind)
		if err != nil {
			return err
		}
		if !ok || !f.InForce(x.today()) {
			return errNoFlag
		}
		f.Until = x.today().AddDays(-1)
		if err := x.Rows.Put(ctx, t, f); err != nil {
			return err
		}
		return x.noted(ctx, t, who, purpose, "protection.lift", f)
	})
}

// resident finds a person of the officer's municipality, also one who has left it: what
// must not be sent must not be sent after them.
func (x *Register) resident(ctx context.Context, t tx.Tx, who actor.Staff, ref string) (identity.CitizenID, error) {
	ref = strings.TrimSpace(ref)
	if jptext.LooksLikeMyNumber(ref) {
		return "", fault.At(fault.MyNumberRefused, "ref", "this looks like a My Number; it was not kept")
	}
	if ref == "" || len(ref) > 64 || strings.ContainsRune(ref, 0) || !utf8.ValidString(ref) {
		return "", errNobody
	}
	at := citizen.Ref{Municipality: who.Municipality, Resident: ref}
	ids, err := x.People.Resolve(ctx, t, []citizen.Ref{at})
	if err != nil {
		return "", err
	}
	if ids[at] == "" {
		return "", errNobody
	}
	return ids[at], nil
}

func (x *Register) noted(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, action string, f Flag) error {
	return x.Record.Append(ctx, t, who, audit.Event{Purpose: purpose, Action: action, CitizenID: f.Citizen,
		Municipality: f.Municipality, Items: []string{string(f.Kind)}})
}

// Protected is a person with a protection that is in force.
type Protected struct {
	Flag
	Ref  string // the municipality's own key of the person
	Name string
}

// LogValue masks the person.
func (Protected) LogValue() slog.Value { return slog.StringValue(identity.Mask) }

// String masks the person.
func (Protected) String() string { return identity.Mask }

// InForce lists who is protected in the officer's municipality, the newest first, and
// records for each of them that an officer looked.
func (x *Register) InForce(ctx context.Context, who actor.Staff, purpose audit.Purpose, limit int) ([]Protected, error) {
	if err := may(who, purpose); err != nil {
		return nil, err
	}
	var out []Protected
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		flags, err := x.Rows.InForce(ctx, t, who.Municipality, x.today(), within(limit))
		if err != nil {
			return err
		}
		ids := make([]identity.CitizenID, len(flags))
		for i, f := range flags {
			ids[i] = f.Citizen
		}
		people, err := x.People.Standings(ctx, t, ids)
		if err != nil {
			return err
		}
		out = make([]Protected, len(flags))
		for i, f := range flags {
			r := people[f.Citizen].Resident
			out[i] = Protected{f, r.Ref.Resident, r.Name.Kanji()}
		}
		return x.looked(ctx, t, who, purpose, "protection.list", ids, nil)
	})
	return out, err
}

func within(limit int) int {
	if limit <= 0 || limit > MaxListed {
		return MaxListed
	}
	return limit
}

// looked records the look at a list, and for each person on it that they were seen there.
// objects, when given, name what was seen of each.
func (x *Register) looked(ctx context.Context, t tx.Tx, who actor.Staff, purpose audit.Purpose, action string, ids []identity.CitizenID, objects []string) error {
	entries := []audit.Event{{Purpose: purpose, Action: action, Municipality: who.Municipality}}
	for i, id := range ids {
		e := audit.Event{Purpose: purpose, Action: action, CitizenID: id, Municipality: who.Municipality, Items: []string{"name", "protection"}}
		if objects != nil {
			e.Object = objects[i]
		}
		entries = append(entries, e)
	}
	return x.Record.AppendAll(ctx, t, who, entries)
}
