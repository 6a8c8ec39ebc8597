package payer

import (
	"context"
	"maps"
	"slices"

	"filippo.io/age"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// RegistryID names the registry payer in profiles, checks and import files.
const RegistryID = "registry"

// CoverageRows is the storage that Registry needs. store/payer implements it.
type CoverageRows interface {
	// Add stores coverages unless their key is there, one result each: Added, Unchanged,
	// or Changed where other content is stored under the key, which it leaves as it is.
	Add(ctx context.Context, t tx.Tx, facts []citizen.Fact[Coverage]) ([]importing.Result, error)
	// Replace stores the coverage over the one with the same key.
	Replace(ctx context.Context, t tx.Tx, fact citizen.Fact[Coverage]) error
	// Under lists the coverages under a number, at most limit.
	Under(ctx context.Context, t tx.Tx, k Key, limit int) ([]Coverage, error)
	// Of lists a citizen's coverages.
	Of(ctx context.Context, t tx.Tx, id identity.CitizenID) ([]Coverage, error)
}

// People tells who citizens are. store/citizen implements it.
type People interface {
	citizen.Resolver
	Standings(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]citizen.Standing, error)
}

// maxUnder bounds the people under one number: a family has fewer.
const maxUnder = 200

// RegistryDeps are what a Registry works with; all are needed.
type RegistryDeps struct {
	Runner tx.Runner
	Rows   CoverageRows
	People People
	Record Record
	Key    *age.X25519Identity
	Name   string // shown at terminals
}

// Registry is the payer that answers from the coverages imported into this backend. It is
// safe for concurrent use.
type Registry struct{ RegistryDeps }

var _ Payer = (*Registry)(nil)

// NewRegistry makes a Registry.
func NewRegistry(d RegistryDeps) *Registry { return &Registry{d} }

// ID implements Payer.
func (*Registry) ID() string { return RegistryID }

// Published is how the payer stands in terminals' profiles.
func (r *Registry) Published() profile.Payer {
	return profile.Payer{ID: RegistryID, Name: r.Name, Recipient: r.Key.Recipient().String()}
}

// Answer implements Payer. It opens the inquiries before the transaction, in which it
// reads and logs what it read.
func (r *Registry) Answer(ctx context.Context, who actor.System, purpose audit.Purpose, checks []Check) ([]Finding, error) {
	inquiries := make([]eligibility.Inquiry, len(checks))
	refused := make([]fault.Code, len(checks))
	for i, c := range checks {
		var err error
		inquiries[i], err = Unseal(r.Key, c)
		refused[i] = fault.CodeOf(err)
	}
	var findings []Finding
	err := r.Runner.Do(ctx, func(ctx context.Context, t tx.Tx) error {
		findings = make([]Finding, len(checks))
		for i, q := range inquiries {
			if findings[i].Refused = refused[i]; refused[i] != "" {
				continue
			}
			found, looked, err := r.find(ctx, t, q)
			if err != nil {
				return err
			}
			findings[i] = found
			if err := r.log(ctx, t, who, purpose, q, looked); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return findings, nil
}

func (r *Registry) log(ctx context.Context, t tx.Tx, who actor.System, purpose audit.Purpose, q eligibility.Inquiry, looked []Subject) error {
	for _, s := range looked {
		if err := r.Record.Append(ctx, t, who, audit.Event{
			Purpose: purpose, Action: "coverage.read", CitizenID: s.Citizen, Municipality: s.Municipality,
			Object: q.RecordID, Items: []string{"birth_date", "coverage", "name"},
		}); err != nil {
			return err
		}
	}
	return nil
}

// find answers one inquiry and tells whose data it looked at for that: also people under
// the number who were born on another day. Names and numbers go back only with a valid
// coverage or with the very coverage that was asked about.
func (r *Registry) find(ctx context.Context, t tx.Tx, q eligibility.Inquiry) (f Finding, looked []Subject, err error) {
	matched, people, err := r.match(ctx, t, q)
	if err != nil {
		return Finding{}, nil, err
	}
	looked = subjects(people)
	maps.DeleteFunc(people, func(_ identity.CitizenID, p citizen.Standing) bool {
		return p.Resident.BirthDate.Date != q.BirthDate
	})
	validity, about, err := decide(q.VisitDay, matched, func(id identity.CitizenID) ([]Coverage, error) {
		return r.Rows.Of(ctx, t, id)
	})
	if err != nil {
		return Finding{}, nil, err
	}
	f = Finding{Answer: eligibility.Answer{RecordID: q.RecordID, VisitDay: q.VisitDay, Validity: validity}, Subjects: subjects(people)}
	if about.Citizen == "" {
		return f, looked, nil
	}
	tell(&f.Answer, about)
	if validity == eligibility.Valid {
		name := people[about.Citizen].Resident.Name
		f.Answer.CopaymentPercent = about.CopaymentPercent
		f.Answer.HolderKanji, f.Answer.HolderKana = name.Kanji(), name.Kana()
	}
	return f, looked, nil
}

func subjects(people map[identity.CitizenID]citizen.Standing) []Subject {
	var out []Subject
	for _, id := range slices.Sorted(maps.Keys(people)) {
		out = append(out, Subject{id, people[id].Resident.Ref.Municipality})
	}
	return out
}

func tell(a *eligibility.Answer, c Coverage) {
	a.InsurerNumber, a.InsurerName = string(c.InsurerNumber), c.InsurerName
	a.Symbol, a.Number, a.Branch = string(c.Symbol), string(c.Number), string(c.Branch)
	a.ValidFrom, a.ValidTo = c.ValidFrom, c.ValidTo
}

// match finds the coverages under the asked number whose holder was born on the asked day,
// and everybody under the number.
func (r *Registry) match(ctx context.Context, t tx.Tx, q eligibility.Inquiry) ([]Coverage, map[identity.CitizenID]citizen.Standing, error) {
	under, err := r.Rows.Under(ctx, t, keyOf(q.InsurerNumber, q.Symbol, q.Number), maxUnder)
	if err != nil {
		return nil, nil, err
	}
	var candidates []identity.CitizenID
	for _, c := range under {
		if sameBranch(q.Branch, c) && !slices.Contains(candidates, c.Citizen) {
			candidates = append(candidates, c.Citizen)
		}
	}
	people, err := r.People.Standings(ctx, t, candidates)
	if err != nil {
		return nil, nil, err
	}
	var matched []Coverage
	for _, c := range under {
		if p, ok := people[c.Citizen]; ok && p.Resident.BirthDate.Date == q.BirthDate && sameBranch(q.Branch, c) {
			matched = append(matched, c)
		}
	}
	return matched, people, nil
}
