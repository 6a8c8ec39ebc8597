package reception_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/shlink"
	"madoguchi.example/shared/civil"
)

// Bounds of the browser's use; the machine may be busy.
const (
	browserTime = 5 * time.Minute
	patience    = 30 * time.Second
	every       = 30 * time.Millisecond
	maxTabs     = 40
)

// screen is the desk in front of a person who has a keyboard and no mouse.
type screen struct {
	t   *testing.T
	ctx context.Context
	axe string
}

func needs(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("this test needs %s", what)
	}
	t.Skipf("this test needs %s", what)
}

func openScreen(t *testing.T) *screen {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser test in short mode")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		needs(t, "chromium (Debian package chromium)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("lang", "ja"), chromedp.Flag("accept-lang", "ja"), chromedp.Env("TZ=Asia/Tokyo")))
	t.Cleanup(func() {
		cancel()
		_ = chromedp.Cancel(ctx) // wait for the end, so that the profile's folder can go
	})
	s := &screen{t: t, ctx: ctx}
	s.do(chromedp.EmulateViewport(1366, 768))
	source, err := os.ReadFile("../../../mobile-api/pwa/node_modules/axe-core/axe.min.js")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("this test needs axe-core (npm ci in mobile-api/pwa)")
	}
	if err != nil {
		t.Log("pages are not judged: axe-core is not installed (npm ci in mobile-api/pwa)")
	}
	s.axe = string(source)
	return s
}

func (s *screen) do(steps ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	if err := chromedp.Do(s.ctx, steps...); err != nil {
		s.t.Fatal(err)
	}
}

func evaluate[T any](s *screen, js string) T {
	s.t.Helper()
	v, err := chromedp.Run(s.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		s.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// until waits for a JavaScript condition.
func (s *screen) until(js string) {
	s.t.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for end := time.After(patience); ; {
		ok, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool]("Boolean("+js+")"))
		if err == nil && ok {
			return
		}
		select {
		case <-end:
			s.t.Fatalf("not %s: %v; on the page: %s", js, err, evaluate[string](s, "document.body.innerText"))
		case <-tick.C:
		}
	}
}

// sees waits for words, readings left out.
func (s *screen) sees(words string) {
	s.t.Helper()
	b, _ := json.Marshal(words)
	s.until(fmt.Sprintf(`(e => { const c = e.cloneNode(true); c.querySelectorAll("rt,rp").forEach(x => x.remove()); return c.textContent })(document.querySelector("main")).includes(%s)`, b))
}

func (s *screen) press(keys ...string) {
	s.t.Helper()
	for _, k := range keys {
		s.do(chromedp.KeyEvent(k))
	}
}

// tabTo presses Tab until the element has the focus, in sight and with a line around it.
func (s *screen) tabTo(css string) {
	s.t.Helper()
	for range maxTabs {
		s.press(kb.Tab)
		if evaluate[bool](s, fmt.Sprintf("document.activeElement.matches(%q)", css)) {
			s.until(`(e => { const c = getComputedStyle(e), r = e.getBoundingClientRect(); return c.outlineStyle !== "none" && r.bottom > 0 && r.top < innerHeight })(document.activeElement)`)
			return
		}
	}
	s.t.Fatalf("Tab never reached %s", css)
}

// judge asks axe-core and looks for sideways scrolling at the narrowest width, and keeps a
// picture where MADOGUCHI_SCREENSHOTS names a folder.
func (s *screen) judge(name string) {
	s.t.Helper()
	evaluate[chromedp.Void](s, `document.fonts.ready.then(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(0)))))`)
	if wide := evaluate[int64](s, "document.documentElement.scrollWidth"); wide > evaluate[int64](s, "innerWidth") {
		s.t.Errorf("%s: the page scrolls sideways to %d px", name, wide)
	}
	if s.axe != "" {
		if !evaluate[bool](s, "Boolean(window.axe)") {
			evaluate[chromedp.Void](s, s.axe+"; 0")
		}
		found := evaluate[string](s, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
			.then(r => r.violations.map(v => v.id + ": " + v.nodes.map(n => n.target + " " + n.failureSummary).join("; ")).join("\n"))`)
		if found != "" {
			s.t.Errorf("%s: %s", name, found)
		}
	}
	dir := os.Getenv("MADOGUCHI_SCREENSHOTS")
	if dir == "" {
		return
	}
	if _, err := chromedp.Call(s.ctx, page.BringToFront, cdp.Empty{}); err != nil {
		s.t.Fatal(err)
	}
	png, err := chromedp.Run(s.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "desk-verdict-"+name+".png"), png, 0o644)
	}
	if err != nil {
		s.t.Error(err)
	}
}

func vaccinated(content cert.Content) *cert.Certificate {
	return &cert.Certificate{
		Content: content, Issuer: "https://madoguchi.example", HolderRaw: "髙橋﨑 ヴァシリエヴィチ", BirthDate: civil.Date{Year: 1990, Month: 4, Day: 1},
		IssuedAt: noon, ExpiresAt: noon.AddDate(1, 0, 0),
		Doses: []cert.Dose{
			{Number: 1, Code: "208", CodeSystem: cert.CVX, On: civil.Date{Year: 2021, Month: 7, Day: 1}},
			{Number: 2, Code: "208", CodeSystem: cert.CVX, On: civil.Date{Year: 2021, Month: 7, Day: 22}},
			{Number: 3, Code: "300", CodeSystem: cert.CVX, On: civil.Date{Year: 2022, Month: 11, Day: 5}},
		},
	}
}

// The whole act by the keyboard: a text is read, the verdict is said, the holder is masked
// until F8, and every kind of verdict is without a fault in three languages.
func TestVerdictsOnTheScreen(t *testing.T) {
	s := openScreen(t)
	desk := open(t, func(d *stage) { d.line = uplink.Line{Up: true, Since: noon} })
	verdicts := map[string]cert.Verdict{
		"valid":     {Format: shc.Format, Outcome: cert.Valid, Certificate: vaccinated(cert.Vaccination), Findings: []cert.Finding{"not_minimal"}},
		"stale":     {Format: shc.Format, Outcome: cert.StaleTrust, Certificate: vaccinated(cert.Vaccination), Reason: "the trust list is older than it may be"},
		"forged":    {Format: "hcert", Outcome: cert.BadSignature, Certificate: vaccinated(cert.Vaccination), Reason: "the signature does not fit the content and the issuer's key"},
		"specimen":  {Format: "vdsnc", Outcome: cert.Valid, Certificate: vaccinated(cert.Vaccination), Findings: []cert.Finding{cert.Specimen}},
		"test":      {Format: "hcert", Outcome: cert.Valid, Certificate: &cert.Certificate{Content: cert.Test, Issuer: "AT", Tests: []cert.TestResult{{Sampled: noon}}}, Findings: []cert.Finding{cert.NoVaccination}},
		"clock":     {Format: shc.Format, Outcome: cert.Valid, Certificate: vaccinated(cert.Vaccination), Findings: []cert.Finding{inspect.ClockSetBack}},
		"link":      {Format: shlink.Format, Outcome: cert.Unsupported, Findings: []cert.Finding{cert.NeedsNetwork, shlink.Passcode}, Reason: "a link: what it leads to must be fetched first"},
		"malformed": {Outcome: cert.Malformed, Findings: []cert.Finding{}, Reason: "picture: no QR code can be read in the picture"},
	}
	for _, lang := range []string{"ja", "ja-easy", "en"} {
		for name, v := range verdicts {
			if lang != "ja" && name != "stale" && name != "link" { // the others have the same parts
				continue
			}
			desk.reader.verdict, desk.reader.clock = v, clockfloor.Reading{}
			if name == "clock" {
				desk.reader.clock = clockfloor.Reading{At: noon, SetBack: 5 * time.Hour}
			}
			s.do(chromedp.Navigate(desk.URL + "/?lang=" + lang))
			s.until("document.activeElement?.id === 'insurer_number'")
			s.press(kb.F3)
			s.until("document.activeElement?.id === 'text'")
			s.write("shlink:/eyJ1cmwiOiJ4In0")
			s.tabTo("#scan button.main")
			s.press(kb.Enter)
			s.until(fmt.Sprintf("document.querySelector('#verdict[data-outcome=%q]')", v.Outcome))
			s.judge(name + "-" + lang)
		}
	}
}

func TestTheHolderIsMaskedUntilF8(t *testing.T) {
	s := openScreen(t)
	desk := open(t)
	desk.reader.verdict = cert.Verdict{Format: shc.Format, Outcome: cert.Valid, Certificate: vaccinated(cert.Vaccination), Findings: []cert.Finding{}}
	s.do(chromedp.Navigate(desk.URL + "/?tab=scan"))
	s.until("document.activeElement?.id === 'text'")
	s.write("shc:/567")
	s.tabTo("#scan button.main")
	s.press(kb.Enter)
	s.until("document.querySelector('#verdict')")
	const shown = "document.querySelector('#holder dd').checkVisibility()"
	if evaluate[bool](s, shown) {
		t.Error("the holder is shown before F8")
	}
	s.press(kb.F8)
	s.until(shown)
	s.press(kb.F8)
	s.until("!" + shown)
}

func TestALinkIsOpenedByTheKeyboard(t *testing.T) {
	s := openScreen(t)
	desk := open(t, func(d *stage) { d.line = uplink.Line{Up: true, Since: noon} })
	desk.reader.verdict = cert.Verdict{Format: shlink.Format, Outcome: cert.Unsupported, Findings: []cert.Finding{cert.NeedsNetwork, shlink.Passcode}}
	s.do(chromedp.Navigate(desk.URL + "/?tab=scan"))
	s.until("document.activeElement?.id === 'text'")
	s.write("shlink:/eyJ1cmwiOiJ4In0")
	s.tabTo("#scan button.main")
	s.press(kb.Enter)
	// The answer has settled when the focus is back in the field for the next code.
	s.until("document.querySelector('#open-link:not([disabled])') && document.activeElement?.id === 'text'")
	s.tabTo("#passcode")
	s.write("1234")
	s.tabTo("#open-link")
	desk.reader.verdict = cert.Verdict{Format: shc.Format, Outcome: cert.Valid, Certificate: vaccinated(cert.Vaccination), Findings: []cert.Finding{inspect.FromLink}}
	s.press(kb.Enter)
	s.sees("リンクの先から読みました")
	if got := strings.Join(desk.reader.fetched, ","); got != "shlink:/eyJ1cmwiOiJ4In0 1234" {
		t.Errorf("fetched %q", got)
	}
}

// A picture that is dropped or pasted is read at once, wherever the desk is.
func TestAPictureIsDroppedAndPasted(t *testing.T) {
	s := openScreen(t)
	desk := open(t)
	desk.reader.verdict = cert.Verdict{Outcome: cert.Malformed, Findings: []cert.Finding{}}
	for name, act := range map[string]string{
		"drop":  `document.querySelector("main").dispatchEvent(new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: carried}))`,
		"paste": `document.body.dispatchEvent(new ClipboardEvent("paste", {bubbles: true, cancelable: true, clipboardData: carried}))`,
	} {
		desk.reader.got = nil
		s.do(chromedp.Navigate(desk.URL + "/"))
		s.until("document.activeElement?.id === 'insurer_number'")
		evaluate[chromedp.Void](s, `{ const carried = new DataTransfer(); carried.items.add(new File(["\x89PNG `+name+`"], "a.png", {type: "image/png"})); `+act+`; 0 }`)
		s.until("document.querySelector('#verdict[data-outcome=malformed]')")
		if !strings.HasSuffix(string(desk.reader.got), "PNG "+name) {
			t.Errorf("%s: %q arrived", name, desk.reader.got)
		}
		s.sees("証明書として読めません")
	}
}
