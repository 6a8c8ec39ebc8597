package fcm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/push/fcm"
)

// fake is FCM HTTP v1 as far as one send goes.
type fake struct {
	mu     sync.Mutex
	bodies []map[string]any
	paths  []string
	answer func(w http.ResponseWriter, token string)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	var body map[string]any
	if json.Unmarshal(raw, &body) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	f.bodies, f.paths = append(f.bodies, body), append(f.paths, r.URL.Path)
	f.mu.Unlock()
	message, _ := body["message"].(map[string]any)
	token, _ := message["token"].(string)
	f.answer(w, token)
}

func taken(w http.ResponseWriter, _ string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"name":"projects/p/messages/1"}`)
}

func refuse(status int, canonical, code string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error":{"code":%d,"message":"m","status":%q,"details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":%q}]}}`, status, canonical, code)
	}
}

func client(t *testing.T, f *fake, timeout time.Duration) *fcm.Client {
	t.Helper()
	web := httptest.NewServer(f)
	t.Cleanup(web.Close)
	c, err := fcm.New(t.Context(), fcm.Config{Project: "p", Endpoint: web.URL + "/v1", Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestOnlyTheHandleLeaves is the allow-list of everything that goes out.
func TestOnlyTheHandleLeaves(t *testing.T) {
	f := &fake{answer: taken}
	c := client(t, f, 0)
	if got := c.Send(t.Context(), []push.Message{{Token: "tok", Handle: "psh_x"}}); got[0] != push.Taken {
		t.Fatalf("result %v", got)
	}
	body := f.bodies[0]
	message := body["message"].(map[string]any)
	if len(body) != 1 || len(message) != 2 || message["token"] != "tok" {
		t.Errorf("more leaves than a token and data: %v", body)
	}
	if want := map[string]any{"v": "1", "h": "psh_x"}; !maps.Equal(message["data"].(map[string]any), want) {
		t.Errorf("data %v", message["data"])
	}
	if f.paths[0] != "/v1/projects/p/messages:send" {
		t.Errorf("path %q", f.paths[0])
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(http.ResponseWriter, string)
		want   push.Result
	}{
		{"taken", taken, push.Taken},
		{"unregistered", refuse(404, "NOT_FOUND", "UNREGISTERED"), push.Dead},
		{"sender id mismatch", refuse(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), push.Dead},
		{"quota", refuse(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), push.Later},
		{"unavailable", refuse(503, "UNAVAILABLE", "UNAVAILABLE"), push.Later},
		{"internal", refuse(500, "INTERNAL", "INTERNAL"), push.Later},
		{"bad gateway without a body", func(w http.ResponseWriter, _ string) { w.WriteHeader(502) }, push.Later},
		{"invalid argument", refuse(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"), push.Rejected},
		{"our key at Apple", refuse(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), push.Locked},
		{"our credentials", refuse(401, "UNAUTHENTICATED", ""), push.Locked},
		{"not our project", refuse(403, "PERMISSION_DENIED", ""), push.Locked},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := client(t, &fake{answer: c.answer}, 300*time.Millisecond).Send(t.Context(), []push.Message{{Token: "tok", Handle: "psh_x"}})
			if got[0] != c.want {
				t.Errorf("result %v, want %v", got[0], c.want)
			}
		})
	}
}

func TestResultsStandInOrder(t *testing.T) {
	f := &fake{answer: func(w http.ResponseWriter, token string) {
		if strings.HasSuffix(token, "7") {
			refuse(404, "NOT_FOUND", "UNREGISTERED")(w, token)
			return
		}
		taken(w, token)
	}}
	messages := make([]push.Message, 100)
	for i := range messages {
		messages[i] = push.Message{Token: fmt.Sprintf("t%d", i), Handle: "psh_x"}
	}
	for i, r := range client(t, f, 0).Send(t.Context(), messages) {
		want := push.Taken
		if i%10 == 7 {
			want = push.Dead
		}
		if r != want {
			t.Errorf("message %d: %v", i, r)
		}
	}
	if got := client(t, f, 0).Send(t.Context(), nil); len(got) != 0 {
		t.Errorf("results of nothing: %v", got)
	}
}

func TestLimits(t *testing.T) {
	f := &fake{answer: taken}
	c := client(t, f, 0)
	if got := c.Send(t.Context(), []push.Message{{Token: "t", Handle: strings.Repeat("x", fcm.MaxPayload)}, {Handle: "psh_x"}}); got[0] != push.Rejected || got[1] != push.Rejected {
		t.Errorf("too large, and without a token: %v", got)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if got := c.Send(stopped, []push.Message{{Token: "t", Handle: "h"}}); got[0] != push.Later {
		t.Errorf("after the stop: %v", got)
	}
	if len(f.bodies) != 0 {
		t.Errorf("%d requests were made", len(f.bodies))
	}
}

func TestConfig(t *testing.T) {
	if _, err := fcm.New(t.Context(), fcm.Config{}); err == nil {
		t.Error("no project was taken")
	}
	if _, err := fcm.New(t.Context(), fcm.Config{Project: "p", CredentialsFile: filepath.Join(t.TempDir(), "none.json")}); err == nil {
		t.Error("credentials that are not there were taken")
	}
}
