package app

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/actor"
)

var seenField = regexp.MustCompile(`name="seen" value="([0-9]+)"`)

// Somebody who opened a case before it was returned and assessed anew does not allow, from
// that page, an offer that they have not seen.
func TestAStalePageApprovesNothing(t *testing.T) {
	w := inhabit(t, "")
	w.live(t, false)
	kase := "/office/children/cases/" + w.only(t, `SELECT case_id FROM child_case`)
	send := func(role actor.Role, act string, form url.Values) int {
		status, _ := w.post(t, role, kase+act, form)
		return status
	}
	state := func() string { return w.only(t, `SELECT state FROM child_case`) }
	assess := func(support string) string {
		t.Helper()
		if status := send(actor.ChildOfficer, "/assess", url.Values{"contact": {"yes"}, "support": {support}, "reason": {"お話をうかがいたい。"}}); status != http.StatusSeeOther {
			t.Fatalf("assess: %d", status)
		}
		_, page := w.get(t, sessionOf(actor.ChildApprover), kase)
		found := seenField.FindAllStringSubmatch(page, -1)
		if len(found) != 2 {
			t.Fatalf("the page names its assessment %d times", len(found))
		}
		return found[0][1]
	}
	decision := func(seen string) url.Values { return url.Values{"seen": {seen}, "reason": {"案内してよい。"}} }
	old := assess("home_visit")
	if status := send(actor.ChildApprover, "/return", decision(old)); status != http.StatusSeeOther || state() != "returned" {
		t.Fatalf("return: %d, %s", status, state())
	}
	w.clock.advance()
	fresh := assess("parenting_talk")
	for _, act := range []string{"/approve", "/return"} {
		status, page := w.post(t, actor.ChildApprover, kase+act, decision(old))
		if status == http.StatusSeeOther || state() != "assessed" || !strings.Contains(page, fresh) {
			t.Errorf("%s from the old page: %d, %s", act, status, state())
		}
	}
	if status := send(actor.ChildApprover, "/approve", decision(fresh)); status != http.StatusSeeOther || state() != "offered" {
		t.Errorf("approve: %d, %s", status, state())
	}
}
