package worker_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/push/fcm"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/folk"
	mailboxrows "madoguchi.example/backend/internal/store/mailbox"
	pushrows "madoguchi.example/backend/internal/store/push"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/worker"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/notice"
)

// waits is how long a test waits for what must happen within moments.
const waits = 20 * time.Second

// TestNoticeToPhone: an officer sends, the job runs, the push service gets a handle and
// nothing else, and the handle gives its owner the notice. The first answer of the
// service is "try later".
func TestNoticeToPhone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		town := folk.Settle(t, db)
		bodies := make(chan map[string]any, 10)
		first := true
		service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
			var body map[string]any
			_ = json.Unmarshal(raw, &body)
			w.Header().Set("Content-Type", "application/json")
			if first {
				first = false
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = io.WriteString(w, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"m"}}`)
				return
			}
			bodies <- body
			_, _ = io.WriteString(w, `{"name":"projects/p/messages/1"}`)
		}))
		t.Cleanup(service.Close)
		sender, err := fcm.New(t.Context(), fcm.Config{Project: "p", Endpoint: service.URL + "/v1"})
		if err != nil {
			t.Fatal(err)
		}
		jobs, err := job.Open(db, job.Config{Now: time.Now, Retry: func(int) time.Duration { return 10 * time.Millisecond }})
		if err != nil {
			t.Fatal(err)
		}
		rows := pushrows.New(db.Reads())
		pushes := push.New(push.Deps{Runner: db.Runner(), Rows: rows, Record: town.Log, Protection: town.Protection, Sender: sender, IDs: town.IDs,
			Now: town.Now, Log: slog.New(slog.DiscardHandler)})
		notices := mailbox.New(mailbox.Deps{Runner: db.Runner(), Rows: mailboxrows.New(db.Reads()), People: town.Registry,
			Pushes: rows, Protection: town.Protection, Queue: jobs, Record: town.Log, IDs: town.IDs, Now: town.Now})
		if err := worker.Citizens(jobs, pushes, notices); err != nil {
			t.Fatal(err)
		}
		if err := jobs.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = jobs.Stop(t.Context()) })

		who := town.Citizen(t, "990019", "R1")
		if err := pushes.Register(t.Context(), who, audit.Account, push.Device{Device: "phone", Transport: push.FCM, Token: "token-a", Language: "ja"}); err != nil {
			t.Fatal(err)
		}
		clerk := actor.Staff{ID: "stf_1", Municipality: "990019", Roles: []actor.Role{actor.Clerk}}
		n, err := notices.Send(t.Context(), clerk, audit.NoticeWriting, mailbox.Draft{
			ClientID: "client-id-0000000000", Kind: notice.Information, Recipients: []string{"R1", "R4"},
			Texts: map[notice.Language]notice.Text{notice.Japanese: {Title: "題", Body: "文"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case body := <-bodies:
			message := body["message"].(map[string]any)
			data := message["data"].(map[string]any)
			h, _ := data["h"].(string)
			if !maps.Equal(data, map[string]any{"v": "1", "h": h}) || !handle.Valid("psh", h) || len(message) != 2 || len(body) != 1 {
				t.Errorf("more than a handle left the house: %v", body)
			}
			if got, err := notices.ByPush(t.Context(), who, audit.Self, h); err != nil || got.ID != n.ID {
				t.Errorf("the handle gives %s, %v", got.ID, err)
			}
		case <-time.After(waits):
			t.Fatal("no push came")
		}
	})
}
