package office_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/backend/internal/office/officetest"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/notice"
)

// machines are terminals that said how they are.
type machines struct{ office.Terminals }

func (machines) List(context.Context, actor.Staff) ([]office.Terminal, error) {
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
	}, nil
}

func (machines) Places(context.Context, actor.Staff) ([]office.Place, error) { return nil, nil }

func machineRoom(t *testing.T) *office.Office {
	t.Helper()
	o, err := office.New(office.Parts{
		Terminals: machines{}, Names: &officetest.Canned{}, Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
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
