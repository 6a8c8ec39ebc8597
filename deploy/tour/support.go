package tour

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"madoguchi.example/deploy/population"
	"madoguchi.example/mobile-api/client"
)

// supportWalk is what the steps of journey 4 hand on.
type supportWalk struct {
	*Guide
	officer, chief, both *Console
	phone                *client.Client // of the family that gets an offer
	token                string
	notices              int      // before the offer
	looks                []string // of others, before the offer
	protectedPhone       *client.Client
	protectedToken       string
	cases                map[string]string // path of a case by its child's name
	offer                client.Offer
}

func childSupport(g *Guide) journey {
	w := &supportWalk{Guide: g, cases: map[string]string{}}
	return journey{"push-type child support: from linked data to an offer", []step{
		{"the same sources a second time change nothing", w.sourcesAgain},
		{"sources of last year, or cut off, are refused by file and line, and nothing of them is kept", w.badSources},
		{"newer sources are taken", w.newSources},
		{"flags appear with their reasons, the source of each and its age", w.flags},
		{"a clerk, and the other town, see no case", w.strangers},
		{"an officer assesses with a reason and proposes a support", w.assess},
		{"who assessed cannot approve, holding both roles", w.ownCase},
		{"until the second role has approved, nothing reached the family", w.nothingYet},
		{"the second role approves, and the family gets an offer and a push", w.approve},
		{"the offer names the support and nothing of why", w.offerAlone},
		{"the family says no, then yes, and nothing else changes", w.answer},
		{"who looked at the family's data shows nothing of child support", w.noTrace},
		{"nothing was sent to the family that must not be contacted: its case is with a person", w.withPerson},
		{"a flag that needs nothing is closed without contact", w.noAction},
		{"the case closes with its outcome", w.closeCase},
		{"items past their retention are gone, with the proof on the page", w.erased},
	}}
}

// sources are the files of child support.
var sources = []string{"childcare.csv", "checkups.csv"}

func (w *supportWalk) sourcesAgain(ctx context.Context) error {
	for _, name := range sources {
		out, err := w.Stage.Tool(ctx, "import", filepath.Join(w.Stage.PeopleDir(), name))
		if err != nil {
			return err
		}
		if !strings.Contains(string(out), "0 added, 0 changed") {
			return fmt.Errorf("the import said: %s", out)
		}
	}
	return nil
}

// rewritten copies a source, each row changed, into a folder of its own.
func (w *supportWalk) rewritten(name string, change func(head, row []string) []string) (file string, err error) {
	raw, err := os.ReadFile(filepath.Join(w.Stage.PeopleDir(), name))
	if err != nil {
		return "", err
	}
	all, err := csv.NewReader(strings.NewReader(string(raw))).ReadAll()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	out := csv.NewWriter(&b)
	for i, row := range all {
		if i > 0 {
			row = change(all[0], row)
		}
		if err := out.Write(row); err != nil {
			return "", err
		}
	}
	out.Flush()
	dir, err := os.MkdirTemp(w.Stage.Dir, "source-")
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, name)
	return file, os.WriteFile(file, []byte(b.String()), 0o600)
}

// asOf sets the day of which the source speaks.
func asOf(day string) func(head, row []string) []string {
	return func(head, row []string) []string {
		row = slices.Clone(row)
		row[slices.Index(head, "as_of")] = day
		return row
	}
}

func (w *supportWalk) badSources(ctx context.Context) error {
	for _, name := range sources {
		old, err := w.rewritten(name, asOf(day(w.Stage.Clock.Now().AddDate(-1, 0, 0))))
		if err != nil {
			return err
		}
		cut, err := w.rewritten(name, asOf(day(w.Stage.Clock.Now())))
		if err != nil {
			return err
		}
		raw, err := os.ReadFile(cut)
		if err != nil {
			return err
		}
		half := raw[:len(raw)-len(raw)/3]
		half = half[:strings.LastIndexByte(string(half), ',')+1] // in the middle of a row
		if err := os.WriteFile(cut, half, 0o600); err != nil {
			return err
		}
		for what, file := range map[string]string{"of last year": old, "cut off": cut} {
			_, err := w.Stage.Tool(ctx, "import", file)
			if said := fmt.Sprint(err); err == nil || !strings.Contains(said, name) || !strings.Contains(said, "line ") {
				return fmt.Errorf("%s %s was answered with: %s", name, what, said)
			}
			if said := fmt.Sprint(err); !strings.Contains(said, " 0 added, 0 changed") {
				return fmt.Errorf("%s %s was half taken: %s", name, what, said)
			}
		}
	}
	return w.sourcesAgain(ctx)
}

func (w *supportWalk) newSources(ctx context.Context) error {
	for _, name := range sources {
		file, err := w.rewritten(name, asOf(day(w.Stage.Clock.Now())))
		if err != nil {
			return err
		}
		if out, err := w.Stage.Tool(ctx, "import", file); err != nil {
			return fmt.Errorf("%s: %w\n%s", name, err, out)
		}
	}
	return nil
}

// later restarts the backend, whose daily work begins with its start.
func (w *supportWalk) later(ctx context.Context) error {
	if err := w.Stage.Backend.Stop(20 * time.Second); err != nil {
		return err
	}
	return w.Stage.StartBackend(ctx)
}

func (w *supportWalk) officers(ctx context.Context) (err error) {
	if w.officer, err = w.Console(ctx, population.SubMinatoChild); err != nil {
		return err
	}
	if w.chief, err = w.Console(ctx, population.SubMinatoChildChief); err != nil {
		return err
	}
	w.both, err = w.Console(ctx, population.SubMinatoChildBoth)
	return err
}

// caseLinks lists the paths of the cases on the officer's page.
func (e element) caseLinks() []string {
	var out []string
	for _, a := range e.all(func(x element) bool {
		return x.Data == "a" && strings.HasPrefix(x.attr("href"), "/office/children/cases/")
	}) {
		out = append(out, a.attr("href"))
	}
	return out
}

// Case waits for the case of a child and gives its path. The queue names nobody, so each
// case is opened.
func (c *Console) Case(ctx context.Context, child string) (path string, err error) {
	err = until(ctx, func() (bool, string, error) {
		e, err := c.open(ctx, "/office/children")
		if err != nil {
			return false, "", err
		}
		for _, at := range e.caseLinks() {
			one, err := c.open(ctx, at)
			if err != nil {
				return false, "", err
			}
			if strings.Contains(one.text(), child) {
				path = at
				return true, "", nil
			}
		}
		return false, fmt.Sprintf("%d cases of others", len(e.caseLinks())), nil
	})
	return path, err
}

func (w *supportWalk) flags(ctx context.Context) error {
	if err := w.later(ctx); err != nil {
		return err
	}
	if err := w.officers(ctx); err != nil {
		return err
	}
	cast := w.Stage.Cast
	for _, p := range []population.Part{cast.OfferedChild, cast.ProtectedChild, cast.UnclaimedChild} {
		path, err := w.officer.Case(ctx, p.Name)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Words, err)
		}
		w.cases[p.Name] = path
	}
	for name, path := range w.cases {
		e, err := w.officer.open(ctx, path)
		if err != nil {
			return err
		}
		ages := e.all(func(x element) bool { return x.Data == "span" && x.attr("class") == "whole" })
		if _, reasons := e.byID("reasons"); !reasons || len(ages) == 0 {
			return fmt.Errorf("the case of %s shows no reason with its age: %s", name, short(e))
		}
	}
	return nil
}

func (w *supportWalk) strangers(ctx context.Context) error {
	path := w.cases[w.Stage.Cast.OfferedChild.Name]
	for _, sub := range []string{population.SubMinatoClerk, population.SubMinatoApprover, population.SubYamanobeClerk, population.SubMinatoManager} {
		c, err := w.Console(ctx, sub)
		if err != nil {
			return err
		}
		for _, to := range []string{"/office/children", path} {
			status, err := c.Status(ctx, to)
			if err != nil {
				return err
			}
			if status != http.StatusForbidden && status != http.StatusNotFound {
				return fmt.Errorf("%s was answered with %d", sub, status)
			}
		}
	}
	return nil
}

// propose proposes the first support that the case's page offers.
func (w *supportWalk) propose(ctx context.Context, c *Console, path string) error {
	e, err := c.open(ctx, path)
	if err != nil {
		return err
	}
	support := ""
	for _, radio := range e.all(func(x element) bool { return x.attr("name") == "support" }) {
		if support == "" {
			support = radio.attr("value")
		}
	}
	if support == "" {
		return fmt.Errorf("the case's page offers no support: %s", short(e))
	}
	set := map[string]string{"contact": "yes", "support": support}
	if err := c.refused(ctx, path, having("contact", ""), set); err != nil {
		return fmt.Errorf("without a reason: %w", err)
	}
	set["reason"] = "続けて確かめられていないため、案内をして様子をうかがいます"
	_, err = c.done(ctx, path, having("contact", ""), set)
	return err
}

func (w *supportWalk) assess(ctx context.Context) (err error) {
	cast := w.Stage.Cast
	if w.phone, err = w.SignIn(ctx, population.SubOffered); err != nil {
		return err
	}
	if w.token, err = w.device(ctx, w.phone); err != nil {
		return err
	}
	if w.protectedPhone, err = w.SignIn(ctx, population.SubProtected); err != nil {
		return err
	}
	if w.protectedToken, err = w.device(ctx, w.protectedPhone); err != nil {
		return err
	}
	got, err := w.phone.Notices(ctx, "")
	if err != nil {
		return err
	}
	w.notices = len(got.Notices)
	if w.looks, err = w.looksOfOthers(ctx, w.phone); err != nil {
		return err
	}
	if err := w.propose(ctx, w.both, w.cases[cast.OfferedChild.Name]); err != nil {
		return err
	}
	return w.propose(ctx, w.officer, w.cases[cast.ProtectedChild.Name])
}

const contactReason = "評価のとおり、案内することを承認します"

func (w *supportWalk) ownCase(ctx context.Context) error {
	path := w.cases[w.Stage.Cast.OfferedChild.Name]
	e, err := w.both.open(ctx, path)
	if err != nil {
		return err
	}
	if _, there := e.sheet(leading("/approve")); there {
		return errors.New("the page offers the approval to who assessed")
	}
	p, err := w.both.post(ctx, path+"/approve", url.Values{"reason": {contactReason}})
	if err != nil {
		return err
	}
	if p.status != http.StatusUnprocessableEntity && p.status != http.StatusForbidden {
		return fmt.Errorf("the approval of one's own case was answered with %d", p.status)
	}
	if p, err = w.officer.post(ctx, path+"/approve", url.Values{"reason": {contactReason}}); err != nil {
		return err
	}
	return want(p.status == http.StatusForbidden, "an officer without the second role was answered with %d", p.status)
}

// reached tells what a family has of offers, notices and pushes.
func (w *supportWalk) reached(ctx context.Context, phone *client.Client, token string) (offers []client.Offer, notices, pushes int, err error) {
	if offers, err = phone.Offers(ctx); err != nil {
		return
	}
	got, err := phone.Notices(ctx, "")
	if err != nil {
		return
	}
	sent, _, err := w.pushes(ctx, token)
	return offers, len(got.Notices), len(sent), err
}

func (w *supportWalk) nothingYet(ctx context.Context) error {
	offers, notices, pushes, err := w.reached(ctx, w.phone, w.token)
	if err != nil {
		return err
	}
	return want(len(offers) == 0 && notices == w.notices && pushes == 0, "%d offers, %d notices, %d pushes", len(offers), notices, pushes)
}

func (w *supportWalk) approve(ctx context.Context) error {
	cast := w.Stage.Cast
	for _, p := range []population.Part{cast.OfferedChild, cast.ProtectedChild} {
		if _, err := w.chief.done(ctx, w.cases[p.Name], leading("/approve"), map[string]string{"reason": contactReason}); err != nil {
			return err
		}
	}
	return until(ctx, func() (bool, string, error) {
		offers, notices, pushes, err := w.reached(ctx, w.phone, w.token)
		if len(offers) > 0 {
			w.offer = offers[0]
		}
		return len(offers) == 1 && notices == w.notices+1 && pushes == 1,
			fmt.Sprintf("%d offers, %d notices, %d pushes", len(offers), notices-w.notices, pushes), err
	})
}

// telling are words that would say why an offer was made.
var telling = []string{"健診", "健康診査", "けんしん", "未受診", "受けていない", "受診", "check-up", "checkup", "missed", "虐待",
	"指標", "indicator", "flag", "リスク", "risk", "連絡がつか", "未請求", "評価"}

func (w *supportWalk) offerAlone(ctx context.Context) error {
	if w.offer.Notice == "" {
		return errors.New("the offer names no notice")
	}
	n, err := w.phone.Notice(ctx, w.offer.Notice)
	if err != nil {
		return err
	}
	if n.About == nil || n.About.Kind != "offer" || n.About.ID != w.offer.ID || len(n.Texts) != len(languages) {
		return errors.New("the notice does not lead to the offer in three languages")
	}
	said := ""
	for _, t := range n.Texts {
		said += t.Title + "\n" + t.Body + "\n"
	}
	for _, texts := range [][]client.Phrase{w.offer.Name, w.offer.What, w.offer.From, w.offer.Cost, w.offer.How} {
		if !inAll(texts) {
			return errors.New("the offer is not in three languages")
		}
		for _, t := range texts {
			said += t.Text + "\n"
		}
	}
	if !strings.Contains(said, w.offer.Name[0].Text) {
		return errors.New("the support is not named")
	}
	cast := w.Stage.Cast
	for _, word := range append(slices.Clone(telling), cast.OfferedChild.BirthDate, contactReason) {
		if strings.Contains(strings.ToLower(said), strings.ToLower(word)) {
			return fmt.Errorf("the offer holds the word %q", word)
		}
	}
	return nil
}

func (w *supportWalk) answer(ctx context.Context) error {
	benefits, err := w.phone.Benefits(ctx)
	if err != nil {
		return err
	}
	for _, answer := range []string{"declined", "accepted", "accepted"} {
		o, err := w.phone.AnswerOffer(ctx, w.offer.ID, answer)
		if err != nil {
			return fmt.Errorf("%s: %w", answer, err)
		}
		if o.Answer != answer || !o.Open {
			return fmt.Errorf("after %s the offer says %q, open %v", answer, o.Answer, o.Open)
		}
	}
	if _, err := w.protectedPhone.AnswerOffer(ctx, w.offer.ID, "declined"); err == nil {
		return errors.New("somebody else answered")
	} else if _, err := refusal(err, "not_found"); err != nil {
		return err
	}
	after, err := w.phone.Benefits(ctx)
	if err != nil {
		return err
	}
	if len(after) != len(benefits) || len(after) > 0 && after[0].State != benefits[0].State {
		return errors.New("the answer changed a benefit")
	}
	return nil
}

// accesses gives everything that a person's list of looks shows, newest first.
func (g *Guide) accesses(ctx context.Context, phone *client.Client) ([]client.Access, error) {
	var out []client.Access
	for cursor := ""; ; {
		page, err := phone.AccessLog(ctx, cursor)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Entries...)
		if cursor = page.Next; cursor == "" {
			return out, nil
		}
	}
}

// looksOfOthers gives what the list of looks shows besides the person's own acts.
func (w *supportWalk) looksOfOthers(ctx context.Context, phone *client.Client) ([]string, error) {
	all, err := w.accesses(ctx, phone)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range all {
		if e.Purpose != "self" && e.Purpose != "account" {
			out = append(out, e.Purpose+" "+e.Action)
		}
	}
	return out, nil
}

func (w *supportWalk) noTrace(ctx context.Context) error {
	now, err := w.looksOfOthers(ctx, w.phone)
	if err != nil {
		return err
	}
	// The push itself, of which the person's own phone knows, is all that may have come.
	came := now[:max(0, len(now)-len(w.looks))]
	if !slices.Equal(now[len(came):], w.looks) || len(w.looks) == 0 || len(came) > 1 || len(came) == 1 && came[0] != "notice_delivery push.send" {
		return fmt.Errorf("the list shows %v besides %d looks of before", came, len(w.looks))
	}
	if now, err = w.looksOfOthers(ctx, w.protectedPhone); err != nil {
		return err
	}
	for _, look := range now {
		if !strings.HasPrefix(look, "benefit_decision benefit.consider") {
			return fmt.Errorf("the list of the protected family shows %s", look)
		}
	}
	return nil
}

func (w *supportWalk) withPerson(ctx context.Context) error {
	cast := w.Stage.Cast
	offers, _, pushes, err := w.reached(ctx, w.protectedPhone, w.protectedToken)
	if err != nil {
		return err
	}
	if len(offers) > 0 || pushes > 0 {
		return fmt.Errorf("%d offers and %d pushes", len(offers), pushes)
	}
	protector, err := w.Console(ctx, population.SubMinatoProtector)
	if err != nil {
		return err
	}
	waiting, err := protector.withheld(ctx, cast.Protected, cast.ProtectedChild)
	if err != nil {
		return err
	}
	if len(waiting) == 0 {
		return errors.New("the protector's list has nothing of the family")
	}
	// The newest is the offer: the list is oldest first.
	if _, err := protector.done(ctx, waiting[len(waiting)-1], having("how", ""), map[string]string{"how": "in_person", "note": "保健師が訪問の約束を取りました"}); err != nil {
		return err
	}
	_, err = w.officer.done(ctx, w.cases[cast.ProtectedChild.Name], having("outcome", ""), map[string]string{"outcome": "in_person", "note": "訪問で話をうかがいました"})
	return err
}

func (w *supportWalk) noAction(ctx context.Context) error {
	path := w.cases[w.Stage.Cast.UnclaimedChild.Name]
	_, err := w.officer.done(ctx, path, having("contact", ""), map[string]string{"contact": "no", "reason": "窓口で手続きが始まっていることを確かめました"})
	if err != nil {
		return err
	}
	e, err := w.officer.open(ctx, "/office/children")
	if err != nil {
		return err
	}
	return want(!slices.Contains(e.caseLinks(), path), "the case still waits")
}

func (w *supportWalk) closeCase(ctx context.Context) error {
	path := w.cases[w.Stage.Cast.OfferedChild.Name]
	if _, err := w.officer.done(ctx, path, having("outcome", ""), map[string]string{"outcome": "started", "note": "初回の訪問を終えました"}); err != nil {
		return err
	}
	o, err := w.phone.Offer(ctx, w.offer.ID)
	if err != nil {
		return err
	}
	if o.Open {
		return errors.New("the offer can still be answered")
	}
	_, err = w.phone.AnswerOffer(ctx, w.offer.ID, "declined")
	_, err = refusal(err, "conflict")
	return err
}

// retention is longer than any item or case of child support is kept.
const retention = 4 * 366 * 24 * time.Hour

func (w *supportWalk) erased(ctx context.Context) error {
	if err := w.Stage.Clock.Advance(retention); err != nil {
		return err
	}
	if err := w.later(ctx); err != nil {
		return err
	}
	chief, err := w.Console(ctx, population.SubMinatoChildChief)
	if err != nil {
		return err
	}
	return until(ctx, func() (bool, string, error) {
		e, err := chief.open(ctx, "/office/children/erasures")
		if err != nil {
			return false, "", err
		}
		proofs := e.all(func(x element) bool { return x.Data == "td" && x.attr("class") == "code small" && x.text() != "" })
		if e, err = chief.open(ctx, "/office/children"); err != nil {
			return false, "", err
		}
		return len(proofs) >= len(sources) && len(e.caseLinks()) == 0,
			fmt.Sprintf("%d proofs, %d cases: %s", len(proofs), len(e.caseLinks()), short(e)), nil
	})
}
