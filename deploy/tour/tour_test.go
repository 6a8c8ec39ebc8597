package tour

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"madoguchi.example/deploy/stage"
)

func guide(t *testing.T) (*Guide, *strings.Builder) {
	t.Helper()
	line, err := stage.NewLink("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { line.Close() })
	var out strings.Builder
	return &Guide{Stage: &stage.Stage{Line: line}, Out: &out, StepTimeout: time.Second}, &out
}

func TestAFailedStepIsToldAndNothingAfterItCountsAsPassed(t *testing.T) {
	g, out := guide(t)
	tried := false
	good := func(context.Context) error { return nil }
	var r Result
	g.walk(context.Background(), 4, journey{"a walk", []step{
		{"first", good},
		{"second", func(context.Context) error { g.Stage.Line.Cut(); return errors.New("it rains") }},
		{"third", func(context.Context) error { tried = true; return nil }},
	}}, &r)
	want := "ok 4.1 first\nFAIL 4.2 second: it rains\nFAIL 4.3 third: not tried: an earlier step failed\n"
	if out.String() != want || r != (Result{1, 2}) || tried {
		t.Errorf("%+v\n%s", r, out)
	}
	if g.Stage.Line.IsCut() {
		t.Error("the next journey begins with a cut line")
	}
}

func TestAStepThatWaitsInVainFails(t *testing.T) {
	g, _ := guide(t)
	g.StepTimeout = 30 * time.Millisecond
	err := g.try(context.Background(), step{"", func(ctx context.Context) error {
		return until(ctx, func() (bool, string, error) { return false, "clouds", nil })
	}})
	if err == nil || !strings.Contains(err.Error(), "clouds") {
		t.Errorf("%v", err)
	}
}

func TestFormsAreReadAsABrowserSendsThem(t *testing.T) {
	e, err := parse(`<form action="/other"><input name="no" value="x"></form>
<form action="/checks"><input name="a" value="１"><input type="hidden" name="override" value="1">
<input type="radio" name="kind" value="x"><input type="radio" name="kind" value="y" checked>
<input type="file" name="file"><select name="share"><option value="30">3</option><option value="20" selected>2</option></select>
<select name="first"><option value="p">p</option></select>
<textarea name="body">
two
lines</textarea><textarea name="none"></textarea></form>`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.form("/checks")
	want := url.Values{"a": {"１"}, "override": {"1"}, "kind": {"y"}, "share": {"20"}, "first": {"p"}, "body": {"two\nlines"}, "none": {""}}
	if err != nil || got.Encode() != want.Encode() {
		t.Errorf("%v %v", got, err)
	}
	if _, err := e.form("/absent"); err == nil {
		t.Error("a form that is not there was found")
	}
}

func TestAChangedSignatureDiffersInOneCharacter(t *testing.T) {
	for _, digits := range []string{strings.Repeat("52", 100), strings.Repeat("07", 100)} {
		changed, err := changeSignature("shc:/" + digits)
		if err != nil || len(changed) != len(digits)+5 {
			t.Fatalf("%v", err)
		}
		differ := 0
		for i := 0; i < len(digits); i += 2 {
			if changed[5+i:7+i] != digits[i:i+2] {
				differ++
			}
		}
		if differ != 1 {
			t.Errorf("%d characters differ", differ)
		}
	}
	for _, bad := range []string{"", "shc:/1", "hc1:" + strings.Repeat("0", 200)} {
		if _, err := changeSignature(bad); err == nil {
			t.Errorf("%.10q was taken", bad)
		}
	}
}

func TestTypedDigitsAreWide(t *testing.T) {
	v := typed(url.Values{"n": {"4799-15"}, "other": {"1"}}, "n")
	if v.Get("n") != "４７　９９-１５" || v.Get("other") != "1" {
		t.Errorf("%v", v)
	}
}

func TestAConsolesFormIsFoundByWhatItAsks(t *testing.T) {
	e, err := parse(`<form action="/office/runs/1/act"><button name="act" value="pause">p</button></form>
<form action="/office/runs/1/list"><button>list</button></form>
<form action="/office/lists/2/approve"><input name="count" value=""><input name="total" value="5"></form>
<div class="summary" role="alert"><h2>2</h2><ul><li>wrong</li></ul></div>`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		fits   func(element) bool
		action string
	}{
		{having("act", "pause"), "/office/runs/1/act"},
		{having("act", "start"), ""},
		{leading("/list"), "/office/runs/1/list"},
		{having("total", ""), "/office/lists/2/approve"},
		{leading("/return"), ""},
	} {
		s, there := e.sheet(c.fits)
		if there != (c.action != "") || s.action != c.action {
			t.Errorf("found %q, want %q", s.action, c.action)
		}
	}
	if s, _ := e.sheet(having("total", "")); s.fields.Encode() != "count=&total=5" {
		t.Errorf("the form holds %v", s.fields)
	}
	if faults(`<p role="alert">x  y</p>`) != "x y" || faults("<p>x</p>") != "" {
		t.Error("what is wrong is not read")
	}
}

func TestFiguresAreRead(t *testing.T) {
	for text, want := range map[string]int64{"1,234": 1234, "20,000円": 20000, "¥1,000,000": 1000000, "0": 0} {
		if got, err := number(text); err != nil || got != want {
			t.Errorf("%q gave %d: %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "−", "many", "1.5"} {
		if _, err := number(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestASourceIsRewrittenRowByRow(t *testing.T) {
	change := asOf("2025-01-02")
	head, row := []string{"resident_ref", "as_of"}, []string{"R1", "2026-01-02"}
	if got := change(head, row); got[0] != "R1" || got[1] != "2025-01-02" || row[1] != "2026-01-02" {
		t.Errorf("%v from %v", got, row)
	}
}
