package population

import (
	"testing"
	"time"
)

// TestThePublishedPassport writes the second line of the specimen in Doc 9303 part 4.
func TestThePublishedPassport(t *testing.T) {
	born := time.Date(1974, time.August, 12, 0, 0, 0, 0, time.UTC)
	expires := time.Date(2012, time.April, 15, 0, 0, 0, 0, time.UTC)
	if got := secondLine("L898902C3", "UTO", born, female, expires, "ZE184226B"); got != "L898902C36UTO7408122F1204159ZE184226B<<<<<10" {
		t.Errorf("the second line is %s", got)
	}
}

func TestPassportsOfTheCast(t *testing.T) {
	for seed := range uint64(3) {
		town, err := Generate(seed, 200, "2026-11-21")
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, p := range []Part{town.Cast.Parent, town.Cast.Child, town.Cast.Single, town.Cast.Moved, town.Cast.Neighbour} {
			if len(p.MRZ[0]) != lineLength || len(p.MRZ[1]) != lineLength || seen[p.MRZ[1][:9]] {
				t.Errorf("seed %d: the passport of %s has the lines %q", seed, p.Words, p.MRZ)
				continue
			}
			seen[p.MRZ[1][:9]] = true
			born, err := time.Parse(time.DateOnly, p.BirthDate)
			if err != nil || p.MRZ[1][13:19] != born.Format("060102") {
				t.Errorf("seed %d: the passport of %s is somebody else's", seed, p.Words)
			}
		}
	}
}
