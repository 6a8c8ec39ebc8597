package rule_test

import (
	"slices"
	"strconv"
	"time"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/civil"
)

// 児童手当 written by hand in Go, with the same steps as the programme gives: what the
// programme as data is measured against, and proven equal to. It knows households whose
// facts are all known.

type use = benefit.ParameterUse

var (
	june2012 = benefit.Month{Year: 2012, Month: time.June}
	oct2022  = benefit.Month{Year: 2022, Month: time.October}
	oct2024  = benefit.Month{Year: 2024, Month: time.October}
)

const (
	art6Before = "児童手当法第6条第1項（令和6年法律第47号による改正前）"
	art6After  = "児童手当法第6条第1項（令和6年法律第47号による改正後）"

	underThreeAmount  = 15000
	basicAmount       = 10000
	thirdBefore       = 15000
	thirdAfter        = 30000
	specialAmount     = 5000
	incomeLimit       = 6220000
	upperLimit        = 8580000
	perDependant      = 380000
	underThreeMonths  = 36
	primarySchoolAge  = 12
	countedAge        = 18
	countedAgeAtCosts = 22
)

// The rows that steps name.
var (
	useSpecial    = use{ID: "special", From: june2012, Source: "児童手当法附則第2条（令和6年法律第47号による改正前）"}
	useLimit      = use{ID: "limit_special", From: june2012, Source: "児童手当法施行令第1条（所得制限限度額、令和6年改正前）"}
	useUpper      = use{ID: "limit_upper", From: oct2022, Source: "児童手当法施行令（所得上限限度額、令和4年10月支給分から令和6年9月分まで）"}
	useDependant  = use{ID: "limit_per_dependant", From: june2012, Source: "児童手当法施行令第1条（扶養親族等1人の加算、令和6年改正前）"}
	useMonths     = use{ID: "under_three_months", From: june2012, Source: "児童手当法第6条第1項（3歳に達した月まで。月の初日に生まれた児童は出生の日から3年を経過しない児童）"}
	usePrimary    = use{ID: "primary_school_fiscal_age", From: june2012, Source: "児童手当法第6条第1項（小学校修了前、令和6年法律第47号による改正前）"}
	useCounted    = use{ID: "counted_fiscal_age", From: june2012, Source: "児童手当法第3条第1項（18歳に達する日以後の最初の3月31日まで）"}
	useCountCosts = use{ID: "counted_fiscal_age_with_costs", From: oct2024,
		Source: "児童手当法第3条（22歳に達する日以後の最初の3月31日まで、監護相当・生計費の負担があるとき）"}

	usesBelow   = []use{useLimit, useDependant}
	usesSpecial = []use{useLimit, useSpecial} // the rule until 2022-09
	usesReach   = []use{useLimit, useUpper, useDependant, useSpecial}
	usesUpper   = []use{useUpper}
	usesCounted = []use{useCounted}
	usesCosts   = []use{useCountCosts}
	usesPaid    = []use{useSpecial}
)

// era is what changed with the reforms.
type era struct {
	version, art3, art3Costs, art4, art6, art8 string
	lastAge                                    int64
	third                                      int64
	upper, limits                              bool
	ended, underThree, thirdAndLater, basic    []use
}

var (
	before2022 = era{version: "2012-06", limits: true, art3: "児童手当法第3条第1項（改正前）", art4: "児童手当法第4条第1項（改正前）",
		art6: "児童手当法第6条第1項（改正前）", art8: "児童手当法第8条第2項（改正前）", lastAge: 15, third: thirdBefore,
		ended:         []use{{ID: "last_fiscal_age", From: june2012, Source: "児童手当法第4条第1項（中学校修了前、令和6年法律第47号による改正前）"}},
		underThree:    []use{{ID: "under_three", From: june2012, Source: art6Before}, useMonths},
		thirdAndLater: []use{{ID: "third_and_later", From: june2012, Source: art6Before}, usePrimary},
		basic:         []use{{ID: "basic", From: june2012, Source: art6Before}}}
	before2024 = func() era { e := before2022; e.version, e.upper = "2022-10", true; return e }()
	since2024  = era{version: "2024-10", art3: "児童手当法第3条第1項", art3Costs: "児童手当法第3条", art4: "児童手当法第4条第1項",
		art6: "児童手当法第6条第1項", art8: "児童手当法第8条第2項", lastAge: 18, third: thirdAfter,
		ended:         []use{{ID: "last_fiscal_age", From: oct2024, Source: "児童手当法第4条第1項（令和6年法律第47号による改正後）"}},
		underThree:    []use{{ID: "under_three", From: oct2024, Source: art6After}, useMonths},
		thirdAndLater: []use{{ID: "third_and_later", From: oct2024, Source: art6After}},
		basic:         []use{{ID: "basic", From: oct2024, Source: art6After}}}
)

// handChild is one child on the way through the rules.
type handChild struct {
	place, months, age int64
	birth              benefit.Value
	said               benefit.Words // its birth in words
	costs, counted     bool
	rank, amount       int64
}

// hand is one evaluation by hand.
type hand struct {
	*era
	texts  bool
	month  benefit.Words
	band   string
	kids   []handChild
	steps  []benefit.Step
	inputs []benefit.Input
}

func byHand(r *benefit.Request, texts bool) benefit.Decision {
	e := &since2024
	switch {
	case r.Month.Before(oct2022):
		e = &before2022
	case r.Month.Before(oct2024):
		e = &before2024
	}
	n := len(r.Children)
	x := hand{era: e, texts: texts, kids: make([]handChild, n),
		steps: make([]benefit.Step, 0, 1+3*n), inputs: make([]benefit.Input, 0, 10+20*n)}
	if texts {
		x.month = handMonth(r.Month)
	}
	if e.limits {
		x.incomeBand(r)
	}
	for i := range r.Children {
		x.countChild(r, i)
	}
	x.rankChildren(r.Children)
	d := benefit.Decision{Benefit: "child_allowance", Month: r.Month, Version: e.version, PerChild: make([]benefit.ChildAmount, 0, n)}
	sum := int64(0)
	for i := range x.kids {
		k := &x.kids[i]
		x.amountOf(k)
		sum += k.amount
		d.PerChild = append(d.PerChild, benefit.ChildAmount{Birth: r.Children[i].Birth, Amount: benefit.Int(k.amount)})
	}
	d.Amount, d.Steps = benefit.Int(sum), x.steps
	return d
}

// step adds a step; in are its inputs, sorted by name.
func (x *hand) step(rule, article string, result benefit.Value, uses []use, text benefit.Words, in ...benefit.Input) {
	from := len(x.inputs)
	x.inputs = append(x.inputs, in...)
	x.steps = append(x.steps, benefit.Step{Rule: rule, Version: x.version, Article: article, Result: result, Parameters: uses,
		Inputs: x.inputs[from:len(x.inputs):len(x.inputs)], Text: text})
}

func number(name string, n int64) benefit.Input {
	return benefit.Input{Name: name, Value: benefit.Int(n)}
}

func (x *hand) incomeBand(r *benefit.Request) {
	income, dependants := r.Facts["income"].Int(), r.Facts["dependants"].Int()
	year := int64(benefit.IncomeYear(r.Month, time.June))
	in := []benefit.Input{{Name: "dependants", Value: r.Facts["dependants"]}, number("income", income), number("income_year", year),
		number("param.limit_per_dependant", perDependant), number("param.limit_special", incomeLimit)}
	var said, y string
	if x.texts {
		said, y = handYen(income), strconv.FormatInt(year, 10)
	}
	var w benefit.Words
	switch {
	case income < incomeLimit || income < incomeLimit+perDependant*dependants:
		x.band = "full"
		if x.texts {
			w = benefit.Words{JA: y + "年の所得" + said + "円は、所得制限限度額に達していません。",
				JAEasy: y + "年の 所得（しょとく）" + said + "円は、きまりの 金がくより すくないです。",
				EN:     "The income of " + y + ", " + said + " yen, is below the income limit."}
		}
		x.step("income_below_limit", "児童手当法第5条第1項（改正前）", benefit.Text("full"), usesBelow, w, in...)
	case !x.upper || income < upperLimit+perDependant*dependants:
		x.band = "special"
		if x.texts {
			w = benefit.Words{JA: y + "年の所得" + said + "円は、所得制限限度額以上です。児童1人につき月5,000円の特例給付になります。",
				JAEasy: y + "年の 所得（しょとく）" + said + "円は、きまりの 金がくより 多いです。子ども 1人に 月5,000円に なります。",
				EN:     "The income of " + y + ", " + said + " yen, reaches the income limit: the special benefit of 5,000 yen a month for each child applies."}
		}
		rule, uses := "income_over_limit", usesSpecial
		if x.upper {
			rule, uses = "income_below_upper_limit", usesReach
			in = append(in, number("param.limit_upper", upperLimit))
		}
		x.step(rule, "児童手当法附則第2条第1項（改正前）", benefit.Text("special"), uses, w, append(in, number("param.special", specialAmount))...)
	default:
		x.band = "none"
		if x.texts {
			w = benefit.Words{JA: y + "年の所得" + said + "円は、所得上限限度額以上です。",
				JAEasy: y + "年の 所得（しょとく）" + said + "円は、上の きまりの 金がくより 多いです。",
				EN:     "The income of " + y + ", " + said + " yen, reaches the upper income limit."}
		}
		x.step("income_over_upper_limit", "児童手当法附則第2条第1項（改正前）", benefit.Text("none"), usesUpper, w,
			append(in, number("param.limit_upper", upperLimit))...)
	}
}

func (x *hand) countChild(r *benefit.Request, i int) {
	c := &r.Children[i]
	k := &x.kids[i]
	k.place, k.months, k.age = int64(i+1), int64(r.Month.Since(benefit.MonthOf(c.Birth))), handFiscalAge(c.Birth, r.Month)
	k.birth = benefit.Day(c.Birth)
	if x.texts {
		k.said = handDay(c.Birth)
	}
	b := k.said
	child, birth := number("child", k.place), benefit.Input{Name: "birth", Value: k.birth}
	var w benefit.Words
	if k.months >= 0 && k.age <= countedAge {
		k.counted = true
		if x.texts {
			w = benefit.Words{JA: b.JA + "生まれの子は、18歳になった後の最初の3月31日までなので、子の人数に数えます。",
				JAEasy: b.JAEasy + "に うまれた 子どもは、18さいに なった あとの 3月31日までなので、子どもの 数に 入れます。",
				EN:     "The child born on " + b.EN + " is counted: it is not past the 31 March after turning 18."}
		}
		x.step("counted", x.art3, benefit.Bool(true), usesCounted, w, birth, child,
			number("fiscal_age", k.age), number("months_old", k.months), number("param.counted_fiscal_age", countedAge))
		return
	}
	if x.limits {
		if x.texts {
			w = benefit.Words{JA: b.JA + "生まれの子は、18歳になった後の最初の3月31日を過ぎているため、子の人数に数えません。",
				JAEasy: b.JAEasy + "に うまれた 子どもは、18さいに なった あとの 3月31日を すぎたので、子どもの 数に 入れません。",
				EN:     "The child born on " + b.EN + " is not counted: it is past the 31 March after turning 18."}
		}
		x.step("not_counted", x.art3, benefit.Bool(false), usesCounted, w, birth, child,
			number("fiscal_age", k.age), number("months_old", k.months), number("param.counted_fiscal_age", countedAge))
		return
	}
	x.countWithCosts(c, k, birth, child)
}

func (x *hand) countWithCosts(c *benefit.Child, k *handChild, birth, child benefit.Input) {
	k.costs = c.Facts["cost_confirmed"].True()
	b, rule := k.said, "not_counted"
	var w benefit.Words
	if k.months >= 0 && k.age <= countedAgeAtCosts && k.costs {
		k.counted, rule = true, "counted_with_costs"
		if x.texts {
			w = benefit.Words{JA: b.JA + "生まれの子は、22歳になった後の最初の3月31日までで、監護相当・生計費の負担が確認されているので、子の人数に数えます。",
				JAEasy: b.JAEasy + "に うまれた 子どもは、22さいに なった あとの 3月31日までで、親が 生活の お金を 出して いるので、子どもの 数に 入れます。",
				EN: "The child born on " + b.EN +
					" is counted: it is not past the 31 March after turning 22, and the parent is confirmed to bear its living costs."}
		}
	} else if x.texts {
		w = benefit.Words{JA: b.JA + "生まれの子は、数える年齢を過ぎているか、監護相当・生計費の負担が確認されていないため、子の人数に数えません。",
			JAEasy: b.JAEasy + "に うまれた 子どもは、年れいが すぎたか、親が 生活の お金を 出して いる ことの かみが ないので、子どもの 数に 入れません。",
			EN: "The child born on " + b.EN +
				" is not counted: it is past the age, or the confirmation that the parent bears its living costs is not there."}
	}
	x.step(rule, x.art3Costs, benefit.Bool(k.counted), usesCosts, w, birth, child,
		benefit.Input{Name: "cost_confirmed", Value: benefit.Bool(k.costs)}, number("fiscal_age", k.age), number("months_old", k.months),
		number("param.counted_fiscal_age", countedAge), number("param.counted_fiscal_age_with_costs", countedAgeAtCosts))
}

func (x *hand) rankChildren(children []benefit.Child) {
	order := make([]int, len(children))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return children[a].Birth.Compare(children[b].Birth) })
	next := int64(1)
	for _, i := range order {
		if x.kids[i].counted {
			x.kids[i].rank = next
			next++
		}
	}
	article := x.art3Costs
	if x.limits {
		article = x.art3
	}
	for i := range x.kids {
		k := &x.kids[i]
		if k.rank == 0 {
			continue
		}
		var w benefit.Words
		if x.texts {
			n := strconv.FormatInt(k.rank, 10)
			w = benefit.Words{JA: k.said.JA + "生まれの子は、数える子のうち年長から数えて" + n + "番目です。",
				JAEasy: k.said.JAEasy + "に うまれた 子どもは、上から " + n + "ばん目の 子どもです。",
				EN:     "The child born on " + k.said.EN + " is number " + n + ", counted from the eldest."}
		}
		x.step("rank", article, benefit.Int(k.rank), nil, w, benefit.Input{Name: "birth", Value: k.birth}, number("child", k.place),
			benefit.Input{Name: "counted", Value: benefit.Bool(true)})
	}
}

// amountOf goes through the rules in the order of their edition. What was looked at on the
// way is told by the step.
func (x *hand) amountOf(k *handChild) {
	switch {
	case k.months < 1:
		x.notStarted(k)
	case k.age > x.lastAge:
		x.hasEnded(k)
	case x.limits:
		x.amountBefore(k)
	default:
		x.amountSince(k)
	}
}

func (x *hand) notStarted(k *handChild) {
	var w benefit.Words
	if b := k.said; x.texts {
		w = benefit.Words{JA: b.JA + "生まれの子の分は、生まれた月の翌月から始まります。" + x.month.JA + "分は0円です。",
			JAEasy: b.JAEasy + "に うまれた 子どもの お金は、うまれた つぎの 月から です。" + x.month.JAEasy + "は 0円です。",
			EN:     "For the child born on " + b.EN + " the entitlement begins with the month after the birth: nothing for " + x.month.EN + "."}
	}
	x.step("not_started", x.art8, benefit.Int(0), nil, w, benefit.Input{Name: "birth", Value: k.birth}, number("child", k.place),
		number("months_old", k.months))
}

func (x *hand) hasEnded(k *handChild) {
	var w benefit.Words
	if b := k.said; x.texts {
		age := strconv.FormatInt(x.lastAge, 10)
		w = benefit.Words{JA: b.JA + "生まれの子は、" + age + "歳になった後の最初の3月31日を過ぎています。" + x.month.JA + "分は0円です。",
			JAEasy: b.JAEasy + "に うまれた 子どもは、" + age + "さいに なった あとの 3月31日を すぎました。" + x.month.JAEasy + "は 0円です。",
			EN:     "The child born on " + b.EN + " is past the 31 March after turning " + age + ": nothing for " + x.month.EN + "."}
	}
	x.step("ended", x.art4, benefit.Int(0), x.ended, w, benefit.Input{Name: "birth", Value: k.birth}, number("child", k.place),
		number("fiscal_age", k.age), number("months_old", k.months), number("param.last_fiscal_age", x.lastAge))
}

func (x *hand) amountBefore(k *handChild) {
	birth, child, age, months := benefit.Input{Name: "birth", Value: k.birth}, number("child", k.place), number("fiscal_age", k.age), number("months_old", k.months)
	band, last := benefit.Input{Name: "income_band", Value: benefit.Text(x.band)}, number("param.last_fiscal_age", x.lastAge)
	limit := number("param.under_three_months", underThreeMonths)
	switch {
	case x.upper && x.band == "none":
		var w benefit.Words
		if x.texts {
			w = benefit.Words{JA: "所得上限限度額以上のため、" + k.said.JA + "生まれの子の" + x.month.JA + "分は0円です。",
				JAEasy: "所得（しょとく）が 多いので、" + k.said.JAEasy + "に うまれた 子どもの " + x.month.JAEasy + "の お金は 0円です。",
				EN:     "The income reaches the upper limit: nothing for the child born on " + k.said.EN + " for " + x.month.EN + "."}
		}
		x.step("over_upper_limit", "児童手当法附則第2条第1項（改正前）", benefit.Int(0), usesUpper, w, birth, child, age, band, months, last)
	case x.band == "special":
		k.amount = specialAmount
		var w benefit.Words
		if x.texts {
			w = benefit.Words{JA: "特例給付として、" + k.said.JA + "生まれの子の" + x.month.JA + "分は5,000円です。",
				JAEasy: "きまりの 金がくより 所得（しょとく）が 多いので、" + k.said.JAEasy + "に うまれた 子どもの " + x.month.JAEasy + "の お金は 5,000円です。",
				EN:     "The special benefit for the child born on " + k.said.EN + " is 5,000 yen for " + x.month.EN + "."}
		}
		x.step("special", "児童手当法附則第2条（改正前）", benefit.Int(specialAmount), usesPaid, w, birth, child, age, band, months, last,
			number("param.special", specialAmount))
	case k.months <= underThreeMonths:
		k.amount = underThreeAmount
		x.step("under_three", x.art6, benefit.Int(k.amount), x.underThree, x.sayUnderThree(k), birth, child, age, band, months, last,
			number("param.under_three", k.amount), limit)
	case k.rank >= 3 && k.age <= primarySchoolAge:
		k.amount = x.third
		x.step("third_and_later", x.art6, benefit.Int(k.amount), x.thirdAndLater, x.sayThirdBefore(k), birth, child, age, band, months, last,
			number("param.primary_school_fiscal_age", primarySchoolAge), number("param.third_and_later", x.third), limit, number("rank", k.rank))
	default:
		k.amount = basicAmount
		x.step("basic", x.art6, benefit.Int(k.amount), x.basic, x.sayBasic(k), birth, child, age, band, months, number("param.basic", k.amount), last,
			number("param.primary_school_fiscal_age", primarySchoolAge), limit, number("rank", k.rank))
	}
}

func (x *hand) amountSince(k *handChild) {
	birth, child, age, months := benefit.Input{Name: "birth", Value: k.birth}, number("child", k.place), number("fiscal_age", k.age), number("months_old", k.months)
	last, rank := number("param.last_fiscal_age", x.lastAge), number("rank", k.rank)
	limit := number("param.under_three_months", underThreeMonths)
	switch {
	case k.rank >= 3:
		k.amount = x.third
		x.step("third_and_later", x.art6, benefit.Int(k.amount), x.thirdAndLater, x.sayThirdSince(k), birth, child, age, months, last,
			number("param.third_and_later", x.third), rank)
	case k.months <= underThreeMonths:
		k.amount = underThreeAmount
		x.step("under_three", x.art6, benefit.Int(k.amount), x.underThree, x.sayUnderThree(k), birth, child, age, months, last,
			number("param.under_three", k.amount), limit, rank)
	default:
		k.amount = basicAmount
		x.step("basic", x.art6, benefit.Int(k.amount), x.basic, x.sayBasic(k), birth, child, age, months, number("param.basic", k.amount), last, limit, rank)
	}
}

// handFiscalAge counts by the days of the law: who is born on 1 April attains an age on 31 March.
func handFiscalAge(birth civil.Date, m benefit.Month) int64 {
	end := m.Year
	if m.Month > time.March {
		end++
	}
	age := end - birth.Year
	if birth.Month > time.April || birth.Month == time.April && birth.Day > 1 {
		age--
	}
	return int64(age)
}
