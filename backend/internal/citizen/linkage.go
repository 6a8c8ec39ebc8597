package citizen

import (
	"context"
	"strings"
	"unicode/utf8"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/jptext"
)

// Limits of a sign-in.
const (
	// MaxClaim caps each claim in bytes.
	MaxClaim = 2048
	// maxBornOn caps how many residents of one birth date are compared. A cell of some
	// million people has a few hundred per day; more would mean a broken register.
	maxBornOn = 5000
)

// Claims are what the provider said about the person who signed in.
type Claims struct {
	Issuer    string
	Subject   string
	Name      string // family and given name with a blank between
	Address   string
	BirthDate string // YYYY-MM-DD
	Gender    string // male, female, other
}

// Linked is the resident that a sign-in belongs to.
type Linked struct {
	ID           identity.CitizenID
	Municipality identity.MunicipalityCode
}

// atCounter is a fault that names the counter to go to.
type atCounter struct {
	error
	at Municipality
}

func (e *atCounter) Unwrap() error { return e.error }

// WhereToGo gives the counter's five lines.
func (e *atCounter) WhereToGo() (municipality, name, place, phone, hours string) {
	c := e.at.Counter
	return e.at.NameJA, c.Name, c.Place, c.Phone, c.Hours
}

// AtCounter adds to a fault the counter that the person should go to.
func AtCounter(err error, m Municipality) error { return &atCounter{err, m} }

// Link gives the resident of a sign-in. A subject that was linked before keeps its
// resident as long as they live here; a new one is linked when exactly one resident
// matches. Every other case is IdentityUnlinked with the counter to go to.
func (x *Registry) Link(ctx context.Context, who actor.System, purpose audit.Purpose, c Claims) (Linked, error) {
	if err := c.check(); err != nil {
		return Linked{}, err
	}
	var out Linked
	var unlinked error
	err := x.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		found, ok, err := x.match(ctx, t, c)
		if err != nil {
			return err
		}
		if !ok {
			if unlinked, err = x.unlinked(ctx, t, found, c.Address); err != nil {
				return err
			}
			return x.Record.Append(ctx, t, who, audit.Event{
				Purpose: purpose, Action: "account.sign_in_refused", CitizenID: found.ID, Municipality: found.Ref.Municipality,
				Items: []string{"name", "address", "birth_date", "sex"},
			})
		}
		id, err := x.Rows.Link(ctx, t, c.Issuer, c.Subject, found.ID, x.Now())
		if err != nil {
			return err
		}
		if id != found.ID {
			return fault.New(fault.Conflict, "the sign-in was linked by another call: sign in again")
		}
		out = Linked{found.ID, found.Ref.Municipality}
		return x.Record.Append(ctx, t, who, audit.Event{
			Purpose: purpose, Action: "account.sign_in", CitizenID: id, Municipality: found.Ref.Municipality,
			Items: []string{"name", "address", "birth_date", "sex"},
		})
	})
	if err != nil {
		return Linked{}, err
	}
	return out, unlinked
}

func (c Claims) check() error {
	for _, v := range []struct{ place, value string }{
		{"issuer", c.Issuer}, {"subject", c.Subject}, {"name", c.Name}, {"address", c.Address},
		{"birthdate", c.BirthDate}, {"gender", c.Gender},
	} {
		switch {
		case len(v.value) > MaxClaim:
			return fault.At(fault.TooLarge, v.place, "the claim is longer than %d bytes", MaxClaim)
		case !utf8.ValidString(v.value) || strings.ContainsRune(v.value, 0):
			return fault.At(fault.InvalidArgument, v.place, "the claim is not text")
		}
	}
	if c.Issuer == "" || c.Subject == "" {
		return fault.At(fault.InvalidArgument, "subject", "the sign-in names no subject")
	}
	return nil
}

// match finds the one resident of the claims. Where it answers false, the resident is the
// one whose counter can help, if there is one.
func (x *Registry) match(ctx context.Context, t tx.Tx, c Claims) (Resident, bool, error) {
	id, ok, err := x.Rows.Linked(ctx, t, c.Issuer, c.Subject)
	if err != nil {
		return Resident{}, false, err
	}
	if ok {
		s, err := x.Rows.Standings(ctx, t, []identity.CitizenID{id})
		return s[id].Resident, s[id].Lives(x.today()), err
	}
	living, err := x.living(ctx, t, c)
	if err != nil || len(living) != 1 {
		return Resident{}, false, err
	}
	return living[0], true, nil
}

// living lists the residents who match all four attributes and live here.
func (x *Registry) living(ctx context.Context, t tx.Tx, c Claims) ([]Resident, error) {
	born, err := civil.Parse(c.BirthDate)
	sexes := sexesOf(c.Gender)
	name, address := jptext.NameKey(c.Name), jptext.AddressKey(c.Address)
	if err != nil || len(sexes) == 0 || name == "" || address == "" {
		return nil, nil
	}
	candidates, err := x.Rows.BornOn(ctx, t, born, sexes, maxBornOn)
	if err != nil {
		return nil, err
	}
	var ids []identity.CitizenID
	for _, r := range candidates {
		if jptext.NameKey(r.Name.Kanji()) == name && jptext.AddressKey(r.Address) == address {
			ids = append(ids, r.ID)
		}
	}
	standings, err := x.Rows.Standings(ctx, t, ids)
	var out []Resident
	for _, s := range standings {
		if s.Lives(x.today()) {
			out = append(out, s.Resident)
		}
	}
	return out, err
}

func sexesOf(gender string) []identity.Sex {
	switch gender {
	case "male":
		return []identity.Sex{identity.SexMale}
	case "female":
		return []identity.Sex{identity.SexFemale}
	case "other":
		return []identity.Sex{identity.SexUnknown, identity.SexNotApplicable}
	}
	return nil
}

// unlinked makes the fault that sends a person to a counter: that of the resident's
// municipality, else that of the municipality which the address names, else the cell's
// first.
func (x *Registry) unlinked(ctx context.Context, t tx.Tx, r Resident, address string) (unlinked, err error) {
	all, err := x.Rows.Municipalities(ctx, t)
	if err != nil {
		return nil, err
	}
	f := fault.New(fault.IdentityUnlinked, "the sign-in could not be linked to one resident: go to the counter")
	if len(all) == 0 {
		return f, nil
	}
	at := all[0]
	folded := jptext.AddressKey(address)
	for _, m := range all {
		if r.Ref.Municipality == m.Code || r.Ref.Municipality == "" && strings.Contains(folded, jptext.AddressKey(m.NameJA)) {
			at = m
			break
		}
	}
	return AtCounter(f, at), nil
}
