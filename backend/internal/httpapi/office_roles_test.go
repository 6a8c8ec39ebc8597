package httpapi

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/actor"
)

// oneRole is a gate whose officer holds the role that the session names.
type oneRole struct{ openGate }

func (oneRole) Staff(_ context.Context, c Credentials) (actor.Staff, error) {
	return actor.Staff{ID: "stf_1", Name: "窓口 文香", Municipality: "990019", Roles: []actor.Role{actor.Role(c.Session)}}, nil
}

// Who may open or send what: each page by its roles, every other officer is refused.
func TestOfficePagesByRole(t *testing.T) {
	routes, change := officeRoutes(t, 2)
	s := serve(t, io.Discard, func(c *Config) { change(c); c.Gate = oneRole{} }, routes...)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	clerk, both := []actor.Role{actor.Clerk}, []actor.Role{actor.Clerk, actor.Approver}
	approver, protector := []actor.Role{actor.Approver}, []actor.Role{actor.Protector}
	awards, answers := slices.Concat(both, protector), slices.Concat(clerk, protector)
	child, second := []actor.Role{actor.ChildOfficer}, []actor.Role{actor.ChildApprover}
	for _, c := range []struct {
		method, path string
		may          []actor.Role
	}{
		{"GET", "/office/", actor.Roles()},
		{"GET", "/office/benefits", both}, {"GET", "/office/benefits/new", clerk}, {"POST", "/office/benefits/runs", clerk},
		{"GET", "/office/benefits/runs/run_1", both}, {"GET", "/office/benefits/runs/run_1/progress", both},
		{"GET", "/office/benefits/runs/run_1/awards", both}, {"GET", "/office/benefits/runs/run_1/questions", both},
		{"POST", "/office/benefits/runs/run_1/act", clerk}, {"POST", "/office/benefits/runs/run_1/list", clerk},
		{"GET", "/office/benefits/awards/awd_1", awards}, {"POST", "/office/benefits/awards/awd_1/letter", answers}, {"POST", "/office/benefits/awards/awd_1/refusal", answers},
		{"GET", "/office/benefits/lists/lst_1", both}, {"POST", "/office/benefits/lists/lst_1/approve", approver}, {"POST", "/office/benefits/lists/lst_1/return", approver},
		{"GET", "/office/children", slices.Concat(child, second)}, {"GET", "/office/children/cases/chc_1", slices.Concat(child, second)},
		{"GET", "/office/children/erasures", []actor.Role{actor.ChildApprover, actor.Auditor}},
		{"POST", "/office/children/cases/chc_1/assess", child}, {"POST", "/office/children/cases/chc_1/close", child},
		{"POST", "/office/children/cases/chc_1/approve", second}, {"POST", "/office/children/cases/chc_1/return", second},
		{"GET", "/office/certificates", both}, {"POST", "/office/certificates/find", both}, {"GET", "/office/certificates/corrections/K-2345-6789", both},
		{"POST", "/office/certificates/corrections/K-2345-6789/answer", clerk}, {"GET", "/office/certificates/papers/C-2345-6789", both},
		{"POST", "/office/certificates/papers/C-2345-6789/revoke", approver},
		{"GET", "/office/protection", protector}, {"GET", "/office/protection/withheld/wth_1", protector}, {"POST", "/office/protection/withheld/wth_1", protector},
		{"POST", "/office/protection/flags", protector}, {"POST", "/office/protection/flags/lift", protector},
	} {
		for _, role := range actor.Roles() {
			r, err := http.NewRequest(c.method, s.base+c.path, strings.NewReader("once=onc_1"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Set("Cookie", SessionCookie+"="+string(role))
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if let := resp.StatusCode != http.StatusForbidden; let != slices.Contains(c.may, role) || resp.StatusCode >= 500 {
				t.Errorf("%s %s by %s: status %d", c.method, c.path, role, resp.StatusCode)
			}
		}
	}
}
