package childsupport_test

import (
	"fmt"
	"testing"

	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
)

// However many families have not answered yet: what waits for an officer stands in the queue.
func TestUnansweredOffersDoNotFillTheQueue(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite), family{"A", "2023-06-10"})
	id := b.flagged(t, "A")[0].ID
	for n := range childsupport.MaxCases + 5 {
		_, err := b.DB.Writer().ExecContext(t.Context(), `INSERT INTO child_case SELECT citizen_id, case_id || $1, municipality, indicator, $2, 'offered',
			flagged_at - 1000000, lapses_on, refs, support, decide_by, guardian_id, offer_id, notice_id, offered_at, answer, answered_at, outcome, closed_at, erase_on
			FROM child_case WHERE case_id = $3`, fmt.Sprint(n), n+2, id)
		must(t, err)
	}
	cases := b.open(t)
	if len(cases) != childsupport.MaxCases || cases[0].ID != id {
		t.Errorf("%d cases, the first %s", len(cases), cases[0].State)
	}
	if cases, err := b.Cases(t.Context(), ann, why, 1); err != nil || len(cases) != 1 || cases[0].ID != id {
		t.Errorf("the first case: %v, %v", cases, err)
	}
}
