package tour

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"madoguchi.example/deploy/population"
)

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
