package office_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/backend/internal/office/officetest"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/notice"
)

// machines are terminals that said how they are.
type machines struct {
	office.Terminals
	stopped []string
}

func (*machines) List(context.Context, actor.Staff) ([]office.Terminal, error) {
	now := officetest.Now
	return []office.Terminal{
		{ID: "trm_well", Office: "みなと内科", Class: "clinic", LastContact: now, Health: &office.Health{
			Said: now, KeyClass: "tpm2", ClockTrusted: true, Version: "1.4.2", File: 3_000_000, Used: 1_500_000, LastAck: now,
		}},
		{ID: "trm_ill", Office: "避難所", Class: "shelter", LastContact: now, Health: &office.Health{
			Said: now, Pending: 1_234, Oldest: now.Add(-time.Hour), Stale: 1, DeadLetters: 7, KeyClass: "made_up", ClockTrusted: true,
			ClockOff: -2 * time.Minute, PutAside: 2, Lost: 31, Faults: []string{"disk_slow"}, Cloned: true,
			Events: []office.Happened{{Word: "gap", N: 3}, {Word: "fork", N: 8}},
		}},
		{ID: "trm_mute", Office: "総合窓口", Class: "counter", Health: &office.Health{Events: []office.Happened{{Word: "stray", N: 1}, {Word: "conflict", N: 1}}}},
		{ID: "trm_new", Office: "総合窓口", Class: "counter"},
		{ID: "trm_gone", Office: "総合窓口", Class: "counter", Disabled: true},
	}, nil
}

func (*machines) Places(context.Context, actor.Staff) ([]office.Place, error) { return nil, nil }

// Stop implements office.Terminals.
func (m *machines) Stop(_ context.Context, _ actor.Staff, id string) error {
	if id == "trm_gone" {
		return fault.At(fault.NotFound, "terminal", "there is no such terminal in use")
	}
	m.stopped = append(m.stopped, id)
	return nil
}

func machineRoom(t *testing.T) *office.Office {
	t.Helper()
	return roomOf(t, &machines{})
}

func roomOf(t *testing.T, m *machines) *office.Office {
	t.Helper()
	o, err := office.New(office.Parts{
		Terminals: m, Names: &officetest.Canned{}, Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
		Now: func() time.Time { return officetest.Now }, IDs: handle.Source{Now: func() time.Time { return officetest.Now }, Rand: rand.Reader},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// The report is good to look at and narrow, however ill the terminals are.
func TestTheTerminalsAreGoodToLookAt(t *testing.T) {
	o := machineRoom(t)
	assets, err := office.Assets()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /office/assets/", http.StripPrefix("/office/assets/", noCache(assets)))
	mux.HandleFunc("GET /office/terminals", func(w http.ResponseWriter, r *http.Request) {
		page, err := o.TerminalList(r.Context(), officer(actor.TerminalManager), office.Request{
			Method: http.MethodGet, Path: r.URL.Path, Cookie: map[string]string{"madoguchi_office_language": r.URL.Query().Get("lang")},
		})
		answer(t, w, o, office.Request{}, page, err)
	})
	d := httptest.NewServer(mux)
	t.Cleanup(d.Close)
	w := open(t, d.URL)
	for _, l := range notice.Languages() {
		w.size(1366, 768)
		w.visit("/office/terminals?lang=" + string(l))
		w.has("#health")
		w.judge(string(l))
		w.keep("terminals-" + string(l))
		w.size(390, 844)
		w.narrow(string(l) + " at 390")
		w.keep("terminals-390-" + string(l))
	}
}

func TestTheTerminalsSayHowTheyAre(t *testing.T) {
	o := machineRoom(t)
	for _, l := range notice.Languages() {
		page, err := o.TerminalList(t.Context(), officer(actor.TerminalManager), office.Request{Method: "GET", Path: "/office/terminals", Cookie: map[string]string{"madoguchi_office_language": string(l)}})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(page.HTML), "terminals.") {
			t.Errorf("%s: a word is missing", l)
		}
		rows := map[string]string{}
		_, report, _ := strings.Cut(string(page.HTML), `id="health"`)
		report, _, _ = strings.Cut(report, "</table>")
		for row := range strings.SplitSeq(report, "<tr>") {
			for _, id := range []string{"trm_well", "trm_ill", "trm_mute", "trm_new"} {
				if strings.Contains(row, id) {
					rows[id] = row
				}
			}
		}
		for id, want := range map[string][]string{
			"trm_well": {"TPM", "1.4.2", "1.5 / 3.0 MB"},
			"trm_ill":  {"1,234", "7", "31", "disk_slow", ": 3<", ": 8<", "<strong>", "icon need"},
			"trm_mute": {`colspan="4"`, ": 1<"},
		} {
			for _, part := range want {
				if !strings.Contains(rows[id], part) {
					t.Errorf("%s, %s: %q is not in %s", l, id, part, rows[id])
				}
			}
		}
		if rows["trm_new"] != "" || strings.Contains(rows["trm_well"], "icon need") || strings.Contains(rows["trm_well"], "<strong>") {
			t.Errorf("%s: %s %s", l, rows["trm_new"], rows["trm_well"])
		}
	}
}

// A terminal goes out of use only where it was chosen and the officer said to be sure, and
// the list offers those in use alone.
func TestATerminalIsStopped(t *testing.T) {
	m := &machines{}
	o := roomOf(t, m)
	page, err := o.TerminalList(t.Context(), officer(actor.TerminalManager), office.Request{Method: http.MethodGet, Path: "/office/terminals"})
	if err != nil || !strings.Contains(string(page.HTML), `<option value="trm_mute"`) || strings.Contains(string(page.HTML), `<option value="trm_gone"`) {
		t.Errorf("%v: the list does not offer what is in use: %s", err, page.HTML)
	}
	for name, c := range map[string]struct {
		form url.Values
		want string // is stopped, nothing where the form comes back
	}{
		"not sure":      {url.Values{"terminal": {"trm_ill"}}, ""},
		"none chosen":   {url.Values{"sure": {"yes"}}, ""},
		"stopped since": {url.Values{"terminal": {"trm_gone"}, "sure": {"yes"}}, ""},
		"much too long": {url.Values{"terminal": {strings.Repeat("t", 10_000)}, "sure": {"yes"}}, ""},
		"chosen":        {url.Values{"terminal": {"trm_ill"}, "sure": {"yes"}}, "trm_ill"},
	} {
		m.stopped = nil
		page, err := o.StopTerminal(t.Context(), officer(actor.TerminalManager), office.Request{Method: http.MethodPost, Path: "/office/terminals/stop", Form: c.form})
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want == "":
			if page.Status != http.StatusUnprocessableEntity || len(m.stopped) != 0 || !strings.Contains(string(page.HTML), `aria-invalid="true"`) {
				t.Errorf("%s: status %d, stopped %v", name, page.Status, m.stopped)
			}
		case page.Location != "/office/terminals?done=stopped" || !slices.Equal(m.stopped, []string{c.want}):
			t.Errorf("%s: to %q, stopped %v", name, page.Location, m.stopped)
		}
	}
}
