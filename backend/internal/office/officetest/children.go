package officetest

import (
	"context"
	"fmt"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/shared/civil"
)

// Children gives the canned child support.
func (c *Canned) Children() office.Children { return children{c} }

// Protection gives the canned protectors' work.
func (c *Canned) Protection() office.Protection { return protection{c} }

type children struct{ *Canned }

var (
	indicator = texts("健診を2回受けておらず、その後の連絡がない", "健診（けんしん）を 2回 うけていない。そのあと 話せていない", "Check-ups missed twice and no contact since")
	caseOrder = []office.CaseState{office.CaseFlagged, office.CaseAssessed, office.CaseReturned, office.CaseOffered, office.CaseWithPerson, office.CaseAccepted, office.CaseDeclined}
	homeVisit = office.Support{
		Key: "home_visit", Name: texts("保健師の家庭訪問", "保健師（ほけんし）が いえに 行きます", "Home visit by a public health nurse"),
		What: texts("保健師がご自宅にうかがい、お子さんの成長や子育てのことを一緒に確かめます。", "保健師（ほけんし）が いえに 行きます。いっしょに 話します。", "A public health nurse visits you at home to talk about raising children."),
		From: texts("こども家庭センター", "こども家庭（かてい）センター", "Children and Families Centre"), Cost: texts("無料です。", "お金は いりません。", "It is free."),
		How: texts("「利用したい」を選ぶと、ご都合のよい日をうかがいます。", "「つかいたい」を えらんで ください。", "Choose \"Yes, please\"."),
	}
	talk = office.Support{Key: "parenting_talk", Name: texts("子育て相談", "子育て（こそだて）の そうだん", "Parenting talk"),
		What: texts("子育ての困りごとを、保健師や保育士と話せます。", "専門（せんもん）の 人と 話せます。", "Talk with a public health nurse."), From: homeVisit.From, Cost: homeVisit.Cost, How: homeVisit.How}
)

func (c children) Cases(_ context.Context, _ actor.Staff, limit int) ([]office.Case, error) {
	var out []office.Case
	for i := range min(c.Rows, limit) {
		out = append(out, office.Case{ID: "chc_1", Indicator: indicator, State: caseOrder[i%len(caseOrder)], Since: Now.Add(-time.Duration(i) * 24 * time.Hour), Due: day(2026, 12, 1+i%20), Own: i%3 == 1})
	}
	return out, nil
}

func (c children) Case(_ context.Context, who actor.Staff, id string) (office.CaseDetail, error) {
	if err := missing(id, "chc_1"); err != nil {
		return office.CaseDetail{}, err
	}
	d := office.CaseDetail{
		Case:  office.Case{ID: "chc_1", Indicator: indicator, State: c.Stage, Since: Now.Add(-72 * time.Hour), Due: day(2026, 12, 18), Own: c.Own},
		Child: office.Child{Name: LongName, Kana: "たかはしざき ゔぁしりえゔぃち", Birth: day(2024, 2, 29), Guardian: "髙橋﨑 マリア"},
		Rule:  texts("乳幼児健診を2回以上受けておらず、その後、保健課との連絡も登園の記録もない。", "健診（けんしん）を 2回 うけていません。そのあと 話した きろくが ありません。", "At least two check-ups did not take place, and there has been no contact since."),
		Holds: true,
		Reasons: []office.Reason{
			{Text: texts("1歳6か月児健診（予定 2025年9月1日）を受けていません。", "1歳6か月の 健診（けんしん）を うけていません。", "The check-up at 18 months (due 1 September 2025) did not take place."), Source: texts("乳幼児健康診査の記録（母子保健課）", "健診（けんしん）の きろく", "Infant check-ups (health section)"), Ground: texts("母子保健法 第12条", "母子保健法 第12条", "Maternal and Child Health Act, art. 12"), AsOf: day(2026, 11, 1), Until: day(2028, 10, 31)},
			{Text: texts("最後に登園した日は2026年3月2日です。", "さいごに 園（えん）へ 行った 日は 2026年3月2日です。", "Last attended childcare on 2 March 2026."), Source: texts("保育・幼稚園の利用状況（保育課）", "保育園（ほいくえん）の きろく", "Use of childcare (childcare section)"), Ground: texts("児童福祉法 第10条", "児童福祉法 第10条", "Child Welfare Act, art. 10"), AsOf: day(2026, 4, 1), Until: day(2027, 3, 31)},
			{Text: texts("この記録は保存期間が過ぎました。", "ふるいので けしました。", "This item is past its retention."), Source: texts("乳幼児健康診査の記録（母子保健課）", "健診（けんしん）の きろく", "Infant check-ups (health section)"), Ground: texts("母子保健法 第12条", "母子保健法 第12条", "Maternal and Child Health Act, art. 12"), Until: day(2026, 10, 1), Expired: true},
		},
		History: []office.Event{{At: Now.Add(-72 * time.Hour), What: "flagged"}},
	}
	c.advance(&d, who)
	return d, nil
}

func (c children) advance(d *office.CaseDetail, who actor.Staff) {
	switch c.Stage {
	case office.CaseFlagged, office.CaseReturned:
		d.CanAssess, d.Supports = true, []office.Support{homeVisit, talk}
		return
	case office.CaseAssessed:
		d.CanApprove, d.Approval = who.Has(actor.ChildApprover), c.approval()
	default:
		d.CanClose = c.Stage != office.CaseClosed
		d.Outcomes = []office.Choice{{Key: "started", Name: texts("支援がはじまった", "しえんが はじまった", "The support began")}, {Key: "refused", Name: texts("家庭が断った", "ことわった", "The family said no")}}
		d.Decided = office.Decided{Verdict: "approved", By: "承認 二郎", At: Now.Add(-24 * time.Hour), Reason: "理由と支援が合っています。"}
	}
	d.Support = &homeVisit
	d.Assessed = &office.Assessed{By: LongName, At: Now.Add(-48 * time.Hour), Contact: true, Reason: "健診の未受診が続き、連絡もない。\n訪問で様子を聞くのがよい。"}
	d.History = append(d.History, office.Event{At: Now.Add(-48 * time.Hour), What: "assessed", By: LongName})
}

func (c children) step(to office.CaseState, format string, args ...any) error {
	if err := c.act(format, args...); err != nil {
		return err
	}
	c.Stage = to
	return nil
}

func (c children) Assess(_ context.Context, _ actor.Staff, id string, a office.Assessment) error {
	to := office.CaseClosed
	if a.Contact {
		to = office.CaseAssessed
	}
	return c.step(to, "assess %s %v %v %s %s", id, a.Contact, a.Wrong, a.Support, a.Reason)
}

func (c children) Approve(_ context.Context, _ actor.Staff, id, reason string) error {
	return c.step(office.CaseOffered, "approve %s %s", id, reason)
}

func (c children) Return(_ context.Context, _ actor.Staff, id, reason string) error {
	return c.step(office.CaseReturned, "return %s %s", id, reason)
}

func (c children) Close(_ context.Context, _ actor.Staff, id, outcome, note string) error {
	return c.step(office.CaseClosed, "close %s %s %s", id, outcome, note)
}

func (c children) Erasures(context.Context, actor.Staff) ([]office.Erasure, error) {
	var out []office.Erasure
	for i := range c.Rows {
		out = append(out, office.Erasure{Source: texts("乳幼児健康診査の記録（母子保健課）", "健診（けんしん）の きろく", "Infant check-ups (health section)"),
			Item: texts("健診の予定日と受診の有無", "健診（けんしん）の 日", "day of the check-up"), Why: []string{"retention", "superseded", "other"}[i%3], Count: 1200 + i,
			Cutoff: day(2024, 11, 20), Digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", At: Now})
	}
	return out, nil
}

func (c children) Evaluation(context.Context, actor.Staff) ([]office.Evaluation, error) {
	if c.Rows == 0 {
		return nil, nil
	}
	return []office.Evaluation{{Indicator: indicator, Flagged: 31, Reviewed: 28, Contacted: 12, Accepted: 9, Declined: 2, Wrong: 3}}, nil
}

type protection struct{ *Canned }

func (p protection) Waiting(_ context.Context, _ actor.Staff, limit int) ([]office.Withheld, error) {
	var out []office.Withheld
	for i := range min(p.Rows, limit) {
		out = append(out, office.Withheld{ID: fmt.Sprintf("wth_%d", i+1), Ref: fmt.Sprintf("R-%06d", i), Name: LongName,
			What: texts("物価高対応子育て応援手当のお知らせ", "お金の おしらせ", "Notice of the one-off payment"), Link: "/office/benefits/awards/awd_1", Since: Now.Add(-time.Duration(i+1) * time.Hour)})
	}
	return out, nil
}

func (p protection) InForce(_ context.Context, _ actor.Staff, limit int) ([]office.Protected, error) {
	var out []office.Protected
	for i := range min(p.Rows, limit) {
		out = append(out, office.Protected{Ref: fmt.Sprintf("R-%06d", i), Name: LongName, Kind: []string{office.DoNotContact, office.NonDisclosure}[i%2], Since: day(2026, 4, 1), Until: []civil.Date{{}, day(2027, 3, 31)}[i%2]})
	}
	return out, nil
}

func (p protection) Settle(_ context.Context, _ actor.Staff, id, how, note string) error {
	return p.act("settle %s %s %s", id, how, note)
}

func (p protection) Set(_ context.Context, _ actor.Staff, f office.Flag) error {
	return p.act("set %s %s %s", f.Ref, f.Kind, f.Until)
}

func (p protection) Lift(_ context.Context, _ actor.Staff, ref, kind string) error {
	return p.act("lift %s %s", ref, kind)
}
