//go:build !race

package hcert_test

import (
	"testing"

	"madoguchi.example/shared/cert/hcert"
)

// TestFrugal bounds what one verification allocates. Under the race detector pools give
// back less than they were given.
func TestFrugal(t *testing.T) {
	const most = 25
	key := testKey(t, 7)
	dsc := newDSC(t, key)
	snap, hc1 := believe(t, dsc), []byte(issue(t, key, dsc, claims(), hcert.Options{}))
	if n := testing.AllocsPerRun(100, func() { hcert.Verify(hc1, snap, at) }); n > most {
		t.Errorf("%v allocations, at most %d", n, most)
	}
}
