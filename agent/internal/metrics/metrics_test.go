package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"madoguchi.example/agent/internal/metrics"
	"madoguchi.example/agent/internal/outbox"
)

var noon = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)

func get(t *testing.T, f outbox.Figures, method, host string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, metrics.Path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	metrics.Handler(func() outbox.Figures { return f }, func() time.Time { return noon }).ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// Each figure is there under its name.
func TestTheFigures(t *testing.T) {
	f := outbox.Figures{
		Terminal: "trm_1", Version: "v1", Pending: 3, OldestAt: noon.Add(-90 * time.Second), Stale: 1, DeadLetters: 2, Unanswered: 4, Kept: 5,
		LastAck: noon.Add(-time.Hour), Bytes: 6, FileBytes: 7, UsedBytes: 8, PutAside: 9, Lost: 10, KeyClass: "tpm2", Running: true, LineUp: true,
		LineReason: "clock_wrong", ClockOffsetMS: -1500, ClockTrusted: true,
	}
	code, text := get(t, f, http.MethodGet, "127.0.0.1:9100")
	if code != http.StatusOK {
		t.Fatal(code)
	}
	for _, want := range []string{
		"pending_records 3", "pending_bytes 6", "oldest_pending_seconds 90", "stale_records 1", "dead_letters 2", "unanswered_records 4", "kept_records 5",
		"last_ack_timestamp_seconds 1.7952264e+09", "file_bytes 7", "file_used_bytes 8", "files_put_aside 9", "lost_values 10", "clock_trusted 1",
		"clock_offset_seconds -1.5", "line_up 1", `info{key_class="tpm2",version="v1"} 1`, `line_refused{reason="clock_wrong"} 1`,
	} {
		if !strings.Contains(text, "\nmadoguchi_agent_"+want+"\n") {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "trm_1") {
		t.Error("the terminal's handle is told")
	}
}

// What is served is what Prometheus reads, named and described as its linter wants it: with
// every figure, and with values that need quoting.
func TestTheFormat(t *testing.T) {
	f := outbox.Figures{Version: `v1"\` + "\n" + `窓口`, KeyClass: "key_file", LineReason: "clock_wrong", OldestAt: noon.Add(time.Hour), Pending: 1, LastAck: noon}
	for _, figures := range []outbox.Figures{f, {}} {
		_, text := get(t, figures, http.MethodGet, "localhost")
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%v %v:\n%s", err, problems, text)
		}
		// A clock that was set back makes no record younger than now.
		if strings.Contains(text, "oldest_pending_seconds -") {
			t.Error(text)
		}
	}
}

// What is not known is not told as a number.
func TestWhatIsNotKnown(t *testing.T) {
	_, text := get(t, outbox.Figures{}, http.MethodGet, "localhost:1")
	if strings.Contains(text, "last_ack_timestamp_seconds ") || strings.Contains(text, "line_refused{") || !strings.Contains(text, "oldest_pending_seconds 0\n") {
		t.Error(text)
	}
}

func TestWhoIsAnswered(t *testing.T) {
	for host, want := range map[string]int{
		"127.0.0.1:9100": http.StatusOK, "[::1]:9100": http.StatusOK, "localhost": http.StatusOK,
		"evil.example": http.StatusForbidden, "10.0.0.1:9100": http.StatusForbidden, "": http.StatusForbidden, "127.0.0.1.evil.example": http.StatusForbidden,
	} {
		if code, text := get(t, outbox.Figures{}, http.MethodGet, host); code != want || (want != http.StatusOK && strings.Contains(text, "pending")) {
			t.Errorf("%q: %d", host, code)
		}
	}
	if code, _ := get(t, outbox.Figures{}, http.MethodPost, "localhost"); code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", code)
	}
}
