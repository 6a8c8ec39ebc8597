package tour

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"madoguchi.example/deploy/population"
	"madoguchi.example/mobile-api/client"
)

// The programme of the journey.
const (
	oneOff     = "oneoff_kosodate_ouen_2025"
	oneOffName = "物価高対応子育て応援手当"
	oneOffYen  = 20_000 // a child
)

// answerDays is how long a family may answer after a delivery that came late.
const answerDays = 7

// benefitWalk is what the steps about a benefit hand on.
type benefitWalk struct {
	*Guide
	phones   map[string]*client.Client
	tokens   map[string]string // where pushes to the phones go
	clerk    *Console          // drafts and starts
	maker    *Console          // makes the list, and could approve another's
	approver *Console
	deadline time.Time // the day
	once     sheet     // the draft as it was sent
	run      string    // paths
	list     string
	count    int // of the list
	total    int64
	// What the steps before this journey left in the mailboxes.
	before map[string]int
}

func benefitSteps(g *Guide) []step {
	w := &benefitWalk{Guide: g, phones: map[string]*client.Client{}, tokens: map[string]string{}, before: map[string]int{}}
	return []step{
		{"the phones of families register, that of a family that must not be contacted too", w.register},
		{"a clerk drafts a run; a deadline in a week is refused", w.draft},
		{"the dry run counts, shows what families would read in three languages, and decides nothing", w.dryRun},
		{"the run is started and comes to its end", w.start},
		{"families have a notice with the amount and the steps in three languages", w.notices},
		{"twins, a child of 29 February and one of the 1st are paid by the rule", w.edges},
		{"a missing fact is asked for, a public servant is told to apply, neither is paid or refused", w.questions},
		{"the push carries an opaque handle and nothing else", w.push},
		{"the app shows amount, reasons and deadline; the notice read there proves delivery", w.app},
		{"the same run again changes nothing", w.again},
		{"a family refuses half a minute before the deadline's midnight", w.lastMinute},
		{"a minute after midnight the app tells whom to call", w.tooLate},
		{"the list holds who was silent, and no family without proof of delivery", w.firstList},
		{"who made the list cannot approve it", w.ownList},
		{"another officer returns it with a reason", w.sendBack},
		{"a letter is recorded as delivered, and its own seven days begin", w.letter},
		{"when they are over, the family's silence counts", w.secondList},
		{"a wrong total is refused", w.wrongTotal},
		{"a second person approves count and total", w.approve},
		{"the list balances and names each payment once", w.balanced},
		{"the protected family got nothing by app or push and stands in the protector's list", w.protected},
		{"the family sees that it was approved, and who looked", w.seen},
	}
}

// families are those of the cast who open the app.
var families = []string{population.SubParent, population.SubLastMinute, population.SubTooLate, population.SubProtected,
	population.SubTwins, population.SubLeapDay, population.SubFirstDay, population.SubServant, population.SubUnasked}

func (w *benefitWalk) register(ctx context.Context) error {
	for _, sub := range families {
		phone, err := w.SignIn(ctx, sub)
		if err != nil {
			return err
		}
		if w.tokens[sub], err = w.device(ctx, phone); err != nil {
			return err
		}
		got, err := phone.Notices(ctx, "")
		if err != nil {
			return err
		}
		w.phones[sub], w.before[sub] = phone, len(got.Notices)
	}
	return nil
}

// day writes a day as a form takes it.
func day(at time.Time) string { return at.In(population.Japan).Format(time.DateOnly) }

func (w *benefitWalk) draft(ctx context.Context) (err error) {
	if w.clerk, err = w.Console(ctx, population.SubMinatoClerk2); err != nil {
		return err
	}
	today := w.Stage.Clock.Now().In(population.Japan)
	w.deadline = time.Date(today.Year(), today.Month(), today.Day()+15, 0, 0, 0, 0, population.Japan)
	set := draftOf(w.deadline)
	set["deadline"] = day(today.AddDate(0, 0, 7))
	if err := w.clerk.refused(ctx, newRun, having("pay_on", ""), set); err != nil {
		return err
	}
	set["deadline"] = day(w.deadline)
	e, err := w.clerk.open(ctx, newRun)
	if err != nil {
		return err
	}
	w.once, _ = e.sheet(having("pay_on", ""))
	for name, value := range set {
		w.once.fields.Set(name, value)
	}
	w.run, err = w.clerk.sent(ctx, w.once)
	return err
}

func (w *benefitWalk) dryRun(ctx context.Context) error {
	if err := w.clerk.ActOnRun(ctx, w.run, "count"); err != nil {
		return err
	}
	said, err := w.clerk.AwaitAct(ctx, w.run, "start")
	if err != nil {
		return err
	}
	for _, words := range []string{"20,000", oneOffName, "ものの ねだんが 高い ときの", "One-off child support payment"} {
		if !strings.Contains(said, words) {
			return fmt.Errorf("the page of the counted run does not say %q: %.400s", words, said)
		}
	}
	for sub, phone := range w.phones {
		got, err := phone.Benefits(ctx)
		if err != nil {
			return err
		}
		if len(got) > 0 {
			return fmt.Errorf("%s has a benefit after a dry run", sub)
		}
	}
	return nil
}

func (w *benefitWalk) start(ctx context.Context) error {
	if err := w.clerk.ActOnRun(ctx, w.run, "start"); err != nil {
		return err
	}
	return w.clerk.AwaitRun(ctx, w.run)
}

// benefit gives a family's one benefit, and its notice where there is one.
func (w *benefitWalk) benefit(ctx context.Context, sub string) (client.Benefit, client.Notice, error) {
	all, err := w.phones[sub].Benefits(ctx)
	if err != nil {
		return client.Benefit{}, client.Notice{}, err
	}
	if len(all) != 1 {
		return client.Benefit{}, client.Notice{}, fmt.Errorf("%s has %d benefits", sub, len(all))
	}
	b := all[0]
	if b.Notice == "" {
		return b, client.Notice{}, fmt.Errorf("%s has a benefit without a notice", sub)
	}
	n, err := w.phones[sub].Notice(ctx, b.Notice)
	return b, n, err
}

// languages are those in which every text is.
var languages = []string{"en", "ja", "ja-easy"}

func inAll(texts []client.Phrase) bool {
	var have []string
	for _, t := range texts {
		if t.Text != "" {
			have = append(have, t.Language)
		}
	}
	slices.Sort(have)
	return slices.Equal(have, languages)
}

func (w *benefitWalk) notices(ctx context.Context) error {
	for _, sub := range []string{population.SubParent, population.SubLastMinute, population.SubTooLate} {
		b, n, err := w.benefit(ctx, sub)
		if err != nil {
			return err
		}
		if err := paid(b, oneOffYen); err != nil {
			return fmt.Errorf("%s: %w", sub, err)
		}
		if len(n.Texts) != len(languages) {
			return fmt.Errorf("the notice of %s is in %d languages", sub, len(n.Texts))
		}
		for _, t := range n.Texts {
			if !strings.Contains(t.Title+t.Body, "20,000") {
				return fmt.Errorf("the notice of %s in %s does not say the amount", sub, t.Language)
			}
		}
		if len(b.Steps) == 0 || !inAll(b.Name) {
			return fmt.Errorf("%s is told no reasons", sub)
		}
		for _, s := range b.Steps {
			if s.Article == "" || !inAll(s.Texts) {
				return fmt.Errorf("a step of %s has no article or not every language", sub)
			}
		}
	}
	return nil
}

func paid(b client.Benefit, yen int64) error {
	if b.Amount == nil {
		return fmt.Errorf("the amount cannot be told (%s)", b.State)
	}
	return want(*b.Amount == yen, "%d yen instead of %d", *b.Amount, yen)
}

func (w *benefitWalk) edges(ctx context.Context) error {
	for sub, yen := range map[string]int64{population.SubTwins: 2 * oneOffYen, population.SubLeapDay: oneOffYen, population.SubFirstDay: oneOffYen} {
		b, _, err := w.benefit(ctx, sub)
		if err != nil {
			return err
		}
		if err := paid(b, yen); err != nil {
			return fmt.Errorf("%s: %w", sub, err)
		}
		if len(b.Children) != int(yen/oneOffYen) {
			return fmt.Errorf("%s is told of %d children", sub, len(b.Children))
		}
	}
	return nil
}

func (w *benefitWalk) questions(ctx context.Context) error {
	b, _, err := w.benefit(ctx, population.SubUnasked)
	if err != nil {
		return err
	}
	if b.State != "open_question" || len(b.Needs) == 0 || b.Amount != nil || b.Refusable {
		return fmt.Errorf("the family of whom a fact is missing: %s, %d needs", b.State, len(b.Needs))
	}
	if b, _, err = w.benefit(ctx, population.SubServant); err != nil {
		return err
	}
	return want(b.State == "must_apply" && !b.Refusable && b.AnswerBy == "", "the public servant: %s", b.State)
}

func (w *benefitWalk) push(ctx context.Context) error {
	cast := w.Stage.Cast
	for sub, who := range map[string]population.Part{population.SubLastMinute: cast.LastMinute, population.SubTwins: cast.Twins} {
		var got []pushed
		var raw string
		if err := until(ctx, func() (holds bool, seen string, err error) {
			got, raw, err = w.pushes(ctx, w.tokens[sub])
			return len(got) > 0, fmt.Sprintf("%d messages", len(got)), err
		}); err != nil {
			return err
		}
		data := got[0].Message.Data
		if len(got) != 1 || len(data) != 2 || data["v"] != "1" || !strings.HasPrefix(data["h"], "psh_") {
			return fmt.Errorf("%d messages to %s, data of %d keys", len(got), sub, len(data))
		}
		for _, secret := range []string{"20,000", "20000", "手当", who.Name, who.ResidentRef, "ntc_", "ctz_", "awd_"} {
			if strings.Contains(raw, secret) {
				return fmt.Errorf("the push says more than the handle")
			}
		}
		n, err := w.phones[sub].ResolvePush(ctx, data["h"])
		if err != nil {
			return err
		}
		if n.About == nil || n.About.Kind != "benefit" {
			return fmt.Errorf("the notice behind the push is not about a benefit")
		}
	}
	return nil
}

func (w *benefitWalk) app(ctx context.Context) error {
	for _, sub := range []string{population.SubParent, population.SubLastMinute, population.SubTooLate} {
		b, n, err := w.benefit(ctx, sub)
		if err != nil {
			return err
		}
		if b.State != "noticed" || b.AnswerBy != "" || !b.Refusable {
			return fmt.Errorf("%s before reading: %s, answer by %q", sub, b.State, b.AnswerBy)
		}
		if err := w.phones[sub].ReadNotice(ctx, n.ID); err != nil {
			return err
		}
		if b, err = w.phones[sub].Benefit(ctx, b.ID); err != nil {
			return err
		}
		if b.State != "proven" || b.AnswerBy != day(w.deadline) || !b.Refusable || b.PayOn == "" || len(b.Timeline) == 0 {
			return fmt.Errorf("%s after reading: %s, answer by %q instead of %s", sub, b.State, b.AnswerBy, day(w.deadline))
		}
	}
	return nil
}

func (w *benefitWalk) again(ctx context.Context) error {
	same, err := w.clerk.sent(ctx, w.once)
	if err != nil {
		return err
	}
	if same != w.run {
		return fmt.Errorf("the same form made another run")
	}
	second, err := w.clerk.DraftOneOff(ctx, w.deadline)
	if err != nil {
		return err
	}
	for _, act := range []string{"count", "start"} {
		if err := w.clerk.ActOnRun(ctx, second, act); err != nil {
			return err
		}
	}
	if err := w.clerk.AwaitRun(ctx, second); err != nil {
		return err
	}
	awards, err := w.clerk.Awards(ctx, second)
	if err != nil {
		return err
	}
	if len(awards) > 0 {
		return fmt.Errorf("the second run made awards: %v", awards)
	}
	for sub, phone := range w.phones {
		benefits, err := phone.Benefits(ctx)
		if err != nil {
			return err
		}
		notices, err := phone.Notices(ctx, "")
		if err != nil {
			return err
		}
		if wantNotices := w.before[sub] + len(benefits); len(benefits) > 1 || len(notices.Notices) != wantNotices {
			return fmt.Errorf("%s has %d benefits and %d notices", sub, len(benefits), len(notices.Notices))
		}
		got, _, err := w.pushes(ctx, w.tokens[sub])
		if err != nil {
			return err
		}
		if len(got) > 1 {
			return fmt.Errorf("%s got %d pushes", sub, len(got))
		}
	}
	return nil
}

func (w *benefitWalk) lastMinute(ctx context.Context) error {
	at := w.deadline.Add(24*time.Hour - 30*time.Second)
	if err := w.Stage.Clock.SetTo(at); err != nil {
		return err
	}
	b, _, err := w.benefit(ctx, population.SubLastMinute)
	if err != nil {
		return err
	}
	if b, err = w.phones[population.SubLastMinute].RefuseBenefit(ctx, b.ID, ""); err != nil {
		return err
	}
	return want(b.State == "refused" && !b.Refusable, "after the refusal it is %s", b.State)
}

func (w *benefitWalk) tooLate(ctx context.Context) error {
	if err := w.Stage.Clock.SetTo(w.deadline.Add(24*time.Hour + 60*time.Second)); err != nil {
		return err
	}
	b, _, err := w.benefit(ctx, population.SubTooLate)
	if err != nil {
		return err
	}
	if b.Refusable || b.State != "silent" {
		return fmt.Errorf("after the deadline it is %s", b.State)
	}
	_, err = w.phones[population.SubTooLate].RefuseBenefit(ctx, b.ID, "")
	p, err := refusal(err, "conflict")
	if err != nil {
		return err
	}
	return want(p.Counter != nil && p.Counter.Phone != "", "the refusal names nobody to call: %+v", p)
}
