package consent

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/wallet"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

// desk answers what a test puts in it.
type desk struct {
	consent wallet.Consent
	step    wallet.Step
	err     error
	reply   wallet.Reply
	secret  string
}

func (d *desk) Authorize(context.Context, url.Values) (wallet.Step, error) { return d.step, d.err }

func (d *desk) Callback(_ context.Context, _ url.Values, secret string) (wallet.Step, error) {
	d.secret = secret
	return d.step, d.err
}

func (d *desk) Consent(context.Context, string) (wallet.Consent, error) { return d.consent, nil }

func (d *desk) Answer(_ context.Context, _ string, r wallet.Reply) (wallet.Step, error) {
	d.reply = r
	return d.step, d.err
}

func open(t *testing.T, d *desk) *Pages {
	t.Helper()
	p, err := New(d, true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLanguagesHaveTheSameWords(t *testing.T) {
	var want []string
	for _, l := range notice.Languages() {
		raw, err := wordFiles.ReadFile("words/" + string(l) + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var words map[string]string
		if err := json.Unmarshal(raw, &words); err != nil {
			t.Fatal(err)
		}
		keys := slices.Sorted(maps.Keys(words))
		if want == nil {
			want = keys
		}
		if !slices.Equal(keys, want) {
			t.Errorf("%s has other keys", l)
		}
		for key, w := range words {
			if strings.TrimSpace(w) == "" {
				t.Errorf("%s: %s is empty", l, key)
			}
		}
	}
}

var asked = wallet.Consent{
	Wallet: `<b>`, Home: "https://wallet.example:8443/cb", Form: "mark", Signed: true, Citizen: "ctz_1",
	Choices: []wallet.Held{
		{ID: "crt_1", Person: "ctz_1", Name: "山田 花子", Doses: 2, IssuedAt: time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC), Good: true},
		{ID: "crt_2", Person: "ctz_2", Name: "YAMADA TARO", Overseas: true, Doses: 1, IssuedAt: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Good: true},
	},
}

// Every page in every language is whole: no word is missing and nothing is let through as HTML.
func TestPages(t *testing.T) {
	none, nobody := asked, asked
	none.Choices = nil
	nobody.Signed, nobody.Choices = false, nil
	for _, l := range notice.Languages() {
		r := Request{Query: url.Values{"lang": {string(l)}}}
		for name, c := range map[string]wallet.Consent{"asked": asked, "nothing": none, "nobody": nobody} {
			page, err := open(t, &desk{consent: c}).Ask(t.Context(), r)
			text := string(page.HTML)
			if err != nil || strings.Contains(text, "⟦") || strings.Contains(text, "<b>") || !strings.Contains(text, `value="mark"`) || page.Home != asked.Home ||
				strings.Contains(text, "<script") || strings.Contains(text, " style=") {
				t.Errorf("%s in %s: %v\n%s", name, l, err, text)
			}
		}
		failed := open(t, &desk{}).Failed(r, http.StatusTeapot, "no such code", "tr")
		if failed.Status != http.StatusTeapot || strings.Contains(string(failed.HTML), "⟦") || !strings.Contains(string(failed.HTML), "<code>tr</code>") || strings.Contains(string(failed.HTML), "<nav") {
			t.Errorf("failed in %s: %s", l, failed.HTML)
		}
	}
	page, err := open(t, &desk{consent: asked}).Ask(t.Context(), Request{})
	if err != nil {
		t.Fatal(err)
	}
	text := string(page.HTML)
	for _, want := range []string{"山田 花子", "YAMADA TARO", "wallet.example:8443", "2026年11月22日", "2回分", "本人", "子ども"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not there", want)
		}
	}
	if strings.Contains(text, " checked") {
		t.Error("one of two is chosen beforehand")
	}
	one := asked
	one.Choices = asked.Choices[:1]
	if page, _ := open(t, &desk{consent: one}).Ask(t.Context(), Request{}); !strings.Contains(string(page.HTML), " checked") {
		t.Error("the only one must be chosen by hand")
	}
}

// Each control has a name that a reader reads: labels around inputs, text in buttons.
func TestControlsHaveNames(t *testing.T) {
	page, err := open(t, &desk{consent: asked}).Ask(t.Context(), Request{})
	if err != nil {
		t.Fatal(err)
	}
	text := string(page.HTML)
	if got := len(regexp.MustCompile(`<label class="choice"><input type="radio"[^>]* required`).FindAllString(text, -1)); got != 2 {
		t.Errorf("%d choices have labels", got)
	}
	if !strings.Contains(text, "<legend>") || !regexp.MustCompile(`value="no" formnovalidate>`).MatchString(text) {
		t.Error("the choice has no legend, or a no wants a choice")
	}
}

func TestAnswer(t *testing.T) {
	d := &desk{consent: asked, step: wallet.Step{Location: "https://wallet.example/cb?code=x"}}
	p := open(t, d)
	answer := func(pairs ...string) (Page, error) {
		f := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			f.Set(pairs[i], pairs[i+1])
		}
		return p.Answer(t.Context(), Request{Form: f, Cookie: map[string]string{"__Host-madoguchi_wallet": "s"}})
	}
	page, err := answer("answer", "yes", "form", "mark", "certificate", "crt_1")
	if err != nil || page.Location != d.step.Location || page.Cookie.MaxAge >= 0 || d.reply != (wallet.Reply{Form: "mark", Yes: true, Certificate: "crt_1"}) {
		t.Errorf("%+v, %+v, %v", page, d.reply, err)
	}
	if _, err := answer("answer", "maybe"); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("maybe: %v", err)
	}
	d.err = fault.At(fault.InvalidArgument, "certificate", "choose")
	page, err = answer("answer", "yes", "form", "mark")
	if err != nil || page.Status != http.StatusUnprocessableEntity || !strings.Contains(string(page.HTML), `role="alert"`) || page.Cookie != nil {
		t.Errorf("nothing chosen: status %d, %v", page.Status, err)
	}
	d.err = errors.New("out of order")
	if _, err := answer("answer", "no"); err == nil {
		t.Error("an error was lost")
	}
}
