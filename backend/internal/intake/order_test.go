package intake_test

import (
	"strings"
	"testing"

	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

// Whatever order outcome, amendment and the same check again come in, alone or together,
// and however often: what stands in the end is the same.
func TestOutcomesAndAmendmentsInAnyOrder(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		seq := uint64(0)
		next := func() uint64 { seq++; return seq }
		orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
		for _, order := range orders {
			for _, together := range []bool{false, true} {
				asked := b.check(t, next(), byTerminal)
				word := b.outcome(t, next(), asked.ID)
				by := b.check(t, next(), byTerminal, func(c *wire.EligibilityCheck) { c.Amends = asked.ID })
				back := b.amendment(t, next(), asked.ID, by.ID)
				b.receive(t, clinic, asked)
				parts := [][]wire.Record{{word}, {by, back}, {asked}}
				if together { // in one batch records stand in their order
					b.receive(t, clinic, word, by, back)
				}
				for _, i := range order {
					if got := statuses(b.receive(t, clinic, parts[i]...)); strings.Contains(got, "rejected") || strings.Contains(got, "conflict") {
						t.Errorf("order %v, together %v: %s", order, together, got)
					}
				}
				for _, c := range []struct {
					id   string
					want [4]string
				}{
					{asked.ID, [4]string{"kept", back.ID, by.ID, ""}}, {word.ID, [4]string{"kept", "", "", asked.ID}},
					{by.ID, [4]string{"kept", "", "", asked.ID}}, {back.ID, [4]string{"kept", "", "", asked.ID}},
				} {
					if got := b.marks(t, c.id); got != c.want {
						t.Errorf("order %v, together %v: %q, want %q", order, together, got, c.want)
					}
				}
			}
		}
		if b.strays(t) != 0 || b.jobs(t) != 0 {
			t.Errorf("%d strays, %d jobs", b.strays(t), b.jobs(t))
		}
	})
}

// Terminals that only verify certificates do no insurance work of any kind, and nothing of
// what they send is kept.
func TestCountersAndSheltersDoNoInsuranceWork(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for i, class := range []profile.Class{profile.Counter, profile.Shelter, ""} {
			who := clinic
			who.Class = string(class)
			seq := uint64(10 * (i + 1))
			theirs, payers := b.check(t, seq, byTerminal), b.check(t, seq+1)
			word, back := b.outcome(t, seq+2, theirs.ID), b.amendment(t, seq+3, theirs.ID, "")
			for _, r := range b.receive(t, who, theirs, payers, word, back) {
				if r.Status != wire.Rejected || r.Code != string(fault.Forbidden) {
					t.Errorf("%q: %s %s", class, r.Status, r.Code)
				}
				if got := b.marks(t, r.ID); got != [4]string{} {
					t.Errorf("%q: kept as %q", class, got)
				}
			}
		}
		if b.jobs(t) != 0 {
			t.Error("a payer is asked")
		}
	})
}
