package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/httpapi"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/tx"
)

// post sends a form as the officer of the role.
func (w *world) post(t *testing.T, role actor.Role, path string, form url.Values) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, w.base+path, strings.NewReader(form.Encode()))
	must(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Cookie", httpapi.SessionCookie+"="+sessionOf(role))
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(body)
}

// only gives the one text that a query finds.
func (w *world) only(t *testing.T, query string) (out string) {
	t.Helper()
	n := 0
	must(t, w.db.Reads().Each(t.Context(), query, nil, func(scan func(...any) error) error { n++; return scan(&out) }))
	if n != 1 {
		t.Fatalf("%d rows: %s", n, query)
	}
	return out
}

// rows counts every table but the sessions, in which looking is noted.
func (w *world) rows(t *testing.T) map[string]int {
	t.Helper()
	var names []string
	must(t, w.db.Reads().Each(t.Context(), `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'river%'`, nil,
		func(scan func(...any) error) error {
			var name string
			err := scan(&name)
			names = append(names, name)
			return err
		}))
	out := map[string]int{}
	for _, name := range names {
		must(t, w.db.Reads().Each(t.Context(), "SELECT count(*) FROM "+name, nil, func(scan func(...any) error) error {
			var n int
			err := scan(&n)
			out[name] = n
			return err
		}))
	}
	return out
}

// form is one act of an officer.
type form struct {
	role actor.Role
	path string
	form url.Values
}

// acts are the forms by which officers work with the people of the world, in an order in
// which each can be done.
func (w *world) acts(t *testing.T) []form {
	t.Helper()
	kase := "/office/children/cases/" + w.only(t, `SELECT case_id FROM child_case`)
	paid := "/office/benefits/awards/" + w.only(t, `SELECT award_id FROM award WHERE citizen_id IN (SELECT citizen_id FROM resident WHERE ref = 'Sh')`)
	withheld := "/office/protection/withheld/" + w.only(t, `SELECT withheld_id FROM withheld WHERE citizen_id IN (SELECT citizen_id FROM resident WHERE ref = 'R4')`)
	const why = "himitsu-no-riyuu です"
	return []form{
		{actor.ChildOfficer, kase + "/assess", url.Values{"contact": {"yes"}, "support": {"home_visit"}, "reason": {why}}},
		{actor.ChildApprover, kase + "/approve", url.Values{"reason": {why}}},
		{actor.ChildOfficer, kase + "/close", url.Values{"outcome": {"started"}, "note": {why}}},
		{actor.Clerk, paid + "/letter", url.Values{"on": {"2026-11-21"}}},
		{actor.Clerk, paid + "/refusal", url.Values{"on": {"2026-11-21"}, "reason": {why}}},
		{actor.Protector, withheld, url.Values{"how": {"in_person"}, "note": {why}}},
		{actor.Protector, "/office/protection/flags", url.Values{"ref": {"Sh"}, "kind": {"do_not_contact"}}},
		{actor.Protector, "/office/protection/flags/lift", url.Values{"ref": {"R4"}, "kind": {"non_disclosure"}, "sure": {"yes"}}},
	}
}

// Where the access record cannot be written, no page shows anybody and no act is done. Where
// it can, the same acts are done, and the log tells nothing of anybody.
func TestWhatCannotBeRecordedIsNeitherShownNorDone(t *testing.T) {
	w := inhabit(t, "log_level = \"debug\"")
	w.live(t, true)
	acts, before := w.acts(t), w.rows(t)
	_, err := w.db.Writer().ExecContext(t.Context(), `ALTER TABLE audit_entry RENAME TO audit_away`)
	must(t, err)
	people := regexp.MustCompile(`佐藤|雪野|山田|高橋|\b(Sh|Ss|Sc|Sk|Yh|R1|R4)\b|図書館|1985年2月3日`)
	for _, role := range actor.Roles() {
		for _, path := range []string{"/office/", "/office/notices", "/office/benefits", "/office/children", "/office/children/erasures", "/office/protection", "/office/records",
			"/office/notices/" + w.only(t, `SELECT notice_id FROM notice WHERE posting = ''`),
			strings.TrimSuffix(acts[0].path, "/assess"), strings.TrimSuffix(acts[3].path, "/letter"), acts[5].path} {
			if _, page := w.get(t, sessionOf(role), path); people.MatchString(page) {
				t.Errorf("%s, %s: %q is shown though nobody can know that it was", role, path, people.FindString(page))
			}
		}
	}
	for _, a := range acts {
		if status, page := w.post(t, a.role, a.path, a.form); status < 400 || people.MatchString(page) {
			t.Errorf("%s: status %d, %q", a.path, status, people.FindString(page))
		}
	}
	w.citizenCannot(t)
	_, err = w.db.Writer().ExecContext(t.Context(), `ALTER TABLE audit_away RENAME TO audit_entry`)
	must(t, err)
	after := w.rows(t)
	for table, n := range before {
		if after[table] != n {
			t.Errorf("%s has %d rows, %d before", table, after[table], n)
		}
	}
	for _, a := range acts {
		if status, page := w.post(t, a.role, a.path, a.form); status != http.StatusSeeOther && status != http.StatusFound {
			t.Errorf("%s: status %d\n%s", a.path, status, page)
		}
	}
	for _, word := range []string{"himitsu", "佐藤", "雪野", "山田", "Sh", "Sk", "R4", "YUKINO", "missed", "home_visit", "checkup", "non_disclosure", "do_not_contact"} {
		if at := strings.Index(w.log.String(), word); at >= 0 {
			t.Errorf("the log says %q: %s", word, w.log.String()[max(0, at-120):at+40])
		}
	}
}

// citizenCannot has the people of the world ask for what is theirs.
func (w *world) citizenCannot(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	var who actor.Citizen
	must(t, w.db.Runner().Do(ctx, func(ctx context.Context, tt tx.Tx) error {
		ids, err := w.citizens.Residents(ctx, tt, "990019", []string{"Sh"})
		who = actor.Citizen{ID: ids["Sh"], Municipality: "990019", Session: "ses_1"}
		return err
	}))
	for name, call := range map[string]func() (any, error){
		"me": func() (any, error) { out, err := w.citizens.Me(ctx, who, audit.Self); return out.People, err },
		"log": func() (any, error) {
			out, _, err := w.citizens.AccessLog(ctx, who, audit.Self, "", 10)
			return out, err
		},
		"offers": func() (any, error) { out, _, err := w.children.Offers(ctx, who, audit.Self); return out, err },
		"answer": func() (any, error) {
			return w.children.Answer(ctx, who, audit.Self, "off_00000000000000000000000000", childsupport.Yes)
		},
		"awards": func() (any, error) { out, _, err := w.awards.Mine(ctx, who, audit.Self); return out, err },
		"notices": func() (any, error) {
			out, err := w.notices.List(ctx, who, audit.Self, mailbox.Place{}, 10, func(string) bool { return false })
			return out.Notices, err
		},
	} {
		out, err := call()
		if err == nil {
			t.Errorf("%s: shown though nobody can know that it was", name)
		}
		if s := fmt.Sprint(out); strings.Contains(s, "佐藤") {
			t.Errorf("%s: an error comes with %s", name, s)
		}
	}
}
