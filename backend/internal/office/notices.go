package office

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/jptext"
	"madoguchi.example/shared/notice"
)

// Limits of one notice.
const (
	// MaxRefs is how many people one notice reaches; the form says so in words.
	MaxRefs     = mailbox.MaxRecipients
	maxRefBytes = 64
	// MaxForm is how many bytes the form of a notice may have.
	MaxForm = 512 << 10
)

// NoticeList shows what was sent.
func (o *Office) NoticeList(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	recent, err := o.Notices.Recent(ctx, who, MaxShown)
	if err != nil {
		return Page{}, err
	}
	return o.render(ctx, r, &who, "notices", struct {
		Write   bool
		Notices []Summary
	}{who.Has(actor.Clerk), recent})
}

// writing is the form with what is in it.
type writing struct {
	Form     url.Values
	Faults   map[string]string // field → key of the catalogue
	Fields   []field
	Audience *Audience
	Draft    Draft
	Once     string
}

type field struct {
	Lang     notice.Language
	Required bool
}

var textFields = []field{{notice.Japanese, true}, {notice.EasyJapanese, false}, {notice.English, false}}

// Write shows the form.
func (o *Office) Write(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	form := url.Values{"kind": {string(notice.Information)}}
	return o.render(ctx, r, &who, "write", writing{Form: form, Fields: textFields})
}

// Rewrite shows the form again with what was typed.
func (o *Office) Rewrite(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	// Reading empties the fields that hold what must not be kept.
	return o.render(ctx, r, &who, "write", writing{Form: o.read(r.Form).Form, Fields: textFields})
}

// Preview shows what will be sent, and to how many.
func (o *Office) Preview(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	w := o.read(r.Form)
	if len(w.Faults) == 0 {
		if err := o.findAudience(ctx, who, &w); err != nil {
			return Page{}, err
		}
	}
	if len(w.Faults) > 0 {
		return o.again(ctx, who, r, w)
	}
	once, err := o.IDs.New("onc")
	if err != nil {
		return Page{}, err
	}
	w.Once = once
	return o.render(ctx, r, &who, "preview", w)
}

func (o *Office) findAudience(ctx context.Context, who actor.Staff, w *writing) error {
	a, err := o.Notices.Audience(ctx, who, w.Draft.Refs)
	if err != nil {
		return w.blameFor(err)
	}
	w.Audience = &a
	if a.Found == 0 {
		w.Faults["refs"] = "nobody"
	}
	return nil
}

func (o *Office) again(ctx context.Context, who actor.Staff, r Request, w writing) (Page, error) {
	page, err := o.render(ctx, r, &who, "write", w)
	page.Status = http.StatusUnprocessableEntity
	return page, err
}

// Send sends what was previewed, once.
func (o *Office) Send(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	w := o.read(r.Form)
	w.Draft.Once = r.Form.Get("once")
	if len(w.Faults) > 0 || w.Draft.Once == "" {
		return o.again(ctx, who, r, w)
	}
	id, err := o.Notices.Send(ctx, who, w.Draft)
	if err != nil {
		if err := w.blameFor(err); err != nil {
			return Page{}, err
		}
		return o.again(ctx, who, r, w)
	}
	return Page{Location: "/office/notices/" + url.PathEscape(id)}, nil
}

// fieldOf finds the form's field in a fault's place ("texts.ja.title", "deadline"), else
// the recipients.
func fieldOf(place string) string {
	for _, f := range textFields {
		for _, part := range []string{"title", "body"} {
			if strings.HasSuffix(place, "texts."+string(f.Lang)+"."+part) {
				return part + "_" + string(f.Lang)
			}
		}
	}
	for _, name := range []string{"deadline", "kind"} {
		if strings.Contains(place, name) {
			return name
		}
	}
	return "refs"
}

// Sent shows whom a notice reached.
func (o *Office) Sent(ctx context.Context, who actor.Staff, r Request) (Page, error) {
	sent, err := o.Notices.Show(ctx, who, r.Param["id"])
	if err != nil {
		return Page{}, err
	}
	return o.render(ctx, r, &who, "sent", struct {
		Sent
		Fields []field
		Bars   []bar
		More   bool
	}{sent, textFields, bars(sent.Counts), sent.Counts.All > len(sent.Recipients)})
}

type bar struct {
	Key     string
	N, All  int
	Percent int
}

func bars(c Counts) []bar {
	out := []bar{{"reach.in_mailbox", c.InMailbox, c.All, 0}, {"reach.pushed", c.Pushed, c.All, 0}, {"reach.read", c.Read, c.All, 0}}
	for i := range out {
		if c.All > 0 {
			out[i].Percent = out[i].N * 100 / c.All
		}
	}
	return out
}

// blameFor tells a fault of what was written at its field. Every other error comes back.
func (w *writing) blameFor(err error) error {
	field := fieldOf(fault.PlaceOf(err))
	switch code := fault.CodeOf(err); {
	case code == fault.TooLarge && field == "refs":
		w.blame(field, "too_many_refs")
	case code == fault.TooLarge:
		w.blame(field, "too_long")
	case code == fault.InvalidArgument, code == fault.MyNumberRefused:
		w.blame(field, string(code))
	default:
		return err
	}
	return nil
}

func (w *writing) blame(field, key string) {
	if key == string(fault.MyNumberRefused) {
		w.Form.Set(field, "")
	}
	if w.Faults[field] == "" {
		w.Faults[field] = key
	}
}

// read takes the form apart. Every fault names its field; a field with a My Number is
// emptied.
func (o *Office) read(form url.Values) writing {
	w := writing{Form: form, Faults: map[string]string{}, Fields: textFields}
	w.Draft.Kind = notice.Kind(form.Get("kind"))
	if w.Draft.Kind != notice.Information && w.Draft.Kind != notice.Action {
		w.blame("kind", "kind")
	}
	o.readDeadline(&w)
	w.readTexts()
	w.readRefs()
	return w
}

func (o *Office) readDeadline(w *writing) {
	text := strings.TrimSpace(w.Form.Get("deadline"))
	if w.Draft.Kind != notice.Action {
		return
	}
	d, err := civil.Parse(text)
	if err != nil || !d.After(civil.In(o.Now())) {
		w.blame("deadline", "deadline")
		return
	}
	w.Draft.Deadline = d
}

func (w *writing) readTexts() {
	w.Draft.Texts = map[notice.Language]notice.Text{}
	for _, f := range textFields {
		title, body := "title_"+string(f.Lang), "body_"+string(f.Lang)
		t := notice.Text{
			Title: strings.TrimSpace(w.Form.Get(title)),
			Body:  strings.TrimSpace(strings.ReplaceAll(w.Form.Get(body), "\r\n", "\n")),
		}
		w.checkText(title, t.Title, notice.MaxTitle)
		w.checkText(body, t.Body, notice.MaxBody)
		switch {
		case t.Title != "" && t.Body != "":
			w.Draft.Texts[f.Lang] = t
		case f.Required && t.Title == "":
			w.blame(title, "required")
		case f.Required:
			w.blame(body, "required")
		case t != notice.Text{}:
			w.blame(title, "half_text")
		}
	}
}

func (w *writing) checkText(name, text string, limit int) {
	switch {
	case utf8.RuneCountInString(text) > limit:
		w.blame(name, "too_long")
	case jptext.HoldsMyNumber(text):
		w.blame(name, string(fault.MyNumberRefused))
	case !utf8.ValidString(text) || strings.ContainsFunc(text, notText) || limit == notice.MaxTitle && strings.ContainsAny(text, "\n\t"):
		w.Form.Set(name, "")
		w.blame(name, "invalid")
	}
}

// notText finds control characters but line breaks and tabs.
func notText(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }

func (w *writing) readRefs() {
	seen := map[string]bool{}
	for line := range strings.Lines(w.Form.Get("refs")) {
		ref := strings.TrimSpace(line)
		if ref == "" || seen[ref] {
			continue
		}
		seen[ref] = true
		switch {
		case jptext.HoldsMyNumber(ref):
			w.blame("refs", string(fault.MyNumberRefused))
			return
		case len(ref) > maxRefBytes || !utf8.ValidString(ref) || strings.ContainsRune(ref, 0):
			w.blame("refs", "invalid")
			return
		}
		w.Draft.Refs = append(w.Draft.Refs, ref)
	}
	switch {
	case len(w.Draft.Refs) == 0:
		w.blame("refs", "no_refs")
	case len(w.Draft.Refs) > MaxRefs:
		w.blame("refs", "too_many_refs")
	}
}
