package citizen

import (
	"context"

	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/identity"
)

// FamilyAge is the age in years under which a member makes a household a family to
// Families. Benefits count children to the end of the fiscal year in which they turn 22,
// and a claim lives two years.
const FamilyAge = 25

// Family is one household with what decisions about its children rest on.
type Family struct {
	Household    string
	Municipality identity.MunicipalityCode
	Members      []Relative // head first, then spouse, then by birth
}

// Relative is one member of a family.
type Relative struct {
	Standing
	Member
	Incomes []Income // by tax year, newest first
	Facts   []Told   // by name
}

// Told is a fact about a person that a file told. Its type is known to the rule that asks
// for it.
type Told struct {
	Fact, Value string
	Since       civil.Date
	Source      string
}

// Families gives up to limit households of the municipality with members under FamilyAge,
// by household after the one given. It records nothing: the caller records what it reads.
func (x *Registry) Families(ctx context.Context, t tx.Tx, m identity.MunicipalityCode, after string, limit int) ([]Family, error) {
	young := x.today()
	young.Year -= FamilyAge
	return x.Rows.Families(ctx, t, m, after, young, limit)
}

// Named gives the citizens that exist. It records nothing: the caller records what it reads.
func (x *Registry) Named(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID]Standing, error) {
	return x.Rows.Standings(ctx, t, ids)
}

// Housemates gives the members of each citizen's household, the citizen among them. It
// records nothing: the caller records what it reads.
func (x *Registry) Housemates(ctx context.Context, t tx.Tx, ids []identity.CitizenID) (map[identity.CitizenID][]identity.CitizenID, error) {
	return x.Rows.Housemates(ctx, t, ids)
}
