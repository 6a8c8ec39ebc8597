package pwa_test

import (
	"net/http"
	"slices"
	"time"

	"madoguchi.example/mobile-api/apiv1"
)

const (
	allowance   = "awd_01jd0000000000000000000001" // silence means yes, the notice was read
	question    = "awd_01jd0000000000000000000002" // a fact is missing
	earlierPaid = "awd_01jd0000000000000000000003"
	talk        = "off_01jd0000000000000000000001"
	moneyNote   = "ntc_01jd0000000000000000000004" // about allowance
	talkNote    = "ntc_01jd0000000000000000000005" // about talk
)

// help is what the canned world knows of benefits and offers.
type help struct {
	benefits   []apiv1.Benefit
	offers     []apiv1.Offer
	helpOver   bool // the time to answer is over for the server
	refusals   []string
	answers    []string
	holdAnswer chan struct{} // not nil: a refusal or an answer waits for it
}

func (c *canned) serveHelp(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/benefits", c.citizen(func(w http.ResponseWriter, r *http.Request) {
		c.tagged(w, r, map[string]any{"benefits": c.benefits})
	}))
	mux.HandleFunc("GET /v1/offers", c.citizen(func(w http.ResponseWriter, r *http.Request) {
		c.tagged(w, r, map[string]any{"offers": c.offers})
	}))
	mux.HandleFunc("GET /v1/benefits/{id}", c.citizen(func(w http.ResponseWriter, r *http.Request) {
		one(w, c.benefits, func(b apiv1.Benefit) bool { return b.ID == r.PathValue("id") })
	}))
	mux.HandleFunc("GET /v1/offers/{id}", c.citizen(func(w http.ResponseWriter, r *http.Request) {
		one(w, c.offers, func(o apiv1.Offer) bool { return o.ID == r.PathValue("id") })
	}))
	mux.HandleFunc("POST /v1/benefits/{id}/refusal", c.citizen(c.refuseBenefit))
	mux.HandleFunc("PUT /v1/offers/{id}/answer", c.citizen(c.answerOffer))
}

func one[T any](w http.ResponseWriter, list []T, is func(T) bool) {
	if i := slices.IndexFunc(list, is); i >= 0 {
		reply(w, 200, list[i])
		return
	}
	refuse(w, 404, apiv1.Problem{Code: "not_found"})
}

// tellOfHelp gives the parent a benefit and an offer with their notices, both unread.
func (c *canned) tellOfHelp() {
	money := notice(moneyNote, "information", "2026-11-20T02:00:00Z", "2026-12-05", "物価高対応子育て応援手当のお知らせ", "こどもの お金の おしらせ", "Child support payment")
	money.About = &apiv1.About{Kind: "benefit", ID: allowance}
	parenting := notice(talkNote, "information", "2026-11-19T02:00:00Z", "", "子育て相談のご案内", "子育ての そうだん", "Parenting talk")
	parenting.About = &apiv1.About{Kind: "offer", ID: talk}
	c.notices = append([]apiv1.Notice{money, parenting}, c.notices...)
	c.benefits = []apiv1.Benefit{cannedBenefit()}
	c.offers = []apiv1.Offer{cannedOffer()}
}

func (c *canned) refuseBenefit(w http.ResponseWriter, r *http.Request) {
	c.refusals = append(c.refusals, r.Header.Get("Idempotency-Key"))
	c.waitToAnswer()
	i := slices.IndexFunc(c.benefits, func(b apiv1.Benefit) bool { return b.ID == r.PathValue("id") })
	switch {
	case i < 0:
		refuse(w, 404, apiv1.Problem{Code: "not_found"})
	case c.helpOver:
		c.benefits[i].State, c.benefits[i].Refusable = "silent", false
		refuse(w, 409, apiv1.Problem{Code: "conflict", Places: []string{"deadline"}, Trace: "01JD4KQ7", Counter: &counter})
	default:
		b := &c.benefits[i]
		if b.State != "refused" {
			b.State, b.Refusable = "refused", false
			b.Timeline = append(b.Timeline[:2:2], apiv1.Milestone{What: "refused", On: "2026-11-21"})
		}
		reply(w, 200, *b)
	}
}

func (c *canned) answerOffer(w http.ResponseWriter, r *http.Request) {
	in := apiv1.AnswerOffer{}
	decode(r, &in.Body)
	c.answers = append(c.answers, in.Body.Answer)
	c.waitToAnswer()
	i := slices.IndexFunc(c.offers, func(o apiv1.Offer) bool { return o.ID == r.PathValue("id") })
	switch {
	case i < 0:
		refuse(w, 404, apiv1.Problem{Code: "not_found"})
	case c.helpOver:
		c.offers[i].Open = false
		refuse(w, 409, apiv1.Problem{Code: "conflict", Places: []string{"deadline"}, Trace: "01JD4KQ7", Counter: &counter})
	default:
		c.offers[i].Answer = in.Body.Answer
		reply(w, 200, c.offers[i])
	}
}

// waitToAnswer lends the lock to others while it waits.
func (c *canned) waitToAnswer() {
	if hold := c.holdAnswer; hold != nil {
		c.mu.Unlock()
		<-hold
		c.mu.Lock()
	}
}

// cannedHelp is a benefit of last year: nothing to do and nothing to answer.
func cannedHelp() help {
	paid := cannedBenefit()
	at := moment("2025-11-20T01:00:00Z")
	paid.ID, paid.State, paid.Refusable, paid.Notice, paid.DecidedAt = earlierPaid, "approved", false, "", at
	paid.Month, paid.AnswerBy, paid.PayOn = "2025-12", "2025-12-05", "2025-12-20"
	paid.Timeline = []apiv1.Milestone{{What: "decided", On: "2025-11-20"}, {What: "noticed", On: "2025-11-20"}, {What: "delivered", On: "2025-11-21"},
		{What: "deadline", On: "2025-12-05"}, {What: "approved", On: "2025-12-08"}, {What: "payment", On: "2025-12-20"}}
	return help{benefits: []apiv1.Benefit{paid}, offers: []apiv1.Offer{}}
}

func cannedBenefit() apiv1.Benefit {
	total, each := int64(40_000), int64(20_000)
	return apiv1.Benefit{
		ID: allowance, Name: said("物価高対応子育て応援手当", "ものの ねだんが 高い ときの 子どもの ための お金", "One-off child support payment against rising prices"),
		Basis: "令和7年度補正予算（物価高対応子育て応援手当）", Month: "2026-12", Amount: &total, State: "proven", AnswerBy: "2026-12-05", PayOn: "2026-12-20",
		Notice: moneyNote, DecidedAt: moment("2026-11-20T01:00:00Z"), Refusable: true,
		Children: []apiv1.BenefitChild{
			{Name: "髙橋﨑 みなみ", BirthDate: "2018-07-20", Amount: &each},
			{Name: "髙橋﨑 ヴァシリエヴィチ", BirthDate: "2024-02-29", Amount: &each},
		},
		Steps: []apiv1.Reason{
			{Article: "物価高対応子育て応援手当支給要領", Texts: said("申請は不要です。", "申しこまなくて いいです。", "No application is needed.")},
			{Article: "物価高対応子育て応援手当支給要領 第3条第1項", Parameter: &apiv1.Parameter{Source: "令和7年度補正予算（物価高対応子育て応援手当、児童1人当たり2万円）", ValidFrom: "2026-01"},
				Texts: said("2018年7月20日生まれの子について、1回限り20,000円を支給します。", "2018年7月20日に うまれた 子どもの ために、1回だけ 20,000円を はらいます。", "For the child born on 20 July 2018, 20,000 yen is paid once.")},
			{Article: "物価高対応子育て応援手当支給要領 第3条第1項", Texts: said("2024年2月29日生まれの子について、1回限り20,000円を支給します。", "2024年2月29日に うまれた 子どもの ために、1回だけ 20,000円を はらいます。", "For the child born on 29 February 2024, 20,000 yen is paid once.")},
		},
		Needs: [][]apiv1.Phrase{},
		Timeline: []apiv1.Milestone{{What: "decided", On: "2026-11-20"}, {What: "noticed", On: "2026-11-20"}, {What: "delivered", On: "2026-11-21"},
			{What: "deadline", On: "2026-12-05"}, {What: "payment", On: "2026-12-20"}},
	}
}

// cannedQuestion cannot be decided yet.
func cannedQuestion() apiv1.Benefit {
	b := cannedBenefit()
	b.ID, b.State, b.Refusable, b.Amount, b.AnswerBy, b.Notice = question, "open_question", false, nil, "", ""
	for i := range b.Children {
		b.Children[i].Amount = nil
	}
	b.Steps = b.Steps[:1]
	b.Needs = [][]apiv1.Phrase{
		said("児童手当が勤務先から支払われるか（公務員）", "児童手当（じどう てあて）を はたらいて いる 役所から もらって いるか", "Whether the child allowance is paid by the workplace (public servants)"),
		said("2026年3月までに生まれたお子さまの人数", "2026年3月までに うまれた 子どもの 数", "How many children were born by March 2026"),
	}
	b.Timeline = b.Timeline[:1]
	return b
}

func cannedOffer() apiv1.Offer {
	return apiv1.Offer{
		ID: talk, Name: said("子育て相談", "子育て（こそだて）の そうだん", "Parenting talk"),
		What:   said("子育ての困りごとや気がかりを、保健師や保育士と話せます。1回30分ほどです。", "子育て（こそだて）で こまっていることを、専門（せんもん）の 人と 話せます。1回 30分くらいです。", "You can talk about anything in raising children with a public health nurse or a nursery teacher. It takes about 30 minutes."),
		From:   said("こども家庭センター", "こども家庭（かてい）センター", "Children and Families Centre"),
		Cost:   said("無料です。", "お金は いりません。", "It is free."),
		How:    said("「利用したい」を選ぶと、センターから日時のご相談をします。電話、オンライン、来所のどれでもかまいません。", "「つかいたい」を えらんでください。センターが 日を そうだんします。", "Choose “Yes, please”. The centre will agree a time with you. By phone, online or on site, as you like."),
		Notice: talkNote, SentAt: moment("2026-11-19T02:00:00Z"), Open: true,
	}
}

func said(ja, easy, en string) []apiv1.Phrase {
	return []apiv1.Phrase{{Language: "ja", Text: ja}, {Language: "ja-easy", Text: easy}, {Language: "en", Text: en}}
}

func moment(s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return at
}
