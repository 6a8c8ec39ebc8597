package tour

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// insuranceWalk is what the steps of journey 2 hand on.
type insuranceWalk struct {
	*Guide
	desk   *Desk  // of the insurer's counter
	clinic *Desk  // which has a 資格確認端末 of its own
	plain  string // recorded without a line, as assumed
	newer  string // recorded without a line, the answer will differ
	past   string // recorded without a line, for a day before the insurer changed
	shown  []string
}

func insurance(g *Guide) journey {
	w := &insuranceWalk{Guide: g, desk: NewDesk(g.Insurer), clinic: NewDesk(g.Clinic)}
	return journey{"insurance check: answered with a line, recorded without", slices.Concat([]step{
		{"with a line a check is answered", w.online},
		{"full-width digits and blanks are forgiven", w.fullWidth},
		{"a wrong check digit is a doubt that can be overridden", w.doubt},
		{"a My Number is refused and not kept", w.myNumber},
		{"the line is cut and the desk sees it", w.cut},
		{"without a line a check is recorded at once", w.recorded},
		{"it waits as 送信待ち with its age, and a cause", w.waits},
		{"two more are recorded: one whose insurer has changed, one for a past visit", w.two},
		{"nothing without an answer is shown as invalid", w.neverInvalid},
		{"with the line back everything is sent", w.sent},
		{"the answer as assumed is shown", w.asAssumed},
		{"the answer that differs becomes a task", w.task},
		{"the past visit is answered for its day", w.visitDay},
	}, w.clinicSteps())}
}

// record records the fields at the insurer's counter and gives the record's id.
func (w *insuranceWalk) record(ctx context.Context, fields url.Values) (string, error) {
	return recordAt(ctx, w.desk, fields)
}

func recordAt(ctx context.Context, d *Desk, fields url.Values) (string, error) {
	r, err := d.Record(ctx, fields)
	if err != nil {
		return "", err
	}
	return r.ID, want(r.Status == http.StatusCreated && r.ID != "", "the desk answered %d: %s", r.Status, notes(r.page))
}

// notes gives what the desk says about the fields.
func notes(e element) string {
	var out []string
	for _, n := range e.all(func(x element) bool {
		return x.attr("class") == "note" || strings.HasPrefix(x.attr("class"), "general")
	}) {
		out = append(out, n.text())
	}
	return strings.Join(out, "; ")
}

func (w *insuranceWalk) online(ctx context.Context) error {
	if err := w.desk.waitLine(ctx, true); err != nil {
		return err
	}
	id, err := w.record(ctx, numbers(w.Stage.Cast.Insured))
	if err != nil {
		return err
	}
	if err := w.desk.waitDisplay(ctx, id, w.Stage.Cast.Insured.Expect); err != nil {
		return err
	}
	state, _, err := w.desk.Row(ctx, id)
	if err != nil {
		return err
	}
	return want(state == "answered", "the row is %s", state)
}

func (w *insuranceWalk) fullWidth(ctx context.Context) error {
	id, err := w.record(ctx, typed(numbers(w.Stage.Cast.Aged), "insurer_number", "number", "birth_date"))
	if err != nil {
		return err
	}
	return w.desk.waitDisplay(ctx, id, w.Stage.Cast.Aged.Expect)
}

func (w *insuranceWalk) doubt(ctx context.Context) error {
	fields := numbers(w.Stage.Cast.Insured)
	right := fields.Get("insurer_number")
	last := right[len(right)-1]
	fields.Set("insurer_number", right[:len(right)-1]+string('0'+(last-'0'+1)%10))
	first, err := w.desk.Record(ctx, fields)
	if err != nil {
		return err
	}
	if first.Status != http.StatusOK || first.ID != "" || !strings.Contains(notes(first.page), "検証番号") {
		return fmt.Errorf("the desk answered %d: %s", first.Status, notes(first.page))
	}
	second, err := w.desk.Again(ctx, first)
	if err != nil {
		return err
	}
	if second.Status != http.StatusCreated {
		return fmt.Errorf("the override was answered with %d: %s", second.Status, notes(second.page))
	}
	return w.desk.waitDisplay(ctx, second.ID, "none_found")
}

// published is the worked example of the My Number's check digit, nobody's number.
const published = "123456789018"

func (w *insuranceWalk) myNumber(ctx context.Context) error {
	for _, name := range []string{"insurer_number", "symbol", "number", "label"} {
		fields := numbers(w.Stage.Cast.Insured)
		fields.Set(name, published)
		if name != "symbol" {
			typed(fields, name)
		}
		r, err := w.desk.Record(ctx, fields)
		if err != nil {
			return err
		}
		if r.Status != http.StatusUnprocessableEntity || r.ID != "" || !strings.Contains(r.page.text(), "マイナンバー") {
			return fmt.Errorf("in %s: the desk answered %d: %s", name, r.Status, notes(r.page))
		}
		if strings.Contains(r.HTML, published) || strings.Contains(r.HTML, fields.Get(name)) {
			return fmt.Errorf("in %s: the number came back", name)
		}
	}
	return nil
}

func (w *insuranceWalk) cut(ctx context.Context) error {
	w.Stage.Line.Cut()
	return w.desk.waitLine(ctx, false)
}

func (w *insuranceWalk) recorded(ctx context.Context) (err error) {
	within, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if w.plain, err = w.record(within, numbers(w.Stage.Cast.Insured)); err != nil {
		return err
	}
	word, _, err := w.look(ctx, w.plain)
	if err != nil {
		return err
	}
	return want(word == "offline", "the desk shows %s", word)
}

// look shows a record's result and keeps what was shown.
func (w *insuranceWalk) look(ctx context.Context, id string) (string, element, error) {
	word, column, err := w.desk.Display(ctx, id)
	if err == nil {
		w.shown = append(w.shown, word+" "+column.text())
	}
	return word, column, err
}

func (w *insuranceWalk) waits(ctx context.Context) error {
	state, words, err := w.desk.Row(ctx, w.plain)
	if err != nil {
		return err
	}
	if state != "recorded" || !strings.Contains(words, "送信待ち") || !strings.Contains(words, "分") {
		return fmt.Errorf("the row is %s: %s", state, words)
	}
	w.shown = append(w.shown, words)
	pending, _, _, err := w.desk.Bar(ctx)
	if err != nil {
		return err
	}
	if !strings.Contains(pending, "送信待ち 1件") || !strings.Contains(pending, "分") {
		return fmt.Errorf("the bar says %s", pending)
	}
	_, column, err := w.look(ctx, w.plain)
	if err != nil {
		return err
	}
	return want(strings.Contains(column.text(), "回線が切れていた"), "no cause: %s", column.text())
}

func (w *insuranceWalk) two(ctx context.Context) (err error) {
	changed := w.Stage.Cast.Changed
	if w.newer, err = w.record(ctx, numbers(changed)); err != nil {
		return err
	}
	fields := numbers(changed)
	fields.Set("visit_day", changed.ValidTo)
	w.past, err = w.record(ctx, fields)
	return err
}

func (w *insuranceWalk) neverInvalid(ctx context.Context) error {
	for _, id := range []string{w.plain, w.newer, w.past} {
		if _, _, err := w.look(ctx, id); err != nil {
			return err
		}
		_, words, err := w.desk.Row(ctx, id)
		if err != nil {
			return err
		}
		w.shown = append(w.shown, words)
	}
	for _, text := range w.shown {
		if strings.Contains(text, "無効") || strings.Contains(text, "invalid") || strings.Contains(text, "該当資格なし") {
			return fmt.Errorf("the desk showed: %s", text)
		}
	}
	return nil
}

func (w *insuranceWalk) sent(ctx context.Context) error {
	if err := w.Stage.Line.Restore(); err != nil {
		return err
	}
	return w.desk.waitSent(ctx)
}

func (w *insuranceWalk) asAssumed(ctx context.Context) error {
	if err := w.desk.waitDisplay(ctx, w.plain, w.Stage.Cast.Insured.Expect); err != nil {
		return err
	}
	state, _, err := w.desk.Row(ctx, w.plain)
	if err != nil {
		return err
	}
	return want(state == "answered", "the row is %s", state)
}

func (w *insuranceWalk) task(ctx context.Context) error {
	if err := w.desk.waitDisplay(ctx, w.newer, w.Stage.Cast.Changed.Expect); err != nil {
		return err
	}
	state, words, err := w.desk.Row(ctx, w.newer)
	if err != nil {
		return err
	}
	return want(state == "task" && strings.Contains(words, "要確認"), "the row is %s: %s", state, words)
}

func (w *insuranceWalk) visitDay(ctx context.Context) error {
	return w.desk.waitDisplay(ctx, w.past, "valid")
}
