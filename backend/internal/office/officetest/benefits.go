package officetest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/notice"
)

// Benefits gives the canned benefits.
func (c *Canned) Benefits() office.Benefits { return benefits{c} }

type benefits struct{ *Canned }

func (b benefits) Programs(context.Context, actor.Staff) ([]office.Choice, error) {
	if b.Rows == 0 {
		return nil, nil
	}
	return []office.Choice{
		{Key: "child_allowance", Name: texts("児童手当", "児童手当（じどうてあて）", "Child allowance")},
		{Key: "oneoff", Name: benefitName},
	}, nil
}

func (b benefits) run(i int) office.Run {
	r := office.Run{
		ID: "run_1", Name: benefitName, Month: day(2026, 11, 1), Deadline: day(2026, 12, 11), PayOn: day(2026, 12, 25),
		State: b.Canned.Run, StartedBy: LongName, CreatedAt: Now.Add(-time.Duration(26+i) * time.Hour),
	}
	if i > 0 {
		r.ID, r.State = fmt.Sprintf("run_%d", i+1), []office.RunState{office.RunDone, office.RunPaused, office.RunDrafted, office.RunCounted}[i%4]
	}
	if r.State == office.RunRunning || r.State == office.RunCounting {
		r.WorkingSince = Now.Add(-4 * time.Minute)
	}
	return r
}

func (b benefits) Runs(_ context.Context, _ actor.Staff, limit int) ([]office.Run, error) {
	var out []office.Run
	for i := range min(b.Rows, limit) {
		out = append(out, b.run(i))
	}
	return out, nil
}

func (b benefits) Draft(_ context.Context, _ actor.Staff, d office.RunDraft) (string, error) {
	return "run_1", b.act("draft %s %s %s %s", d.Benefit, d.Month, d.Deadline, d.PayOn)
}

// Run moves on by a fifth each time while it works, and then is done.
func (b benefits) Run(_ context.Context, _ actor.Staff, id string) (office.RunDetail, error) {
	if err := missing(id, "run_1"); err != nil {
		return office.RunDetail{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d := office.RunDetail{Run: b.run(0), ByState: map[office.AwardState]office.Tally{}}
	d.All = 1200
	switch d.State {
	case office.RunDrafted:
		d.All = 0
		return d, nil
	case office.RunCounting:
		return b.counting(d), nil
	case office.RunRunning:
		b.seen = min(d.All, b.seen+240)
		d.Seen = b.seen
		if d.Seen == d.All {
			b.Canned.Run = office.RunDone
		}
	case office.RunPaused:
		d.Seen = 480
	default:
		d.Seen = d.All
	}
	d.Count = &office.Count{Households: 1200, Awards: 1131, Children: 1873, Yen: 37_460_000, Questions: 14, MustApply: 9, Already: 50}
	if d.State != office.RunCounted {
		b.fill(&d)
	}
	return d, nil
}

func (b benefits) counting(d office.RunDetail) office.RunDetail {
	b.seen = min(d.All, b.seen+600)
	if d.Seen = b.seen; d.Seen == d.All {
		b.Canned.Run, b.seen = office.RunCounted, 0
	}
	return d
}

func (b benefits) fill(d *office.RunDetail) {
	d.ByState = map[office.AwardState]office.Tally{
		office.Noticed: {Awards: 319, Yen: 10_500_000}, office.Proven: {Awards: 402, Yen: 13_400_000}, office.Silent: {Awards: 300, Yen: 9_840_000},
		office.Refused: {Awards: 4, Yen: 120_000}, office.Listed: {Awards: 94, Yen: 3_200_000}, office.Approved: {Awards: 12, Yen: 400_000},
		office.OpenQuestion: {Awards: 14}, office.MustApply: {Awards: 9},
	}
	d.ForPerson = 3
	for i := range min(b.Rows, 3) {
		d.Lists = append(d.Lists, office.List{ID: "lst_1", Count: 94, Yen: 3_200_000, State: []string{"waiting", "approved", "returned"}[i], MadeAt: Now.Add(-time.Hour), MadeBy: LongName})
	}
}

func (b benefits) Samples(context.Context, actor.Staff, string) ([]office.Sample, error) {
	if b.Canned.Run == office.RunDrafted || b.Canned.Run == office.RunCounting {
		return nil, nil
	}
	var out []office.Sample
	for i := range min(b.Rows, 3) {
		out = append(out, office.Sample{Yen: int64(20_000 * (i + 1)), Children: i + 1, Texts: map[notice.Language]notice.Text{
			notice.Japanese:     {Title: "物価高対応子育て応援手当を支給します", Body: "お子さん1人につき20,000円を支給します。\n手続きはいりません。受け取らないときは、2026年12月11日（金）までにお知らせください。\n\n理由：平成19年4月2日から令和8年3月31日までに生まれた児童を養育しているため。"},
			notice.EasyJapanese: {Title: "子育て（こそだて）を おうえんする お金を はらいます", Body: "子ども 1人に 20,000円 はらいます。\nなにも しなくて いいです。\nいらない 人は、2026年12月11日（金）までに いって ください。"},
			notice.English:      {Title: "You will receive the one-off child-rearing payment", Body: "¥20,000 for each child.\nYou need not do anything. If you do not want it, tell us by Fri 11 December 2026.\n\nWhy: you raise a child born between 2 April 2007 and 31 March 2026."},
		}})
	}
	return out, nil
}

func (b benefits) Act(_ context.Context, _ actor.Staff, run string, a office.RunAct) error {
	if err := b.act("%s %s", a, run); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = 0
	b.Canned.Run = map[office.RunAct]office.RunState{office.RunCount: office.RunCounting, office.RunStart: office.RunRunning,
		office.RunPause: office.RunPaused, office.RunResume: office.RunRunning}[a]
	return nil
}

func (b benefits) Propose(_ context.Context, _ actor.Staff, run string) (string, error) {
	return "lst_1", b.act("propose %s", run)
}

func (b benefits) award(i int) office.Award {
	states := office.AwardStates()
	a := office.Award{ID: fmt.Sprintf("awd_%d", i+1), Ref: fmt.Sprintf("R-%06d", i), Name: LongName, Yen: int64(10_000 * (1 + i%3)), Children: 1 + i%3,
		State: states[i%len(states)], AnswerBy: day(2026, 12, 11)}
	if a.State == office.OpenQuestion || a.State == office.Noticed {
		a.AnswerBy = civil.Date{}
	}
	return a
}

func (b benefits) Awards(_ context.Context, _ actor.Staff, _ string, state office.AwardState, after string, limit int) ([]office.Award, string, error) {
	var out []office.Award
	for i := range min(b.Rows, limit) {
		a := b.award(i)
		if state != "" {
			a.State = state
		}
		out = append(out, a)
	}
	if b.Rows > limit && after == "" {
		return out, "cursor", nil
	}
	return out, "", nil
}

func (b benefits) Questions(_ context.Context, _ actor.Staff, _, _ string, limit int) ([]office.Question, string, error) {
	var out []office.Question
	for i := range min(b.Rows, limit) {
		out = append(out, office.Question{Ref: fmt.Sprintf("R-%06d", i), Name: LongName, Trouble: []string{"no_parent", "not_born", "something"}[i%3]})
	}
	return out, "", nil
}

func (b benefits) Award(_ context.Context, _ actor.Staff, id string) (office.AwardDetail, error) {
	if err := missing(id, "awd_1"); err != nil {
		return office.AwardDetail{}, err
	}
	a := b.award(2)
	a.ID, a.State, a.Children, a.Yen = "awd_1", b.State, 2, 40_000
	d := office.AwardDetail{
		Award: a, Run: "run_1", RunName: benefitName, Month: day(2026, 11, 1), PayOn: day(2026, 12, 25), Basis: office.SameText("子ども・子育て支援臨時特例交付金 交付要綱 第3条"),
		Shares: []office.Share{{Name: LongName, Birth: day(2019, 4, 1), Yen: 20_000}, {Name: "髙橋﨑 花", Birth: day(2024, 2, 29), Yen: 20_000}},
		Steps: []office.Step{
			{Text: texts("平成19年4月2日から令和8年3月31日までに生まれた児童が2人います。", "この 日に うまれた 子どもが 2人 います。", "There are 2 children born between 2 April 2007 and 31 March 2026."), Article: "交付要綱 第3条第1項", Parameters: []office.ParameterRow{{Source: "こども家庭庁 令和8年1月 通知", From: day(2026, 1, 1)}}},
			{Text: texts("1人20,000円なので、合計40,000円です。", "1人 20,000円です。ぜんぶで 40,000円です。", "¥20,000 each makes ¥40,000."), Article: "交付要綱 第4条"},
		},
		Facts: []office.Fact{
			{Name: texts("児童の数", "子どもの かず", "Number of children"), Value: office.SameText("2"), Source: texts("住民基本台帳", "住民の きろく", "Resident register"), AsOf: day(2026, 11, 20)},
			{Name: texts("所得の年", "お金の 年", "Year of income"), Value: office.SameText("2025"), Source: texts("市民税課", "ぜいきんの かかり", "Tax section"), AsOf: day(2026, 1, 5)},
			{Name: texts("勤務先からの支給", "かいしゃから", "Paid by workplace"), Value: texts("なし", "ない", "No"), Source: texts("届出", "とどけ", "Declaration")},
		},
		History:   []office.Event{{At: Now.Add(-30 * time.Hour), What: "decided"}, {At: Now.Add(-29 * time.Hour), What: "noticed"}, {On: day(2026, 11, 21), What: "delivered_letter", By: LongName, Note: "配達証明 第12号"}},
		CanLetter: b.State == office.Noticed, CanRefuse: b.State == office.Noticed || b.State == office.Proven, NoticedOn: day(2026, 11, 20), RefusalEnds: day(2026, 12, 11),
	}
	if b.State == office.OpenQuestion {
		d.Needs = []office.Texts{texts("令和7年の所得（市民税の申告）", "令和7年の お金の きろく", "Income of 2025 (tax declaration)")}
	}
	return d, nil
}

func (b benefits) RecordLetter(_ context.Context, _ actor.Staff, award string, on civil.Date) error {
	return b.act("letter %s %s", award, on)
}

func (b benefits) RecordRefusal(_ context.Context, _ actor.Staff, award string, on civil.Date, reason string) error {
	return b.act("refusal %s %s %s", award, on, reason)
}

func (b benefits) List(_ context.Context, _ actor.Staff, id string) (office.ListDetail, error) {
	if err := missing(id, "lst_1"); err != nil {
		return office.ListDetail{}, err
	}
	d := office.ListDetail{
		List: office.List{ID: "lst_1", Count: b.Rows, Yen: int64(b.Rows) * 20_000, State: b.Listed, MadeAt: Now.Add(-2 * time.Hour), MadeBy: LongName},
		Run:  "run_1", RunName: benefitName, Month: day(2026, 11, 1), PayOn: day(2026, 12, 25), Balanced: true,
	}
	for i := range min(b.Rows, office.MaxShown) {
		d.Lines = append(d.Lines, office.ListLine{Award: "awd_1", Ref: fmt.Sprintf("R-%06d", i), Name: LongName, Children: 1, Yen: 20_000})
	}
	switch b.Listed {
	case "waiting":
		d.Approval = b.approval()
	case "returned", "approved":
		d.Decided = office.Decided{Verdict: b.Listed, By: LongName, At: Now, Reason: strings.Repeat("件数を数えなおしました。", 3)}
	}
	return d, nil
}

func (b benefits) Approve(_ context.Context, _ actor.Staff, list string, count int, total int64, reason string) error {
	return b.decide("approved", "approve %s %d %d %s", list, count, total, reason)
}

func (b benefits) Return(_ context.Context, _ actor.Staff, list, reason string) error {
	return b.decide("returned", "return %s %s", list, reason)
}

func (b benefits) decide(to, format string, args ...any) error {
	if err := b.act(format, args...); err != nil {
		return err
	}
	b.Listed = to
	return nil
}
