package office

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// The catalogues of the three languages have the same keys, none of them empty.
func TestSameKeysInEveryLanguage(t *testing.T) {
	words, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(maps.Keys(words[notice.Japanese]))
	for _, l := range notice.Languages() {
		if got := slices.Sorted(maps.Keys(words[l])); !slices.Equal(got, want) {
			t.Errorf("%s has other keys than Japanese", l)
		}
		for key, text := range words[l] {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: %s is empty", l, key)
			}
		}
	}
	t.Logf("%d sentences in %d languages", len(want), len(words))
}

var wordInTemplate = regexp.MustCompile(`\.T "([^"]+)"`)

// Every sentence that a page names exists, and no page holds an inline script or style.
func TestTemplates(t *testing.T) {
	words, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(templateFiles, "templates", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(templateFiles, path)
		if err != nil {
			return err
		}
		for _, m := range wordInTemplate.FindAllStringSubmatch(string(raw), -1) {
			if !words.has(m[1]) {
				t.Errorf("%s names %q, which is in no catalogue", path, m[1])
			}
		}
		for _, inline := range []string{"<script>", "style=", "onclick", "hx-on", "<style", "javascript:"} {
			if strings.Contains(string(raw), inline) {
				t.Errorf("%s holds %q, which the policy forbids", path, inline)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadForm(t *testing.T) {
	o := &Office{Parts: Parts{Now: func() time.Time { return time.Date(2026, 11, 21, 5, 0, 0, 0, time.UTC) }}}
	good := func() url.Values {
		return url.Values{"kind": {"action"}, "deadline": {"2026-12-01"}, "title_ja": {"題"}, "body_ja": {"本文"}, "refs": {"R-1\r\nR-2\r\n\r\nR-1\r\n"}}
	}
	w := o.read(good())
	if len(w.Faults) != 0 || !slices.Equal(w.Draft.Refs, []string{"R-1", "R-2"}) || w.Draft.Deadline.String() != "2026-12-01" {
		t.Errorf("a good form: faults %v, draft %+v", w.Faults, w.Draft)
	}
	for name, c := range map[string]struct{ field, value, fault string }{
		"no kind":            {"kind", "", "kind"},
		"no deadline":        {"deadline", "", "deadline"},
		"deadline today":     {"deadline", "2026-11-21", "deadline"},
		"no title":           {"title_ja", " ", "required"},
		"no text":            {"body_ja", "", "required"},
		"long title":         {"title_ja", strings.Repeat("あ", 101), "too_long"},
		"half a translation": {"title_en", "x", "half_text"},
		"My Number in text":  {"body_ja", "番号は １２３４５６７８９０１８ です", "my_number_refused"},
		"My Number as ref":   {"refs", "123456789018", "my_number_refused"},
		"nobody":             {"refs", "\n \n", "no_refs"},
		"too many":           {"refs", manyRefs(MaxRefs + 1), "too_many_refs"},
		"long ref":           {"refs", strings.Repeat("R", 65), "invalid"},
		"control character":  {"body_ja", "a\x07b", "invalid"},
		"NUL":                {"title_ja", "a\x00", "invalid"},
		"bad UTF-8":          {"title_ja", "a\xff", "invalid"},
	} {
		form := good()
		form.Set(c.field, c.value)
		w := o.read(form)
		if w.Faults[c.field] != c.fault {
			t.Errorf("%s: faults %v, want %s at %s", name, w.Faults, c.fault, c.field)
		}
		if c.fault == "my_number_refused" && w.Form.Get(c.field) != "" {
			t.Errorf("%s: what was typed is kept in the form", name)
		}
	}
}

// The form tells the one limit before anybody sends, in every language.
func TestTheLimitIsToldInWords(t *testing.T) {
	words, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range notice.Languages() {
		for _, key := range []string{"write.refs.hint", "fault.too_many_refs"} {
			if !strings.Contains(words.word(l, key), strconv.Itoa(MaxRefs)) {
				t.Errorf("%s in %s does not tell the limit of %d", key, l, MaxRefs)
			}
		}
	}
}

// refusing is a mailbox that finds a fault of its own.
type refusing struct {
	Notices
	err error
}

func (r refusing) Audience(context.Context, actor.Staff, []string) (Audience, error) {
	return Audience{}, r.err
}

func (r refusing) Send(context.Context, actor.Staff, Draft) (string, error) { return "", r.err }

func (refusing) Municipality(context.Context, identity.MunicipalityCode, notice.Language) (string, error) {
	return "みなと市", nil
}

// Whatever the mailbox finds wrong with what was written stands at its field, at the
// preview as at the sending, and is no error page.
func TestFaultsOfTheMailboxStandInTheForm(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		field string
		says  string
	}{
		"too many":     {fault.At(fault.TooLarge, "recipients", "x"), "refs", "fault.too_many_refs"},
		"too long":     {fault.At(fault.TooLarge, "texts.ja.body", "x"), "body_ja", "fault.too_long"},
		"My Number":    {fault.At(fault.MyNumberRefused, "recipients line 1", "x"), "refs", "fault.my_number_refused"},
		"wrong line":   {fault.At(fault.InvalidArgument, "recipients line 2", "x"), "refs", "fault.invalid"},
		"the deadline": {fault.At(fault.InvalidArgument, "deadline", "x"), "deadline", "fault.deadline"},
	} {
		f := refusing{err: c.err}
		o, err := New(Parts{Notices: f, Names: f, Now: func() time.Time { return time.Date(2026, 11, 21, 5, 0, 0, 0, time.UTC) }})
		if err != nil {
			t.Fatal(err)
		}
		who := actor.Staff{ID: "stf_1", Municipality: "990019", Roles: []actor.Role{actor.Clerk}}
		for step, page := range map[string]func(context.Context, actor.Staff, Request) (Page, error){"preview": o.Preview, "send": o.Send} {
			if step == "preview" && c.field != "refs" {
				continue
			}
			form := url.Values{"kind": {"action"}, "deadline": {"2026-12-01"}, "title_ja": {"題"}, "body_ja": {"本文"}, "refs": {"R-1"}, "once": {"onc_1"}}
			got, err := page(t.Context(), who, Request{Method: "POST", Path: "/office/notices", Form: form})
			if err != nil || got.Status != 422 || !strings.Contains(string(got.HTML), `id="`+c.field+`-fault"`) {
				t.Errorf("%s at %s: status %d, error %v", name, step, got.Status, err)
			}
		}
	}
}

func manyRefs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "R-%d\n", i)
	}
	return b.String()
}

func TestOurPath(t *testing.T) {
	for path, want := range map[string]bool{
		"/office/": true, "/office/notices": true, "": false, "/": false, "//evil.example/": false,
		"/office//evil.example": false, "https://evil.example/office/": false, "/office/\\evil": false, "/office/a\r\nb": false,
	} {
		if ourPath(path) != want {
			t.Errorf("%q: %v", path, !want)
		}
	}
}

func FuzzReadForm(f *testing.F) {
	f.Add("action", "2026-12-01", "題", "本文", "R-1\nR-2")
	f.Add("", "", "", "", "")
	o := &Office{Parts: Parts{Now: func() time.Time { return time.Date(2026, 11, 21, 5, 0, 0, 0, time.UTC) }}}
	f.Fuzz(func(t *testing.T, kind, deadline, title, body, refs string) {
		w := o.read(url.Values{"kind": {kind}, "deadline": {deadline}, "title_ja": {title}, "body_ja": {body}, "refs": {refs}})
		if len(w.Faults) == 0 && (len(w.Draft.Refs) == 0 || w.Draft.Texts[notice.Japanese].Title == "") {
			t.Errorf("taken without recipients or title: %+v", w.Draft)
		}
	})
}
