package tour

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const newRun = "/office/benefits/new"

// draftOf is what a clerk fills in for a run of the journey's programme.
func draftOf(deadline time.Time) map[string]string {
	return map[string]string{"benefit": oneOff, "month": "2026-02", "deadline": day(deadline), "pay_on": day(deadline.AddDate(0, 0, 45))}
}

// DraftOneOff drafts a run of the journey's programme and gives the path of its page.
func (c *Console) DraftOneOff(ctx context.Context, deadline time.Time) (run string, err error) {
	return c.done(ctx, newRun, having("pay_on", ""), draftOf(deadline))
}

// ActOnRun waits until the run's page offers the act, and does it.
func (c *Console) ActOnRun(ctx context.Context, run, act string) error {
	if _, err := c.AwaitAct(ctx, run, act); err != nil {
		return err
	}
	_, err := c.done(ctx, run, having("act", act), map[string]string{"act": act})
	return err
}

// AwaitAct waits until a run's page offers the act, which says that the work before it is
// done, and gives what the page says.
func (c *Console) AwaitAct(ctx context.Context, run, act string) (said string, err error) {
	err = until(ctx, func() (bool, string, error) {
		e, err := c.open(ctx, run)
		if err != nil {
			return false, "", err
		}
		_, there := e.sheet(having("act", act))
		said = e.text()
		return there, short(e), nil
	})
	return said, err
}

func short(e element) string { return fmt.Sprintf("%.400s", e.text()) }

// AwaitRun waits until a run that was started has nothing left to do.
func (c *Console) AwaitRun(ctx context.Context, run string) error {
	return until(ctx, func() (bool, string, error) {
		e, err := c.open(ctx, run)
		if err != nil {
			return false, "", err
		}
		for _, act := range []string{"pause", "resume", "start"} {
			if _, offered := e.sheet(having("act", act)); offered {
				return false, short(e), nil
			}
		}
		return true, "", nil
	})
}

// Awards counts the run's awards by state, as its table says.
func (c *Console) Awards(ctx context.Context, run string) (map[string]int, error) {
	e, err := c.open(ctx, run+"/awards")
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, a := range e.all(func(x element) bool { return x.Data == "a" && strings.HasPrefix(x.attr("href"), run+"/awards?state=") }) {
		u, err := url.Parse(a.attr("href"))
		if err != nil {
			return nil, err
		}
		for _, n := range a.all(func(x element) bool { return x.attr("class") == "n" }) {
			count, err := number(n.text())
			if err != nil {
				return nil, fmt.Errorf("a count is no number: %w", err)
			}
			out[u.Query().Get("state")] = int(count)
		}
	}
	return out, nil
}

// Counted gives what the dry run counted, by the state that each decision would have.
func (c *Console) Counted(ctx context.Context, run string) (map[string]int, error) {
	e, err := c.open(ctx, run)
	if err != nil {
		return nil, err
	}
	var figures []int
	for _, list := range e.all(func(x element) bool { return x.Data == "dl" && x.attr("class") == "facts wide" }) {
		for _, dd := range list.all(func(x element) bool { return x.Data == "dd" }) {
			n, err := number(dd.text())
			if err != nil {
				return nil, fmt.Errorf("a count is no number: %w", err)
			}
			figures = append(figures, int(n))
		}
	}
	if len(figures) < 5 {
		return nil, fmt.Errorf("the run's page has %d counts: %s", len(figures), short(e))
	}
	return map[string]int{"noticed": figures[0], "open_question": figures[3], "must_apply": figures[4]}, nil
}

// Working tells whether the run's page offers to pause it.
func (c *Console) Working(ctx context.Context, run string) (bool, error) {
	e, err := c.open(ctx, run)
	if err != nil {
		return false, err
	}
	_, offered := e.sheet(having("act", "pause"))
	return offered, nil
}

// sent sends a form as it is and gives where the console leads to.
func (c *Console) sent(ctx context.Context, s sheet) (string, error) {
	p, err := c.post(ctx, s.action, s.fields)
	if err != nil {
		return "", err
	}
	to, _, _ := strings.Cut(p.header.Get("Location"), "?")
	return to, want(p.status == http.StatusSeeOther && to != "", "the form was answered with %d: %s", p.status, faults(p.text))
}
