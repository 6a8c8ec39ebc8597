package tour

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"madoguchi.example/deploy/population"
	"madoguchi.example/mobile-api/client"
)

// listPage is what a payment list's page says.
type listPage struct {
	element
	count int
	total int64
	lines []line
}

type line struct {
	award, ref string
	yen        int64
}

// number reads a figure as the console writes it.
func number(text string) (int64, error) {
	return strconv.ParseInt(strings.NewReplacer(",", "", "円", "", "¥", "").Replace(text), 10, 64)
}

// rows gives the rows of the page's tables that name a resident's reference.
func (e element) rows() []element {
	return e.all(func(x element) bool {
		return x.Data == "tr" && len(x.all(func(c element) bool { return c.Data == "td" && c.attr("class") == "code" })) == 1
	})
}

// ref gives the reference of one of the rows, and link the page that it leads to.
func (e element) ref() string {
	return e.all(func(c element) bool { return c.Data == "td" && c.attr("class") == "code" })[0].text()
}

func (e element) link() string {
	for _, a := range e.all(func(x element) bool { return x.Data == "a" }) {
		return a.attr("href")
	}
	return ""
}

func (c *Console) list(ctx context.Context, path string) (listPage, error) {
	e, err := c.open(ctx, path)
	if err != nil {
		return listPage{}, err
	}
	out := listPage{element: e}
	figures := e.all(func(x element) bool { return x.Data == "dd" && x.attr("class") == "figure" })
	if len(figures) != 2 {
		return out, fmt.Errorf("the list's page has %d figures", len(figures))
	}
	count, err := number(figures[0].text())
	if err != nil {
		return out, fmt.Errorf("the count is no number: %w", err)
	}
	out.count = int(count)
	if out.total, err = number(figures[1].text()); err != nil {
		return out, fmt.Errorf("the total is no number: %w", err)
	}
	for _, row := range e.rows() {
		cells := row.all(func(x element) bool { return x.Data == "td" })
		yen, err := number(cells[len(cells)-1].text())
		if err != nil {
			return out, fmt.Errorf("an amount is no number: %w", err)
		}
		out.lines = append(out.lines, line{row.link(), row.ref(), yen})
	}
	return out, nil
}

func (l listPage) holds(p population.Part) bool {
	return slices.ContainsFunc(l.lines, func(one line) bool { return one.ref == p.ResidentRef })
}

// officers signs in those who work on the run, as they do each day.
func (w *benefitWalk) officers(ctx context.Context) (err error) {
	if w.clerk, err = w.Console(ctx, population.SubMinatoClerk2); err != nil {
		return err
	}
	if w.maker, err = w.Console(ctx, population.SubMinatoApprover); err != nil {
		return err
	}
	w.approver, err = w.Console(ctx, population.SubMinatoApprover2)
	return err
}

// propose makes a list and waits until another person could decide on it.
func (w *benefitWalk) propose(ctx context.Context) (listPage, error) {
	var err error
	if w.list, err = w.maker.done(ctx, w.run, leading("/list"), nil); err != nil {
		return listPage{}, err
	}
	var l listPage
	err = until(ctx, func() (bool, string, error) {
		if l, err = w.approver.list(ctx, w.list); err != nil {
			return false, "", err
		}
		_, there := l.sheet(having("total", ""))
		return there, short(l.element), nil
	})
	w.count, w.total = l.count, l.total
	return l, err
}

func (w *benefitWalk) firstList(ctx context.Context) error {
	// A list waits until what came in the last minute is stored; officers come in the morning.
	if err := w.Stage.Clock.SetTo(w.deadline.Add(33 * time.Hour)); err != nil {
		return err
	}
	if err := w.officers(ctx); err != nil {
		return err
	}
	l, err := w.propose(ctx)
	if err != nil {
		return err
	}
	cast := w.Stage.Cast
	for _, p := range []population.Part{cast.Parent, cast.TooLate} {
		if !l.holds(p) {
			return fmt.Errorf("%s is not on the list of %d", p.Sub, l.count)
		}
	}
	for _, p := range []population.Part{cast.LastMinute, cast.Letter, cast.Protected, cast.Servant, cast.Unasked} {
		if l.holds(p) {
			return fmt.Errorf("%s is on the list", p.Sub)
		}
	}
	return nil
}

// approval is what an approver types.
func (w *benefitWalk) approval(total int64) map[string]string {
	return map[string]string{"count": strconv.Itoa(w.count), "total": strconv.FormatInt(total, 10), "reason": "件数と合計を台帳で確かめました"}
}

func (w *benefitWalk) ownList(ctx context.Context) error {
	e, err := w.maker.open(ctx, w.list)
	if err != nil {
		return err
	}
	if _, there := e.sheet(having("total", "")); there {
		return fmt.Errorf("the page offers the approval to who made the list")
	}
	fields := url.Values{}
	for name, value := range w.approval(w.total) {
		fields.Set(name, value)
	}
	for _, own := range []*Console{w.maker, w.clerk} {
		p, err := own.post(ctx, w.list+"/approve", fields)
		if err != nil {
			return err
		}
		if p.status != http.StatusUnprocessableEntity && p.status != http.StatusForbidden {
			return fmt.Errorf("the approval of one's own list was answered with %d", p.status)
		}
	}
	l, err := w.approver.list(ctx, w.list)
	if err != nil {
		return err
	}
	_, waits := l.sheet(having("total", ""))
	return want(waits, "the list does not wait any more")
}

func (w *benefitWalk) sendBack(ctx context.Context) error {
	_, err := w.approver.done(ctx, w.list, leading("/return"), map[string]string{"reason": "郵便でお知らせした世帯の返事を待ってください"})
	if err != nil {
		return err
	}
	l, err := w.approver.list(ctx, w.list)
	if err != nil {
		return err
	}
	_, waits := l.sheet(having("total", ""))
	return want(!waits && strings.Contains(l.text(), "郵便でお知らせした世帯"), "the returned list says: %s", short(l.element))
}

// award finds one award of the run in a state and gives its page.
func (w *benefitWalk) award(ctx context.Context, c *Console, state string, p population.Part) (string, error) {
	next := w.run + "/awards?state=" + state
	for next != "" {
		e, err := c.open(ctx, next)
		if err != nil {
			return "", err
		}
		for _, row := range e.rows() {
			if row.ref() == p.ResidentRef {
				return row.link(), nil
			}
		}
		next = ""
		for _, a := range e.all(func(x element) bool { return x.Data == "a" && strings.Contains(x.attr("href"), "after=") }) {
			next = a.attr("href")
		}
	}
	return "", fmt.Errorf("%s has no award that is %s", p.Words, state)
}

func (w *benefitWalk) letter(ctx context.Context) error {
	letter := w.Stage.Cast.Letter
	path, err := w.award(ctx, w.clerk, "noticed", letter)
	if err != nil {
		return err
	}
	today := w.Stage.Clock.Now()
	if err := w.clerk.refused(ctx, path, leading("/letter"), map[string]string{"on": day(today.AddDate(0, 0, 1))}); err != nil {
		return fmt.Errorf("a delivery of tomorrow: %w", err)
	}
	if _, err := w.clerk.done(ctx, path, leading("/letter"), map[string]string{"on": day(today)}); err != nil {
		return err
	}
	if _, err := w.award(ctx, w.clerk, "proven", letter); err != nil {
		return err
	}
	e, err := w.clerk.open(ctx, path)
	if err != nil {
		return err
	}
	ends := today.In(population.Japan).AddDate(0, 0, answerDays)
	words := fmt.Sprintf("%d年%d月%d日", ends.Year(), ends.Month(), ends.Day())
	return want(strings.Contains(e.text(), words), "the award does not say that it ends on %s: %s", words, short(e))
}

func (w *benefitWalk) secondList(ctx context.Context) error {
	letter := w.Stage.Cast.Letter
	over := w.Stage.Clock.Now().In(population.Japan).AddDate(0, 0, answerDays+1)
	if err := w.Stage.Clock.SetTo(time.Date(over.Year(), over.Month(), over.Day(), 9, 0, 0, 0, population.Japan)); err != nil {
		return err
	}
	if err := w.officers(ctx); err != nil {
		return err
	}
	before := w.count
	l, err := w.propose(ctx)
	if err != nil {
		return err
	}
	return want(l.holds(letter) && l.count == before+1, "the list has %d after %d, the letter's family %v", l.count, before, l.holds(letter))
}

func (w *benefitWalk) wrongTotal(ctx context.Context) error {
	if err := w.approver.refused(ctx, w.list, having("total", ""), w.approval(w.total+oneOffYen)); err != nil {
		return err
	}
	wrong := w.approval(w.total)
	wrong["count"] = strconv.Itoa(w.count - 1)
	return w.approver.refused(ctx, w.list, having("total", ""), wrong)
}

func (w *benefitWalk) approve(ctx context.Context) error {
	if _, err := w.approver.done(ctx, w.list, having("total", ""), w.approval(w.total)); err != nil {
		return err
	}
	p, err := w.approver.post(ctx, w.list+"/approve", url.Values{"count": {strconv.Itoa(w.count)},
		"total": {strconv.FormatInt(w.total, 10)}, "reason": {"もう一度承認します"}})
	if err != nil {
		return err
	}
	return want(p.status != http.StatusSeeOther, "the list was approved twice")
}

func (w *benefitWalk) balanced(ctx context.Context) error {
	l, err := w.maker.list(ctx, w.list)
	if err != nil {
		return err
	}
	if alarm, there := l.byID("unbalanced"); there {
		return fmt.Errorf("the list says: %s", alarm.text())
	}
	seen, sum := map[string]bool{}, int64(0)
	for _, one := range l.lines {
		if seen[one.award] || seen[one.ref] {
			return fmt.Errorf("a payment stands there twice")
		}
		seen[one.award], seen[one.ref] = true, true
		sum += one.yen
	}
	return want(len(l.lines) == l.count && sum == l.total && l.count == w.count && l.total == w.total,
		"%d lines of %d yen, %d and %d were approved", len(l.lines), sum, w.count, w.total)
}

func (w *benefitWalk) protected(ctx context.Context) error {
	p := w.Stage.Cast.Protected
	phone := w.phones[population.SubProtected]
	benefits, err := phone.Benefits(ctx)
	if err != nil {
		return err
	}
	notices, err := phone.Notices(ctx, "")
	if err != nil {
		return err
	}
	got, _, err := w.pushes(ctx, w.tokens[population.SubProtected])
	if err != nil {
		return err
	}
	if len(benefits) > 0 || len(notices.Notices) != w.before[population.SubProtected] || len(got) > 0 {
		return fmt.Errorf("the protected family got %d benefits, %d notices, %d pushes", len(benefits), len(notices.Notices), len(got))
	}
	for _, state := range []string{"", "noticed", "silent"} {
		if path, err := w.award(ctx, w.clerk, state, p); err == nil {
			return fmt.Errorf("a clerk sees the protected family at %s", path)
		}
	}
	protector, err := w.Console(ctx, population.SubMinatoProtector)
	if err != nil {
		return err
	}
	waiting, err := protector.withheld(ctx, p)
	if err != nil {
		return err
	}
	if len(waiting) == 0 {
		return fmt.Errorf("the protected family is not in the protector's list")
	}
	status, err := w.clerk.Status(ctx, "/office/protection")
	if err != nil {
		return err
	}
	return want(status == http.StatusForbidden, "a clerk's look at the protector's list was answered with %d", status)
}

// withheld gives the paths of what was not sent to these people and waits for a protector,
// oldest first.
func (c *Console) withheld(ctx context.Context, people ...population.Part) ([]string, error) {
	e, err := c.open(ctx, "/office/protection")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, row := range e.rows() {
		of := slices.ContainsFunc(people, func(p population.Part) bool { return p.ResidentRef == row.ref() })
		if of && strings.HasPrefix(row.link(), "/office/protection/withheld/") {
			out = append(out, row.link())
		}
	}
	return out, nil
}

func (w *benefitWalk) seen(ctx context.Context) error {
	b, _, err := w.benefit(ctx, population.SubParent)
	if err != nil {
		return err
	}
	if b.State != "approved" || b.Refusable {
		return fmt.Errorf("the app says %s", b.State)
	}
	if b, _, err = w.benefit(ctx, population.SubLastMinute); err != nil {
		return err
	}
	if b.State != "refused" {
		return fmt.Errorf("the app of who refused says %s", b.State)
	}
	looks, err := w.accesses(ctx, w.phones[population.SubParent])
	if err != nil {
		return err
	}
	for _, action := range []string{"benefit.decide", "benefit.approve"} {
		if !slices.ContainsFunc(looks, func(e client.Access) bool { return e.Purpose == "benefit_decision" && e.Action == action }) {
			return fmt.Errorf("%d looks, and %s is not among them", len(looks), action)
		}
	}
	return nil
}
