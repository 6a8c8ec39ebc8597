package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/deploy/population"
)

// The size of an officer's screen, which is also the narrowest it promises.
const officeWidth, officeHeight = 1280, 800

// console is an officer's window on the office console.
type console struct {
	*window
	house *house
}

// console signs an officer in through the practice provider, by the keyboard.
func (h *house) console(rules, sub, name string) *console {
	h.t.Helper()
	c := &console{h.openApart("console", officeWidth, officeHeight), h}
	c.visit(h.Public.URL() + "/office/")
	c.has("a.button[href='/office/sign-in/start']")
	c.judge(rules, "sign-in", officeWidth)
	c.tabTo("a.button[href='/office/sign-in/start']")
	c.press(kb.Enter)
	c.choosePerson(sub, name)
	c.until("location.pathname === '/office/' && document.querySelector('nav [aria-current]')")
	return c
}

// letter is what the officer writes, in each language.
var letter = []struct{ lang, title, body string }{
	{"ja", "予防接種のお知らせ", "お子さんの予防接種の時期です。\n\n費用はかかりません。母子健康手帳を持って、かかりつけの医院へお越しください。\n\nわからないことは、保健センターへお電話ください。"},
	{"ja-easy", "こどもの よぼうちゅうしゃの おしらせ", "こどもの よぼうちゅうしゃの ときです。\n\nお金は かかりません。母子健康手帳を もって、びょういんへ きてください。"},
	{"en", "Time for your child's vaccination", "It is time for your child's vaccination.\n\nIt is free of charge. Please bring the mother and child handbook to your doctor."},
}

// Journey 3: from the console to the phone and back.
func TestNotice(t *testing.T) {
	h := openHouse(t)
	h.install()
	rules := axe(t)
	p := h.phone()
	p.signInAs(population.SubParent, h.Cast.Parent.Name)
	p.home()
	p.ready()
	p.at("/app/me")
	p.tabTo("#push-on")
	p.press(kb.Enter)
	p.sees("このスマートフォンに通知しています")
	p.at("/app/")
	p.home()
	worker := p.registration()

	c := h.console(rules, population.SubMinatoClerk, "窓口 文香")
	c.judge(rules, "today", officeWidth)
	c.keep("office-today")
	sent := c.send(rules, h.Cast.Parent.ResidentRef, h.Cast.Single.ResidentRef, h.Cast.Elder.ResidentRef, h.Cast.Unvaccinated.ResidentRef)
	c.figure("reach.read", "0 / 4")

	p.deliver(worker, h.pushPayload())
	p.sees("窓口から新しいお知らせが届きました")
	p.judge(rules, "a notice has come", narrowPhone)
	p.keep("app-notice-arrived")
	p.tabTo("#news a")
	p.press(kb.Enter)
	p.until("location.pathname.startsWith('/app/notices/ntc_')")
	p.sees(letter[0].title)
	p.sees("費用はかかりません")
	p.sees("読んだことを窓口に伝えました")
	p.judge(rules, "notice", narrowPhone)
	p.keep("app-notice")
	notice := value[string](p.window, "location.pathname")

	c.tabTo("#reach a.button")
	c.press(kb.Enter)
	c.figure("reach.read", "1 / 4")
	c.figure("reach.pushed", "1 / 4")
	if words := c.text("#reach .facts"); !strings.Contains(words, "窓口 文香") {
		t.Errorf("the page does not say who sent the notice: %s", words)
	}
	c.judge(rules, "reached", officeWidth)
	c.keep("office-notice")
	judgeConsole(c, rules, sent)
	p.judgeScreens(rules, map[string]string{"/app/": "#ask, #certificate", "/app/notices": ".rows", notice: "#text", "/app/me": "#pushes"})
}

// send writes the notice to the list, looks at it and sends it; it gives the page that
// shows whom it reached.
func (c *console) send(rules string, refs ...string) string {
	c.t.Helper()
	c.tabTo("main a[href='/office/notices/new']")
	c.press(kb.Enter)
	c.has("form[action='/office/notices/preview']")
	c.judge(rules, "write", officeWidth)
	for _, l := range letter {
		c.tabTo("#title_" + l.lang)
		c.write(l.title)
		c.tabTo("#body_" + l.lang)
		c.write(l.body)
	}
	c.tabTo("#refs")
	c.write(strings.Join(refs, "\n"))
	c.tabTo("form[action='/office/notices/preview'] .button")
	c.press(kb.Enter)
	c.until("document.querySelector('strong.figure')?.textContent.trim() === '" + fmt.Sprint(len(refs)) + "'")
	for _, l := range letter {
		c.sees(l.title)
	}
	c.judge(rules, "preview", officeWidth)
	c.keep("office-preview")
	c.tabTo("form[action='/office/notices'] .button:not(.second)")
	c.press(kb.Enter)
	c.until("document.querySelector('[data-count]')")
	return value[string](c.window, "location.pathname")
}

// figure waits until one of the figures of a sent notice says so.
func (c *console) figure(key, words string) {
	c.t.Helper()
	c.until(fmt.Sprintf("document.querySelector('[data-count=%q]')?.textContent.trim() === %s", key, quote(words)))
}

// pushPayload waits for the one message that the practice FCM took, and gives what Firebase
// would hand to the service worker: its data, byte for byte, in the web push envelope.
func (h *house) pushPayload() string {
	h.t.Helper()
	var taken struct {
		Messages []struct {
			Message struct {
				Data json.RawMessage `json:"data"`
			} `json:"message"`
		} `json:"messages"`
	}
	until(h.t, func(ctx context.Context) (bool, string) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.PracticeURL+"/practice/fcm/messages", nil)
		if err != nil {
			return false, err.Error()
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, err.Error()
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&taken); err != nil {
			return false, err.Error()
		}
		return len(taken.Messages) > 0, "no message"
	})
	if len(taken.Messages) != 1 {
		h.t.Fatalf("%d pushes for one phone", len(taken.Messages))
	}
	if data := string(taken.Messages[0].Message.Data); !strings.Contains(data, `"psh_`) {
		h.t.Fatalf("the push carries %s", data)
	}
	return fmt.Sprintf(`{"data":%s,"from":"112233445566","fcmMessageId":"m"}`, taken.Messages[0].Message.Data)
}

// registration gives the id of the app's service worker.
func (p *phone) registration() serviceworker.RegistrationID {
	p.t.Helper()
	events := chromedp.Events(p.ctx, serviceworker.WorkerRegistrationUpdated)
	if _, err := chromedp.Call(p.ctx, serviceworker.Enable, cdp.Empty{}); err != nil {
		p.t.Fatal(err)
	}
	for ev, err := range events {
		if err != nil {
			p.t.Fatal(err)
		}
		for _, r := range ev.Registrations {
			if strings.HasSuffix(r.ScopeURL, "/app/") {
				return r.RegistrationID
			}
		}
	}
	p.t.Fatal("the app has no service worker")
	return ""
}

func (p *phone) deliver(worker serviceworker.RegistrationID, payload string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{
		Origin: p.house.Public.URL(), RegistrationID: worker, Data: payload,
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// language chooses one by the keyboard, unless it is already spoken.
func (c *console) language(l string) {
	c.t.Helper()
	c.visit(c.house.Public.URL() + "/office/")
	button := ".languages button[value=" + quote(l) + "]"
	c.has(button)
	if value[bool](c.window, "document.querySelector("+quote(button+"[aria-current]")+") !== null") {
		return
	}
	c.tabTo(button)
	c.press(kb.Enter)
	c.has(button + "[aria-current]")
}

// judgeConsole looks at the console's pages in three languages, a clerk's and a manager's.
func judgeConsole(c *console, rules, sent string) {
	c.t.Helper()
	manager := c.house.console(rules, population.SubMinatoManager, "端末 守")
	for _, l := range languages {
		for _, look := range []struct {
			at    *console
			paths []string
		}{
			{c, []string{"/office/", "/office/notices", "/office/notices/new", sent}},
			{manager, []string{"/office/", "/office/terminals", "/office/records"}},
		} {
			look.at.language(l)
			for _, path := range look.paths {
				look.at.visit(c.house.Public.URL() + path)
				look.at.has("main h1")
				look.at.judge(rules, l+" "+path, officeWidth)
			}
		}
		manager.visit(c.house.Public.URL() + "/office/terminals")
		manager.tabTo("main form .button")
		manager.press(kb.Enter)
		manager.has(".secret")
		manager.judge(rules, l+" code of a terminal", officeWidth)
		c.visit(c.house.Public.URL() + "/office/notices/new")
		c.tabTo("form[action='/office/notices/preview'] .button")
		c.press(kb.Enter)
		c.has(".summary")
		c.judge(rules, l+" faults of a notice", officeWidth)
	}
}
