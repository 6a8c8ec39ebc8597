package httpapi

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/award"
	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

// fakeAwards keeps awards as the use case would. Those of over are past their last day.
type fakeAwards struct {
	list     []award.Award
	over     bool
	refusals int
}

func (f *fakeAwards) Mine(_ context.Context, who actor.Citizen, p audit.Purpose) ([]award.Award, string, error) {
	if p != audit.Self {
		return nil, "", fault.New(fault.Internal, "a citizen's own act has another purpose")
	}
	var mine []award.Award
	version := ""
	for _, a := range f.list {
		if a.Payee == who.ID {
			mine = append(mine, a)
			version += a.ID + string(a.State)
		}
	}
	return mine, version, nil
}

func (f *fakeAwards) find(who actor.Citizen, id string) (*award.Award, error) {
	i := slices.IndexFunc(f.list, func(a award.Award) bool { return a.ID == id && a.Payee == who.ID })
	if i < 0 {
		return nil, fault.New(fault.NotFound, "there is no such award")
	}
	return &f.list[i], nil
}

func (f *fakeAwards) One(_ context.Context, who actor.Citizen, p audit.Purpose, id string) (award.Award, error) {
	a, err := f.find(who, id)
	if err != nil || p != audit.Self {
		return award.Award{}, err
	}
	return *a, nil
}

func (f *fakeAwards) Refuse(_ context.Context, who actor.Citizen, p audit.Purpose, id string) (award.Award, error) {
	a, err := f.find(who, id)
	switch {
	case err != nil || p != audit.Self:
		return award.Award{}, err
	case a.State == award.Refused:
		return *a, nil
	case f.over:
		return award.Award{}, fault.At(fault.Conflict, "deadline", "the time to answer is over")
	}
	a.State, a.Refusable = award.Refused, false
	f.refusals++
	return *a, nil
}

const (
	firstAward = "awd_00000000000000000000000001"
	openAward  = "awd_00000000000000000000000002"
)

func anAward(payee identity.CitizenID) award.Award {
	words := benefit.Words{JA: "児童手当", JAEasy: "子どもの お金", EN: "Child allowance"}
	day := civil.Date{Year: 2026, Month: time.November, Day: 20}
	return award.Award{
		ID: firstAward, Payee: payee, Name: words, Basis: "児童手当法", Month: benefit.Month{Year: 2026, Month: time.December}, Amount: 30_000,
		State: award.Proven, Deadline: day.AddDays(14), AnswerBy: day.AddDays(15), PayOn: day.AddDays(30), Notice: "ntc_1", Refusable: true,
		DecidedAt: day.Midnight(),
		Decision: award.Decision{
			Lines: []award.Line{
				{Citizen: "ctz_1", Birth: civil.Date{Year: 2024, Month: time.February, Day: 29}, Amount: 30_000, Name: identity.PersonName{FamilyKanji: "髙橋﨑", GivenKanji: "みなみ"}},
				{Citizen: "ctz_2", Birth: day, Amount: -1},
			},
			Steps: []award.Step{{Rule: "r", Article: "第6条", Text: words, Inputs: map[string]string{"income": "9000000"},
				Parameters: []award.Parameter{{ID: "p", From: benefit.Month{Year: 2024, Month: time.October}, Source: "官報"}, {ID: "q", Source: "other"}}}},
		},
		History: []award.Event{
			{What: "decided", At: day.Midnight().Add(-time.Minute), By: "stf_secret"}, {What: "noticed", On: day}, {What: "delivered_letter", On: day.AddDays(1), By: "stf_secret"},
			{What: "listed", On: day.AddDays(2), By: "stf_secret", Note: "secret"}, {What: "payment", On: day.AddDays(30)},
		},
	}
}

func TestBenefitsOverHTTP(t *testing.T) {
	h := openHall(t)
	payee, stranger := h.Citizen(t, "990019", "R1"), h.Citizen(t, "990019", "R4")
	question := anAward(payee.ID)
	question.ID, question.State, question.Amount, question.AnswerBy, question.Refusable = openAward, award.OpenQuestion, 0, civil.Date{}, false
	question.Needs = []award.Need{{Fact: "x", Text: benefit.Words{JA: "勤務先", EN: "Workplace"}}}
	h.awards.list = []award.Award{anAward(payee.ID), question}

	type page struct {
		Benefits []apiv1.Benefit `json:"benefits"`
	}
	got := h.ask(t, payee, "GET", "/v1/benefits", "")
	list := read[page](t, got, 200).Benefits
	if len(list) != 2 || got.header.Get("Cache-Control") != revalidated {
		t.Fatalf("%v %s", got.header, got.body)
	}
	b := list[0]
	if b.Name[0].Language != "ja" || b.Name[1].Language != "ja-easy" || b.Name[2].Text != "Child allowance" || b.Month != "2026-12" || *b.Amount != 30_000 ||
		b.State != "proven" || b.AnswerBy != "2026-12-05" || b.PayOn != "2026-12-20" || !b.Refusable || b.Notice != "ntc_1" {
		t.Errorf("a benefit: %+v", b)
	}
	if len(b.Children) != 2 || b.Children[0].Name != "髙橋﨑 みなみ" || *b.Children[0].Amount != 30_000 || b.Children[1].Amount != nil {
		t.Errorf("its children: %+v", b.Children)
	}
	if s := b.Steps[0]; s.Article != "第6条" || s.Parameter.Source != "官報" || s.Parameter.ValidFrom != "2024-10" || len(s.Texts) != 3 {
		t.Errorf("its steps: %+v", b.Steps)
	}
	want := "[{decided 2026-11-19} {noticed 2026-11-20} {delivered 2026-11-21} {payment 2026-12-20}]"
	if got := fmt.Sprint(b.Timeline); got != want {
		t.Errorf("its days: %s, want %s", got, want)
	}
	if q := list[1]; q.Amount != nil || q.AnswerBy != "" || len(q.Needs) != 1 || len(q.Needs[0]) != 2 || q.Needs[0][1].Language != "en" {
		t.Errorf("an open question: %+v", q)
	}
	for _, inner := range []string{"secret", "9000000", "ctz_", string(payee.ID)} {
		if strings.Contains(string(got.body), inner) {
			t.Errorf("the answer tells %q", inner)
		}
	}
	tag := got.header.Get("ETag")
	if same := h.ask(t, payee, "GET", "/v1/benefits", "", "If-None-Match", tag); same.status != 304 || len(same.body) != 0 || same.header.Get("ETag") != tag {
		t.Errorf("unchanged: %d with %d bytes", same.status, len(same.body))
	}
	if other := read[page](t, h.ask(t, stranger, "GET", "/v1/benefits", "", "If-None-Match", tag), 200); other.Benefits == nil || len(other.Benefits) != 0 {
		t.Errorf("a stranger sees %+v", other.Benefits)
	}
	foreign, nobody := h.ask(t, stranger, "GET", "/v1/benefits/"+firstAward, ""), h.ask(t, stranger, "GET", "/v1/benefits/awd_0000000000000000000000000x", "")
	wantProblem(t, "another's benefit", foreign, 404, fault.NotFound, "")
	if !alike(foreign, nobody) {
		t.Errorf("another's benefit and none differ:\n%s\n%s", foreign.body, nobody.body)
	}
	wantProblem(t, "without a token", h.ask(t, actor.Citizen{}, "GET", "/v1/benefits", ""), 401, fault.Unauthenticated, "")
}

func TestRefusingABenefitOverHTTP(t *testing.T) {
	h := openHall(t)
	payee, stranger := h.Citizen(t, "990019", "R1"), h.Citizen(t, "990019", "R4")
	h.awards.list = []award.Award{anAward(payee.ID)}
	path := "/v1/benefits/" + firstAward + "/refusal"
	refuse := func(who actor.Citizen, key string) reply {
		t.Helper()
		return h.ask(t, who, "POST", path, "", "Idempotency-Key", key)
	}
	tag := h.ask(t, payee, "GET", "/v1/benefits", "").header.Get("ETag")
	wantProblem(t, "no key", h.ask(t, payee, "POST", path, ""), 422, fault.InvalidArgument, "header.Idempotency-Key")
	wantProblem(t, "another's benefit", refuse(stranger, "key-aaaaaaaaaaaaaaaa"), 404, fault.NotFound, "")
	h.awards.over = true
	p := wantProblem(t, "past the last day", refuse(payee, "key-aaaaaaaaaaaaaaaa"), 409, fault.Conflict, "deadline")
	if p.Counter == nil || p.Counter.Name != "市民課" || p.Counter.Phone != "03-0000-0001" {
		t.Errorf("the counter is %+v", p.Counter)
	}
	h.awards.over = false
	for _, key := range []string{"key-aaaaaaaaaaaaaaaa", "key-aaaaaaaaaaaaaaaa", "key-bbbbbbbbbbbbbbbb"} { // the answer was lost; the app was opened anew
		answer := refuse(payee, key)
		if b := read[apiv1.Benefit](t, answer, 200); b.State != "refused" || b.Refusable || answer.header.Get("Cache-Control") != privately {
			t.Errorf("%+v", b)
		}
		h.awards.over = true // a refusal that was made stays answered after the last day
	}
	if h.awards.refusals != 1 {
		t.Errorf("refused %d times", h.awards.refusals)
	}
	if h.ask(t, payee, "GET", "/v1/benefits", "", "If-None-Match", tag).status != 200 {
		t.Error("the list did not come again after the refusal")
	}
	if b := read[apiv1.Benefit](t, h.ask(t, payee, "GET", "/v1/benefits/"+firstAward, ""), 200); b.State != "refused" {
		t.Errorf("%+v", b)
	}
}

// A conflict that has nothing to do with a day sends nobody to the counter.
func TestOnlyALateAnswerNamesTheCounter(t *testing.T) {
	h := openHall(t)
	payee := h.Citizen(t, "990019", "R1")
	f := citizenFace{CitizenDeps{Registry: h.Registry}}
	for place, named := range map[string]bool{"deadline": true, "state": false, "": false} {
		err := f.orTheCounter(t.Context(), payee, fault.At(fault.Conflict, place, "no"))
		if _, ok := err.(whereToGo); ok != named || fault.PlaceOf(err) != place {
			t.Errorf("at %q: counter %v, want %v", place, ok, named)
		}
	}
	if err := f.orTheCounter(t.Context(), payee, nil); err != nil {
		t.Error(err)
	}
}

// Without their use cases the routes are left out, and nothing else changes.
func TestRoutesOfHelpCanBeLeftOut(t *testing.T) {
	h := openHall(t)
	bare := CitizenRoutes(CitizenDeps{Registry: h.Registry, Now: h.Now})
	all := CitizenRoutes(CitizenDeps{Registry: h.Registry, Now: h.Now, Benefits: h.awards, Offers: h.offers})
	if len(all) != len(bare)+6 {
		t.Errorf("%d routes with benefits and offers, %d without", len(all), len(bare))
	}
}
