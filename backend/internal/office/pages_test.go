package office_test

import (
	"context"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/backend/internal/office/officetest"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

// ask calls the page function that a path leads to.
func ask(t *testing.T, o *office.Office, who actor.Staff, method, path string, form url.Values, l notice.Language) office.Page {
	t.Helper()
	path, query, _ := strings.Cut(path, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	in := office.Request{Method: method, Query: q, Form: form, Param: map[string]string{}, Cookie: map[string]string{"madoguchi_office_language": string(l)}}
	for route, page := range pages(o) {
		m, pattern, _ := strings.Cut(route, " ")
		expr := regexp.MustCompile("^" + strings.ReplaceAll(pattern, "{id}", "([a-z]+_[0-9]+|[A-Z]-[0-9A-Z]{4}-[0-9A-Z]{4})") + "$")
		if found := expr.FindStringSubmatch(path); m == method && found != nil {
			in.Path = pattern
			if len(found) > 1 {
				in.Param["id"] = found[1]
			}
			out, err := page(t.Context(), who, in)
			if err != nil {
				t.Fatalf("%s %s: %v", method, path, err)
			}
			return out
		}
	}
	t.Fatalf("no page at %s %s", method, path)
	return office.Page{}
}

// every page of this part of the console, with the state of the canned municipality that
// shows the most of it.
var everyPage = []string{
	"/office/", "/office/benefits", "/office/benefits/new", "/office/benefits/runs/run_1", "/office/benefits/runs/run_1/awards",
	"/office/benefits/runs/run_1/awards?state=noticed", "/office/benefits/runs/run_1/questions", "/office/benefits/awards/awd_1", "/office/benefits/lists/lst_1",
	"/office/children", "/office/children/cases/chc_1", "/office/children/erasures", "/office/protection", "/office/protection/withheld/wth_1",
	"/office/certificates", "/office/certificates/corrections/K-2345-6789", "/office/certificates/papers/C-2345-6789", "/office/certificates/papers/R-2345-6789",
}

// In every language and every state, each page has its words, one h1, and a label for
// each field.
func TestPagesInThreeLanguages(t *testing.T) {
	looked := 0
	for _, rows := range []int{0, 1, 12} {
		for i := range 9 {
			c := &officetest.Canned{Rows: rows, Own: i%2 == 1,
				Run:    pick(i, office.RunDrafted, office.RunCounting, office.RunCounted, office.RunRunning, office.RunPaused, office.RunDone),
				Stage:  pick(i, office.CaseFlagged, office.CaseAssessed, office.CaseReturned, office.CaseOffered, office.CaseWithPerson, office.CaseAccepted, office.CaseDeclined, office.CaseClosed, office.CaseLapsed),
				State:  pick(i, office.AwardStates()...),
				Listed: pick(i, "gathering", "waiting", "approved", "returned", "empty")}
			o := console(t, c)
			for _, l := range notice.Languages() {
				for _, path := range everyPage {
					if rows == 0 && strings.Contains(path, "/withheld/") {
						continue
					}
					html := get(t, o, everyRole, path, l)
					sound(t, string(l)+" "+path, html)
					looked++
				}
			}
		}
	}
	t.Logf("%d pages", looked)
}

func pick[T any](i int, all ...T) T { return all[i%len(all)] }

var (
	fieldID = regexp.MustCompile(`<(?:input|textarea|select)[^>]* id="([^"]+)"`)
	anyID   = regexp.MustCompile(` id="([^"]+)"`)
	refers  = regexp.MustCompile(` (?:aria-describedby|aria-labelledby|for)="([^"]+)"`)
)

// sound checks what every page promises.
func sound(t *testing.T, name, html string) {
	t.Helper()
	if strings.Contains(html, "⟦") || strings.Contains(html, "%!") || strings.Contains(html, "ZgotmplZ") {
		at := strings.IndexAny(html, "⟦%")
		t.Errorf("%s lacks a word: %s", name, html[max(0, at-40):min(len(html), at+80)])
	}
	if regexp.MustCompile(`\{[0-9]\}`).MatchString(html) {
		t.Errorf("%s has a sentence that was not filled in", name)
	}
	if n := strings.Count(html, "<h1"); n != 1 {
		t.Errorf("%s has %d h1", name, n)
	}
	ids := map[string]bool{}
	for _, m := range anyID.FindAllStringSubmatch(html, -1) {
		if ids[m[1]] {
			t.Errorf("%s has two %q", name, m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range refers.FindAllStringSubmatch(html, -1) {
		for _, id := range strings.Fields(m[1]) {
			if !ids[id] {
				t.Errorf("%s refers to %q, which is not there", name, id)
			}
		}
	}
	for _, m := range fieldID.FindAllStringSubmatch(html, -1) {
		if !strings.Contains(html, `for="`+m[1]+`"`) && !strings.Contains(html, `<label class="choice"><input type="checkbox" id="`+m[1]+`"`) {
			t.Errorf("%s: %q has no label", name, m[1])
		}
	}
}

// Which acts a page offers depends on the officer's role, on the state, and on whether it
// is their own work.
func TestActsByRole(t *testing.T) {
	clerk, approver := officer(actor.Clerk), officer(actor.Approver)
	child, second := officer(actor.ChildOfficer), officer(actor.ChildApprover)
	run, award, list, kase := "/office/benefits/runs/run_1", "/office/benefits/awards/awd_1", "/office/benefits/lists/lst_1", "/office/children/cases/chc_1"
	for _, c := range []struct {
		name string
		who  actor.Staff
		path string
		set  *officetest.Canned
		want []string // the forms' actions under the path
	}{
		{"clerk, drafted", clerk, run, &officetest.Canned{Run: office.RunDrafted}, []string{"/act:count"}},
		{"clerk, counted", clerk, run, &officetest.Canned{Run: office.RunCounted}, []string{"/act:start", "/act:count"}},
		{"clerk, running", clerk, run, &officetest.Canned{Run: office.RunRunning}, []string{"/act:pause"}},
		{"clerk, paused", clerk, run, &officetest.Canned{Run: office.RunPaused}, []string{"/act:resume"}},
		{"clerk, done", clerk, run, &officetest.Canned{Run: office.RunDone}, []string{"/list"}},
		{"approver, counted", approver, run, &officetest.Canned{Run: office.RunCounted}, nil},
		{"approver, done", approver, run, &officetest.Canned{Run: office.RunDone}, nil},
		{"clerk, award noticed", clerk, award, &officetest.Canned{State: office.Noticed}, []string{"/letter", "/refusal"}},
		{"clerk, award approved", clerk, award, &officetest.Canned{State: office.Approved}, nil},
		{"approver, award noticed", approver, award, &officetest.Canned{State: office.Noticed}, nil},
		{"approver, list", approver, list, &officetest.Canned{Rows: 2, Listed: "waiting"}, []string{"/approve", "/return"}},
		{"approver, own list", approver, list, &officetest.Canned{Rows: 2, Listed: "waiting", Own: true}, nil},
		{"approver, approved list", approver, list, &officetest.Canned{Rows: 2, Listed: "approved"}, nil},
		{"clerk, list", clerk, list, &officetest.Canned{Rows: 2, Listed: "waiting"}, nil},
		{"child officer, flagged", child, kase, &officetest.Canned{Stage: office.CaseFlagged}, []string{"/assess"}},
		{"child officer, assessed", child, kase, &officetest.Canned{Stage: office.CaseAssessed, Own: true}, nil},
		{"child officer, accepted", child, kase, &officetest.Canned{Stage: office.CaseAccepted}, []string{"/close"}},
		{"child officer, closed", child, kase, &officetest.Canned{Stage: office.CaseClosed}, nil},
		{"child approver, flagged", second, kase, &officetest.Canned{Stage: office.CaseFlagged}, nil},
		{"child approver, assessed", second, kase, &officetest.Canned{Stage: office.CaseAssessed}, []string{"/approve", "/return"}},
		{"both roles, own case", officer(actor.ChildOfficer, actor.ChildApprover), kase, &officetest.Canned{Stage: office.CaseAssessed, Own: true}, nil},
		{"child approver, accepted", second, kase, &officetest.Canned{Stage: office.CaseAccepted}, nil},
	} {
		html := get(t, console(t, c.set), c.who, c.path, notice.Japanese)
		if got := acts(html, c.path); !slices.Equal(got, c.want) {
			t.Errorf("%s: acts %v, want %v", c.name, got, c.want)
		}
		if says := strings.Contains(html, "あなたには承認できません"); says != c.set.Own {
			t.Errorf("%s: says that it is their own work: %v", c.name, says)
		}
	}
}

var (
	action = regexp.MustCompile(`<form method="post" action="([^"]+)"`)
	button = regexp.MustCompile(`name="act" value="([^"]+)"`)
)

func acts(html, path string) []string {
	var out []string
	for _, m := range action.FindAllStringSubmatch(html, -1) {
		under, ours := strings.CutPrefix(m[1], path)
		if !ours {
			continue
		}
		if under != "/act" {
			out = append(out, under)
			continue
		}
		for _, b := range button.FindAllStringSubmatch(html, -1) {
			out = append(out, "/act:"+b[1])
		}
	}
	return out
}

// form is what an officer sends, and what becomes of it.
type form struct {
	name, path string
	send       url.Values
	fault      error  // of the use case
	field      string // id of the field that is blamed, "" when it is taken
	act        string // what reached the use case
}

func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

const longReason = "窓口で確かめました。"

func forms() []form {
	run, award, list, kase := "/office/benefits/runs", "/office/benefits/awards/awd_1", "/office/benefits/lists/lst_1", "/office/children/cases/chc_1"
	draft := func(change ...string) url.Values {
		v := values("once", "onc_1", "benefit", "oneoff", "month", "2026-11", "deadline", "2026-12-11", "pay_on", "2026-12-25")
		for i := 0; i < len(change); i += 2 {
			v.Set(change[i], change[i+1])
		}
		return v
	}
	own, conflict := fault.At(fault.Forbidden, "own_work", "x"), fault.New(fault.Conflict, "x")
	return []form{
		{"a run", run, draft(), nil, "", "draft oneoff 2026-11-01 2026-12-11 2026-12-25"},
		{"a run as people write", run, draft("month", "２０２６年１１月", "deadline", "令和8年12月11日"), nil, "", "draft oneoff 2026-11-01 2026-12-11 2026-12-25"},
		{"a run of nothing", run, draft("benefit", "x"), nil, "draft-benefit", ""},
		{"no month", run, draft("month", "11"), nil, "draft-month", ""},
		{"too little time", run, draft("deadline", "2026-12-04"), nil, "draft-deadline", ""},
		{"paid before the deadline", run, draft("pay_on", "2026-12-11"), nil, "draft-pay_on", ""},
		{"a month without a rule", run, draft(), fault.At(fault.InvalidArgument, "month", "x"), "draft-month", ""},
		{"count", run + "/run_1/act", values("act", "count"), nil, "", "count run_1"},
		{"an act that is none", run + "/run_1/act", values("act", "burn"), nil, "whole", ""},
		{"too late to start", run + "/run_1/act", values("act", "start"), conflict, "whole", ""},
		{"a list", run + "/run_1/list", values(), nil, "", "propose run_1"},
		{"a second list", run + "/run_1/list", values(), conflict, "whole", ""},
		{"nobody ready for a list", run + "/run_1/list", values(), fault.At(fault.Conflict, "run", "x"), "whole", ""},
		{"a start too near the deadline", run + "/run_1/act", values("act", "start"), fault.At(fault.Conflict, "deadline", "x"), "whole", ""},
		{"a refusal too late", award + "/refusal", values("on", "2026-11-21", "reason", longReason), fault.At(fault.Conflict, "deadline", "x"), "whole", ""},
		{"a list with a new refusal", list + "/approve", values("count", "2", "total", "1", "reason", longReason), fault.At(fault.Conflict, "list", "x"), "whole", ""},
		{"nobody to write to", kase + "/assess", values("contact", "yes", "support", "home_visit", "reason", longReason), fault.At(fault.Conflict, "contact", "x"), "assess-contact", ""},
		{"a letter", award + "/letter", values("on", "2026-11-20"), nil, "", "letter awd_1 2026-11-20"},
		{"a letter of tomorrow", award + "/letter", values("on", "2026-11-22"), nil, "letter-on", ""},
		{"a letter before the notice", award + "/letter", values("on", "2026-11-01"), fault.At(fault.InvalidArgument, "delivered_on", "x"), "letter-on", ""},
		{"a letter of no day", award + "/letter", values("on", ""), nil, "letter-on", ""},
		{"a refusal", award + "/refusal", values("on", "2026-11-21", "reason", longReason), nil, "", "refusal awd_1 2026-11-21 " + longReason},
		{"a refusal without a word", award + "/refusal", values("on", "2026-11-21", "reason", " "), nil, "refusal-reason", ""},
		{"a refusal with a My Number", award + "/refusal", values("on", "2026-11-21", "reason", "番号 1234 5678 9018"), nil, "refusal-reason", ""},
		{"an approval", list + "/approve", values("count", "２件", "total", "40,000円", "reason", longReason), nil, "", "approve lst_1 2 40000 " + longReason},
		{"an approval without a total", list + "/approve", values("count", "2", "total", "", "reason", longReason), nil, "approve-total", ""},
		{"a total in words", list + "/approve", values("count", "2", "total", "四万", "reason", longReason), nil, "approve-total", ""},
		{"a wrong total", list + "/approve", values("count", "2", "total", "1", "reason", longReason), fault.At(fault.Conflict, "total", "x"), "approve-total", ""},
		{"own list", list + "/approve", values("count", "2", "total", "1", "reason", longReason), own, "whole", ""},
		{"a list returned", list + "/return", values("reason", longReason), nil, "", "return lst_1 " + longReason},
		{"a list returned in a word", list + "/return", values("reason", "否"), nil, "return-reason", ""},
		{"an offer proposed", kase + "/assess", values("contact", "yes", "support", "home_visit", "reason", longReason), nil, "", "assess chc_1 true false home_visit " + longReason},
		{"no contact", kase + "/assess", values("contact", "no", "support", "home_visit", "reason", longReason), nil, "", "assess chc_1 false false  " + longReason},
		{"wrong data", kase + "/assess", values("contact", "wrong", "reason", longReason), nil, "", "assess chc_1 false true  " + longReason},
		{"an offer of nothing", kase + "/assess", values("contact", "yes", "reason", longReason), nil, "assess-support", ""},
		{"an offer not in the catalogue", kase + "/assess", values("contact", "yes", "support", "x", "reason", longReason), fault.At(fault.InvalidArgument, "support", "x"), "assess-support", ""},
		{"no assessment", kase + "/assess", values("contact", "yes", "support", "home_visit", "reason", ""), nil, "assess-reason", ""},
		{"no proposal", kase + "/assess", values("reason", longReason), nil, "assess-contact", ""},
		{"own case", kase + "/approve", values("reason", longReason), own, "whole", ""},
		{"contact approved", kase + "/approve", values("reason", longReason), nil, "", "approve chc_1 " + longReason},
		{"contact approved without a word", kase + "/approve", values("reason", ""), nil, "contact-reason", ""},
		{"a case returned without a word", kase + "/return", values(), nil, "return-reason", ""},
		{"a case closed", kase + "/close", values("outcome", "started"), nil, "", "close chc_1 started "},
		{"a case closed without an outcome", kase + "/close", values("note", "x"), nil, "close-outcome", ""},
		{"answered", "/office/certificates/corrections/K-2345-6789/answer", values("answer", "corrected", "words", longReason), nil, "", "answer K-2345-6789 corrected " + longReason},
		{"answered without a word", "/office/certificates/corrections/K-2345-6789/answer", values("answer", "corrected"), nil, "answer-words", ""},
		{"answered somehow", "/office/certificates/corrections/K-2345-6789/answer", values("words", longReason), nil, "answer-answer", ""},
		{"answered by My Number", "/office/certificates/corrections/K-2345-6789/answer", values("answer", "corrected", "words", "あなたの番号は 123456789018 です"), nil, "answer-words", ""},
		{"a certificate revoked", "/office/certificates/papers/C-2345-6789/revoke", values("reason", longReason, "sure", "yes"), nil, "", "revoke C-2345-6789 " + longReason},
		{"revoked too lightly", "/office/certificates/papers/C-2345-6789/revoke", values("reason", longReason), nil, "revoke-sure", ""},
		{"nothing looked up", "/office/certificates/find", values("reference", ""), nil, "find-reference", ""},
		{"a reference of nobody", "/office/certificates/find", values("reference", "C-9999-9999"), nil, "find-reference", ""},
		{"settled", "/office/protection/withheld/wth_1", values("how", "by_phone", "note", longReason), nil, "", "settle wth_1 by_phone " + longReason},
		{"settled somehow", "/office/protection/withheld/wth_1", values("note", longReason), nil, "settle-how", ""},
		{"protected", "/office/protection/flags", values("ref", "R-000001", "kind", "do_not_contact"), nil, "", "set R-000001 do_not_contact "},
		{"protected until yesterday", "/office/protection/flags", values("ref", "R-000001", "kind", "do_not_contact", "until", "2026-11-20"), nil, "flag-until", ""},
		{"protected by My Number", "/office/protection/flags", values("ref", "123456789018", "kind", "do_not_contact"), nil, "flag-ref", ""},
		{"nobody to protect", "/office/protection/flags", values("ref", "R-9", "kind", "do_not_contact"), fault.At(fault.NotFound, "ref", "x"), "flag-ref", ""},
		{"lifted", "/office/protection/flags/lift", values("ref", "R-000001", "kind", "non_disclosure", "sure", "yes"), nil, "", "lift R-000001 non_disclosure"},
		{"lifted too lightly", "/office/protection/flags/lift", values("ref", "R-000001", "kind", "non_disclosure"), nil, "lift-sure", ""},
	}
}

// What is typed reaches the use case, or the page comes back with what was typed and the
// mend beside its field. What may be a My Number is not kept.
func TestForms(t *testing.T) {
	for _, f := range forms() {
		c := &officetest.Canned{Rows: 2, Run: office.RunDone, Stage: stageFor(f.path), State: office.Noticed, Listed: "waiting", Fault: f.fault}
		page := ask(t, console(t, c), everyRole, "POST", f.path, maps.Clone(f.send), notice.Japanese)
		if f.field == "" {
			if page.Location == "" || !slices.Equal(c.Acts(), []string{f.act}) {
				t.Errorf("%s: %d, acts %q, want %q", f.name, page.Status, c.Acts(), f.act)
			}
			continue
		}
		html := string(page.HTML)
		if page.Status != 422 || len(c.Acts()) > 0 {
			t.Errorf("%s: status %d, acts %q", f.name, page.Status, c.Acts())
		}
		sound(t, f.name, html)
		if f.field != "whole" && (!strings.Contains(html, `id="`+f.field+`-fault"`) || !strings.Contains(html, `href="#`+f.field+`"`)) {
			t.Errorf("%s: no mend at %s", f.name, f.field)
		}
		if !strings.Contains(html, `role="alert"`) {
			t.Errorf("%s: the page does not say that something needs mending", f.name)
		}
		for name, sent := range f.send {
			lost := len(sent[0]) > 4 && !strings.Contains(html, sent[0]) && name != "act"
			secret := strings.Contains(f.name, "My Number") && strings.HasSuffix(f.field, "-"+name)
			if lost && !secret && f.field != "whole" && sent[0] != "do_not_contact" {
				t.Errorf("%s: what was typed at %s is gone", f.name, name)
			}
			if secret && strings.Contains(html, sent[0]) {
				t.Errorf("%s: what may be a My Number is kept", f.name)
			}
		}
	}
}

func stageFor(path string) office.CaseState {
	switch {
	case strings.HasSuffix(path, "/close"):
		return office.CaseAccepted
	case strings.HasSuffix(path, "/assess"):
		return office.CaseFlagged
	}
	return office.CaseAssessed
}

// A part that is not there leaves nothing in the navigation; roles see their own work only.
func TestNavigation(t *testing.T) {
	full := console(t, &officetest.Canned{})
	empty, err := office.New(office.Parts{Names: &officetest.Canned{}, Now: func() time.Time { return officetest.Now }})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    *office.Office
		who  actor.Staff
		want []string
	}{
		{full, officer(actor.Clerk), []string{"/office/", "/office/benefits", "/office/certificates"}},
		{full, officer(actor.Approver), []string{"/office/", "/office/benefits", "/office/certificates"}},
		{full, officer(actor.ChildOfficer), []string{"/office/", "/office/children"}},
		{full, officer(actor.ChildApprover), []string{"/office/", "/office/children"}},
		{full, officer(actor.Auditor), []string{"/office/", "/office/children/erasures"}},
		{full, officer(actor.Protector), []string{"/office/", "/office/protection"}},
		{full, officer(actor.TerminalManager), []string{"/office/"}},
		{empty, everyRole, []string{"/office/"}},
	} {
		html := get(t, c.o, c.who, "/office/", notice.Japanese)
		_, nav, _ := strings.Cut(html, "<nav")
		nav, _, _ = strings.Cut(nav, "</nav>")
		var got []string
		for _, m := range regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(nav, -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.who.Roles, got, c.want)
		}
	}
}

// The queue is oldest first, says what is late, and tells own work from what can be done.
func TestQueue(t *testing.T) {
	c := &officetest.Canned{Rows: 5, Run: office.RunCounted}
	html := get(t, console(t, c), everyRole, "/office/", notice.English)
	for _, want := range []string{"Approve a payment list", "Approve contact with a family", "Child support: write an assessment", "Settle something that was not sent",
		"Benefit: counted, check and start", "Overdue", "You worked on this yourself", officetest.LongName} {
		if !strings.Contains(html, want) {
			t.Errorf("the queue does not say %q", want)
		}
	}
	if strings.Count(html, officetest.LongName) != strings.Count(html, "<td><span lang=\"ja\">"+officetest.LongName)+1 {
		t.Error("the queue names somebody besides officers")
	}
	if html = get(t, console(t, &officetest.Canned{}), everyRole, "/office/", notice.Japanese); !strings.Contains(html, "いま待っている仕事はありません") {
		t.Error("an empty queue says nothing")
	}
}

// The funnel moves while a run works, its spoken words change rarely, and it comes to rest.
func TestFunnelWhileARunWorks(t *testing.T) {
	c := &officetest.Canned{Rows: 1, Run: office.RunRunning}
	o := console(t, c)
	fragment := func(said string) string {
		in := office.Request{Method: "GET", Path: "/office/benefits/runs/{id}/progress", Param: map[string]string{"id": "run_1"},
			Query: values("said", said), Partial: true}
		page, err := o.RunProgress(t.Context(), officer(actor.Clerk), in)
		if err != nil {
			t.Fatal(err)
		}
		return string(page.HTML)
	}
	if html := fragment("running-20"); !strings.Contains(html, `hx-trigger="every 2s"`) || strings.Contains(html, "hx-swap-oob") || !strings.Contains(html, `data-stage="noticed"`) {
		t.Errorf("the first fragment: %s", html)
	}
	if html := fragment("running-20"); !strings.Contains(html, "hx-swap-oob") {
		t.Error("a step of ten in a hundred is not spoken")
	}
	for range 3 {
		fragment("")
	}
	if html := fragment(""); strings.Contains(html, "hx-trigger") || !strings.Contains(html, "処理が終わりました") {
		t.Errorf("the last fragment still asks, or does not say the end: %s", html)
	}
	page := ask(t, o, officer(actor.Clerk), "GET", "/office/benefits/runs/run_1/progress", nil, notice.Japanese)
	if page.Location != "/office/benefits/runs/run_1" {
		t.Errorf("without a script the fragment leads to %q", page.Location)
	}
}

// A page says what was just done only in our own words.
func TestDoneWords(t *testing.T) {
	o := console(t, &officetest.Canned{State: office.Noticed})
	if html := get(t, o, everyRole, "/office/benefits/awards/awd_1?done=letter", notice.Japanese); !strings.Contains(html, "配達を記録しました") {
		t.Error("the page does not say what was done")
	}
	if html := get(t, o, everyRole, "/office/benefits/awards/awd_1?done=burnt", notice.Japanese); strings.Contains(html, `class="told"`) {
		t.Error("the page says what nobody did")
	}
}

// hostile is a municipality whose records hold markup.
type hostile struct{ office.Benefits }

const markup = `"><script>alert(1)</script>`

func (h hostile) Award(ctx context.Context, who actor.Staff, id string) (office.AwardDetail, error) {
	d, err := h.Benefits.Award(ctx, who, id)
	d.Name, d.Ref, d.Basis = markup, markup, office.SameText(markup)
	d.Steps = []office.Step{{Text: office.SameText(markup), Article: markup, Parameters: []office.ParameterRow{{Source: markup}}}}
	d.Facts = []office.Fact{{Name: office.SameText(markup), Value: office.SameText(markup), Source: office.SameText(markup)}}
	d.History = []office.Event{{What: markup, By: markup, Note: markup}}
	return d, err
}

// Markup in a record or in what was typed is shown as it is written, in every language.
func TestMarkupIsShownNotObeyed(t *testing.T) {
	c := &officetest.Canned{State: office.Noticed}
	o, err := office.New(office.Parts{Benefits: hostile{c.Benefits()}, Names: c, Now: func() time.Time { return officetest.Now }})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range notice.Languages() {
		form := values("on", markup, "reason", markup)
		html := string(ask(t, o, officer(actor.Clerk), "POST", "/office/benefits/awards/awd_1/refusal", form, l).HTML)
		if strings.Contains(html, "<script>alert") || strings.Count(html, "&lt;script&gt;alert(1)") < 9 {
			t.Errorf("%s: the page holds markup of a record, or lost it: %d", l, strings.Count(html, "&lt;script&gt;alert(1)"))
		}
	}
}
