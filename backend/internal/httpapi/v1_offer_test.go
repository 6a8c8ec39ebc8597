package httpapi

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/mobile-api/apiv1"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// fakeOffers keeps one family's offers as the use case would.
type fakeOffers struct {
	family identity.CitizenID
	list   []childsupport.Offer
	now    func() time.Time
}

func (f *fakeOffers) Offers(_ context.Context, who actor.Citizen, p audit.Purpose) ([]childsupport.Offer, string, error) {
	if who.ID != f.family || p != audit.Self {
		return nil, "", nil
	}
	version := ""
	for _, o := range f.list {
		version += o.ID + string(o.Answer)
	}
	return f.list, version, nil
}

func (f *fakeOffers) find(who actor.Citizen, id string) (*childsupport.Offer, error) {
	i := slices.IndexFunc(f.list, func(o childsupport.Offer) bool { return o.ID == id })
	if i < 0 || who.ID != f.family {
		return nil, fault.New(fault.NotFound, "there is no such offer")
	}
	return &f.list[i], nil
}

func (f *fakeOffers) Offer(_ context.Context, who actor.Citizen, _ audit.Purpose, id string) (childsupport.Offer, error) {
	o, err := f.find(who, id)
	if err != nil {
		return childsupport.Offer{}, err
	}
	return *o, nil
}

func (f *fakeOffers) Answer(_ context.Context, who actor.Citizen, _ audit.Purpose, id string, a childsupport.Answer) (childsupport.Offer, error) {
	o, err := f.find(who, id)
	if err != nil {
		return childsupport.Offer{}, err
	}
	if !o.Open {
		return childsupport.Offer{}, fault.At(fault.Conflict, "deadline", "the offer is closed")
	}
	o.Answer, o.AnsweredAt = a, f.now()
	return *o, nil
}

const (
	firstOffer  = "off_00000000000000000000000001"
	closedOffer = "off_00000000000000000000000002"
)

func anOffer(id string, open bool) childsupport.Offer {
	said := func(ja, en string) childsupport.Texts {
		return childsupport.Texts{notice.Japanese: ja, notice.EasyJapanese: ja, notice.English: en}
	}
	return childsupport.Offer{ID: id, Municipality: "990019", Notice: "ntc_1", SentAt: time.Unix(1_800_000_000, 0).UTC(), Open: open,
		Support: childsupport.Support{ID: "support_id", Name: said("子育て相談", "Talk"), What: said("話せます", "You can talk"), From: said("センター", "Centre"),
			Cost: said("無料", "Free"), How: said("選ぶ", "Choose")}}
}

func TestOffersOverHTTP(t *testing.T) {
	h := openHall(t)
	family, stranger := h.Citizen(t, "990019", "R1"), h.Citizen(t, "990019", "R4")
	h.offers.family, h.offers.list = family.ID, []childsupport.Offer{anOffer(firstOffer, true), anOffer(closedOffer, false)}
	answer := func(who actor.Citizen, id, body string) reply {
		t.Helper()
		return h.ask(t, who, "PUT", "/v1/offers/"+id+"/answer", body)
	}
	type page struct {
		Offers []apiv1.Offer `json:"offers"`
	}
	got := h.ask(t, family, "GET", "/v1/offers", "")
	list, tag := read[page](t, got, 200).Offers, got.header.Get("ETag")
	if len(list) != 2 || list[0].Name[0].Text != "子育て相談" || list[0].Name[2].Text != "Talk" || list[0].Cost[0].Text != "無料" || !list[0].Open || list[1].Open ||
		list[0].Answer != "" || list[0].AnsweredAt != nil || list[0].Notice != "ntc_1" {
		t.Errorf("%+v", list)
	}
	if same := h.ask(t, family, "GET", "/v1/offers", "", "If-None-Match", tag); same.status != 304 {
		t.Errorf("unchanged: %d", same.status)
	}
	if l := read[page](t, h.ask(t, stranger, "GET", "/v1/offers", "", "If-None-Match", tag), 200).Offers; l == nil || len(l) != 0 {
		t.Errorf("a stranger sees %+v", l)
	}
	for _, said := range []string{"declined", "accepted", "accepted"} {
		if o := read[apiv1.Offer](t, answer(family, firstOffer, `{"answer":"`+said+`"}`), 200); o.Answer != said || o.AnsweredAt == nil || !o.Open {
			t.Errorf("%+v", o)
		}
	}
	if h.ask(t, family, "GET", "/v1/offers", "", "If-None-Match", tag).status != 200 {
		t.Error("the list did not come again after the answer")
	}
	wantProblem(t, "no answer at all", answer(family, firstOffer, `{"answer":"maybe"}`), 422, fault.InvalidArgument, "body.answer")
	p := wantProblem(t, "past the end", answer(family, closedOffer, `{"answer":"declined"}`), 409, fault.Conflict, "deadline")
	if p.Counter == nil || p.Counter.Name != "市民課" {
		t.Errorf("the counter is %+v", p.Counter)
	}
	foreign, nobody := h.ask(t, stranger, "GET", "/v1/offers/"+firstOffer, ""), h.ask(t, stranger, "GET", "/v1/offers/off_0000000000000000000000000x", "")
	wantProblem(t, "another's offer", foreign, 404, fault.NotFound, "")
	if !alike(foreign, nobody) {
		t.Errorf("another's offer and none differ:\n%s\n%s", foreign.body, nobody.body)
	}
	wantProblem(t, "another's answer", answer(stranger, firstOffer, `{"answer":"declined"}`), 404, fault.NotFound, "")
}

// No word of an indicator, an item or a source of the register reaches the family's answer,
// whatever support is offered.
func TestAnOfferTellsNothingOfWhy(t *testing.T) {
	register, err := childsupport.Load()
	if err != nil {
		t.Fatal(err)
	}
	var inner []string
	for _, i := range register.Indicators {
		inner = append(inner, i.ID)
	}
	for _, i := range register.Items {
		inner = append(inner, i.ID)
	}
	h := openHall(t)
	h.offers.family = h.Citizen(t, "990019", "R1").ID
	for _, s := range register.Supports {
		o := anOffer(firstOffer, true)
		o.Support = s
		h.offers.list = append(h.offers.list, o)
	}
	got := h.ask(t, h.Citizen(t, "990019", "R1"), "GET", "/v1/offers", "")
	read[map[string]any](t, got, 200)
	if len(inner) == 0 || len(h.offers.list) == 0 {
		t.Fatal("the register is empty")
	}
	for _, word := range append(inner, "indicator", "reason", "case", "flag", "chc_") {
		if strings.Contains(string(got.body), word) {
			t.Errorf("the answer tells %q", word)
		}
	}
}
