package tour

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	if !slices.Equal(now, w.looks) || len(w.looks) == 0 {
		return fmt.Errorf("the list shows %d looks of others, %d before", len(now), len(w.looks))
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
