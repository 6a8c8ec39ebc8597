package tour

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"madoguchi.example/deploy/population"
	"madoguchi.example/mobile-api/client"
)

// noticeWalk is what the steps of journey 3 hand on.
type noticeWalk struct {
	*Guide
	parent, single *client.Client
	token          string
	clerk          *Console
	confirm        url.Values
	path           string // of the page that shows whom it reached
	handle         string
}

const (
	noticeTitle = "予防接種のお知らせ（練習）"
	noticeBody  = "お子さんの予防接種の時期です。\n持ちもの：母子健康手帳"
)

// benefitNotice is a notice from the console to the phone and back, and then a benefit from
// its rule to an approved list.
func benefitNotice(g *Guide) journey {
	return journey{"benefit notice: from a rule to a family's phone and an approved list", append(noticeSteps(g), benefitSteps(g)...)}
}

func noticeSteps(g *Guide) []step {
	w := &noticeWalk{Guide: g}
	return []step{
		{"the phone registers where pushes go", w.register},
		{"a clerk signs in to the console", w.clerkSignsIn},
		{"the preview counts the people on the list", w.preview},
		{"the notice is sent", w.send},
		{"it lies in the mailbox of each, and of nobody else", w.mailboxes},
		{"the push carries an opaque handle and nothing else", w.push},
		{"the app fetches the text by the handle", w.resolve},
		{"the read receipt comes back to the console", w.receipt},
		{"staff of the other municipality do not see it", w.otherTown},
		{"a role that may not write is refused", w.otherRole},
		{"sending the same form again sends nothing", w.sendAgain},
		{"the person sees who wrote and read", w.whoLooked},
	}
}

func (w *noticeWalk) register(ctx context.Context) (err error) {
	if w.parent, err = w.SignIn(ctx, population.SubParent); err != nil {
		return err
	}
	if w.single, err = w.SignIn(ctx, population.SubSingle); err != nil {
		return err
	}
	w.token, err = w.device(ctx, w.parent)
	return err
}

// device registers where pushes to the phone go and gives the address.
func (g *Guide) device(ctx context.Context, phone *client.Client) (token string, err error) {
	id := make([]byte, 18)
	if _, err := io.ReadFull(g.Rand, id); err != nil {
		return "", err
	}
	device := base64.RawURLEncoding.EncodeToString(id)
	token = "practice:" + device
	return token, phone.RegisterDevice(ctx, client.Device{ID: device, Token: token, Language: "ja"})
}

func (w *noticeWalk) clerkSignsIn(ctx context.Context) (err error) {
	w.clerk, err = w.Console(ctx, population.SubMinatoClerk)
	return err
}

func (w *noticeWalk) preview(ctx context.Context) error {
	cast := w.Stage.Cast
	confirm, people, err := w.clerk.Preview(ctx, Notice{Title: noticeTitle, Body: noticeBody,
		Refs: []string{cast.Parent.ResidentRef, cast.Single.ResidentRef}})
	w.confirm = confirm
	if err != nil {
		return err
	}
	return want(people == "2", "the preview says %s people", people)
}

func (w *noticeWalk) send(ctx context.Context) (err error) {
	w.path, err = w.clerk.Send(ctx, w.confirm)
	return err
}

func (w *noticeWalk) mailboxes(ctx context.Context) error {
	for _, phone := range []*client.Client{w.parent, w.single} {
		got, err := phone.Notices(ctx, "")
		if err != nil {
			return err
		}
		if len(got.Notices) != 1 || len(got.Notices[0].Texts) == 0 || got.Notices[0].Texts[0].Body != noticeBody {
			return fmt.Errorf("a mailbox has %d notices", len(got.Notices))
		}
	}
	other, err := w.SignIn(ctx, population.SubElder)
	if err != nil {
		return err
	}
	got, err := other.Notices(ctx, "")
	if err != nil {
		return err
	}
	return want(len(got.Notices) == 0, "somebody else has %d notices", len(got.Notices))
}

// pushed is one message that the practice FCM took.
type pushed struct {
	Message struct {
		Token   string            `json:"token"`
		Data    map[string]string `json:"data"`
		Android map[string]any    `json:"android"`
		Webpush map[string]any    `json:"webpush"`
		APNS    map[string]any    `json:"apns"`
	} `json:"message"`
}

func (w *noticeWalk) messages(ctx context.Context) ([]pushed, string, error) {
	return w.pushes(ctx, w.token)
}

// pushes gives what the practice FCM took for an address, also as it was written.
func (g *Guide) pushes(ctx context.Context, token string) ([]pushed, string, error) {
	p, err := getPage(ctx, http.DefaultClient, g.Stage.PracticeURL+"/practice/fcm/messages?token="+url.QueryEscape(token))
	if err != nil {
		return nil, "", err
	}
	var out struct{ Messages []pushed }
	dec := json.NewDecoder(strings.NewReader(p.text))
	err = dec.Decode(&out)
	return out.Messages, p.text, err
}

func (w *noticeWalk) push(ctx context.Context) error {
	var got []pushed
	var raw string
	err := until(ctx, func() (holds bool, seen string, err error) {
		got, raw, err = w.messages(ctx)
		return len(got) > 0, fmt.Sprintf("%d messages", len(got)), err
	})
	if err != nil {
		return err
	}
	m := got[0].Message
	w.handle = m.Data["h"]
	if len(got) != 1 || len(m.Data) != 2 || m.Data["v"] != "1" || !strings.HasPrefix(w.handle, "psh_") {
		return fmt.Errorf("%d messages, data of %d keys", len(got), len(m.Data))
	}
	cast := w.Stage.Cast
	for _, secret := range []string{noticeTitle, "予防接種", cast.Parent.Name, cast.Parent.ResidentRef, cast.Parent.BirthDate, "ntc_", "ctz_", "notification"} {
		if strings.Contains(raw, secret) {
			return fmt.Errorf("the push says more than the handle")
		}
	}
	return nil
}

func (w *noticeWalk) resolve(ctx context.Context) error {
	n, err := w.parent.ResolvePush(ctx, w.handle)
	if err != nil {
		return err
	}
	if len(n.Texts) == 0 || n.Texts[0].Title != noticeTitle || n.Texts[0].Body != noticeBody {
		return fmt.Errorf("another text came")
	}
	if _, err := w.single.ResolvePush(ctx, w.handle); err == nil {
		return fmt.Errorf("somebody else's handle was answered")
	} else if _, err := refusal(err, "not_found"); err != nil {
		return err
	}
	return w.parent.ReadNotice(ctx, n.ID)
}

func (w *noticeWalk) receipt(ctx context.Context) error {
	return until(ctx, func() (bool, string, error) {
		read, err := w.clerk.Count(ctx, w.path, "reach.read")
		return read == "1 / 2", read, err
	})
}

func (w *noticeWalk) otherTown(ctx context.Context) error {
	other, err := w.Console(ctx, population.SubYamanobeClerk)
	if err != nil {
		return err
	}
	p, err := other.get(ctx, w.path)
	if err != nil {
		return err
	}
	list, err := other.get(ctx, "/office/notices")
	if err != nil {
		return err
	}
	if strings.Contains(p.text+list.text, noticeTitle) || p.status != http.StatusNotFound || list.status != http.StatusOK {
		return fmt.Errorf("the page answered %d, the list %d", p.status, list.status)
	}
	_, people, err := other.Preview(ctx, Notice{Title: noticeTitle, Body: noticeBody, Refs: []string{"R999999"}})
	if err == nil {
		return fmt.Errorf("a list without residents of the town was previewed for %s people", people)
	}
	return nil
}

func (w *noticeWalk) otherRole(ctx context.Context) error {
	manager, err := w.Console(ctx, population.SubMinatoManager)
	if err != nil {
		return err
	}
	p, err := manager.post(ctx, "/office/notices", w.confirm)
	if err != nil {
		return err
	}
	if p.status != http.StatusForbidden {
		return fmt.Errorf("sending was answered with %d", p.status)
	}
	p, err = manager.get(ctx, "/office/notices/new")
	if err != nil {
		return err
	}
	return want(p.status == http.StatusForbidden, "the form was answered with %d", p.status)
}

func (w *noticeWalk) sendAgain(ctx context.Context) error {
	again, err := w.clerk.Send(ctx, w.confirm)
	if err != nil {
		return err
	}
	if again != w.path {
		return fmt.Errorf("a second notice was made")
	}
	got, _, err := w.messages(ctx)
	if err != nil {
		return err
	}
	return want(len(got) == 1, "%d pushes in all", len(got))
}

func (w *noticeWalk) whoLooked(ctx context.Context) error {
	got, err := w.parent.AccessLog(ctx, "")
	if err != nil {
		return err
	}
	var purposes []string
	for _, e := range got.Entries {
		purposes = append(purposes, e.Purpose)
	}
	for _, need := range []string{"notice_writing", "notice_delivery", "account"} {
		if !slices.Contains(purposes, need) {
			return fmt.Errorf("no entry of the purpose %s among %d", need, len(purposes))
		}
	}
	return nil
}
