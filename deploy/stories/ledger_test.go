package stories_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// kept is one record at the backend.
type kept struct{ id, kind, about string }

// atBackend reads every record from the backend's store.
func (s *story) atBackend(ctx context.Context) ([]kept, error) {
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(s.DSN, "sqlite:")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	found, err := db.QueryContext(ctx, "SELECT record_id, kind, about FROM intake_record")
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var out []kept
	for found.Next() {
		var k kept
		if err := found.Scan(&k.id, &k.kind, &k.about); err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, found.Err()
}

// audit compares what the receptionist saw recorded with what the backend holds.
func (s *story) audit() {
	s.t.Helper()
	s.until(func(ctx context.Context) (bool, string) {
		all, err := s.atBackend(ctx)
		if err != nil {
			return false, err.Error()
		}
		faults := s.compare(all)
		return len(faults) == 0, strings.Join(faults, "; ")
	})
	s.t.Logf("%d records, %d taken back, %d certificates read: each at the backend exactly once", len(s.recorded), s.takenBack, s.scans)
}

// compare names every difference.
func (s *story) compare(all []kept) (faults []string) {
	checks, outcomes, kinds := map[string]int{}, map[string]int{}, map[string]int{}
	for _, k := range all {
		kinds[k.kind]++
		switch k.kind {
		case "eligibility.check":
			checks[k.id]++
		case "eligibility.outcome":
			outcomes[k.about]++
		}
	}
	for _, id := range s.recorded {
		if checks[id] != 1 {
			faults = append(faults, fmt.Sprintf("record %s is there %d times", id, checks[id]))
		}
		if outcomes[id] > 1 {
			faults = append(faults, fmt.Sprintf("the outcome of %s is there %d times", id, outcomes[id]))
		}
	}
	for kana, id := range s.of {
		if answered := value[bool](s.window, "Boolean(document.querySelector("+quote("#row-"+id+".answered,#row-"+id+".task")+"))"); answered && outcomes[id] != 1 {
			faults = append(faults, fmt.Sprintf("the answer of %s was told %d times", kana, outcomes[id]))
		}
	}
	for kind, want := range map[string]int{
		"eligibility.check": len(s.recorded), "eligibility.amendment": s.takenBack, "certificate.verification": s.scans,
	} {
		if kinds[kind] != want {
			faults = append(faults, fmt.Sprintf("%d of %s instead of %d", kinds[kind], kind, want))
		}
	}
	return faults
}

// Control: what was lost, doubled or never entered is found.
func TestTheAuditFindsDifferences(t *testing.T) {
	whole := []kept{{"a", "eligibility.check", ""}, {"b", "eligibility.check", ""}, {"c", "eligibility.outcome", "a"}, {"d", "eligibility.amendment", "b"}}
	for _, one := range []struct {
		words string
		all   []kept
	}{
		{"", whole},
		{"record b is there 0 times", append([]kept{whole[0]}, whole[2:]...)},
		{"3 of eligibility.check", append(whole[:4:4], kept{"e", "eligibility.check", ""})},
		{"the outcome of a is there 2 times", append(whole[:4:4], kept{"e", "eligibility.outcome", "a"})},
		{"0 of eligibility.amendment", whole[:3]},
	} {
		s := &story{recorded: []string{"a", "b"}, takenBack: 1}
		if faults := strings.Join(s.compare(one.all), "; "); !strings.Contains(faults, one.words) || (one.words == "") != (faults == "") {
			t.Errorf("the audit found %q instead of %q", faults, one.words)
		}
	}
}
