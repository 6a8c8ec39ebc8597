package push_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/push"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/folk"
	pushrows "madoguchi.example/backend/internal/store/push"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
)

const noticeID = "ntc_00000000000000000000000000"

// service is a push service that answers as told, per token.
type service struct {
	mu      sync.Mutex
	answers map[string]push.Result
	got     map[string][]string // token → handles
}

func (s *service) Send(_ context.Context, messages []push.Message) []push.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]push.Result, len(messages))
	for i, m := range messages {
		s.got[m.Token] = append(s.got[m.Token], m.Handle)
		out[i] = s.answers[m.Token]
	}
	return out
}

type bench struct {
	*folk.Town
	*push.Desk
	service *service
}

func open(t *testing.T, db *store.DB) *bench {
	t.Helper()
	w := folk.Settle(t, db)
	s := &service{answers: map[string]push.Result{}, got: map[string][]string{}}
	return &bench{w, push.New(push.Deps{Runner: db.Runner(), Rows: pushrows.New(db.Reads()), Record: w.Log, Protection: w.Protection, Sender: s,
		IDs: w.IDs, Now: w.Now, Log: slog.New(slog.DiscardHandler)}), s}
}

func (b *bench) register(t *testing.T, who actor.Citizen, device, token string) {
	t.Helper()
	err := b.Register(t.Context(), who, audit.Account, push.Device{Device: device, Transport: push.FCM, Token: token, Language: "ja"})
	if err != nil {
		t.Fatal(err)
	}
	b.Advance(1e9)
}

func (b *bench) deliver(t *testing.T, to ...actor.Citizen) error {
	t.Helper()
	ids := make([]identity.CitizenID, len(to))
	for i, c := range to {
		ids[i] = c.ID
	}
	return b.run(t, push.Batch{Notice: noticeID, Recipients: ids})
}

func (b *bench) run(t *testing.T, batch push.Batch) error {
	t.Helper()
	return b.Deliver(t.Context(), actor.System{Name: "worker.push"}, audit.NoticeDelivery, batch)
}

func (b *bench) sent(token string) int { return len(b.service.got[token]) }

func TestEachDeviceIsWokenOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		one, two := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R4")
		b.register(t, one, "phone", "token-a")
		b.register(t, one, "tablet", "token-b")
		b.register(t, two, "phone", "token-c")
		for range 3 {
			if err := b.deliver(t, one, two); err != nil {
				t.Fatal(err)
			}
		}
		handles := map[string]bool{}
		for _, token := range []string{"token-a", "token-b", "token-c"} {
			if b.sent(token) != 1 {
				t.Errorf("%s got %d pushes", token, b.sent(token))
				continue
			}
			h := b.service.got[token][0]
			if !handle.Valid(push.HandlePrefix, h) || handles[h] {
				t.Errorf("%s got a handle that is not its own", token)
			}
			handles[h] = true
		}
		if n := b.Count(t, `SELECT count(*) FROM push_done`); n != 1 {
			t.Errorf("done %d times", n)
		}
	})
}

// Each citizen whose devices were looked up sees it once, however often the job runs.
func TestTheLookAtDevicesIsRecorded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		with, without := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R4")
		b.register(t, with, "device-1", "token-1")
		b.register(t, with, "device-2", "token-2")
		for range 2 {
			if err := b.deliver(t, with, without); err != nil {
				t.Fatal(err)
			}
		}
		const query = `SELECT count(*) FROM audit_entry WHERE action = $1 AND citizen_id = $2`
		if n := b.Count(t, query, "push.send", with.ID); n != 1 {
			t.Errorf("recorded %d times", n)
		}
		if n := b.Count(t, query, "push.send", without.ID); n != 0 {
			t.Errorf("recorded %d times for somebody without a device", n)
		}
	})
}

func TestAnswersDecideWhatHappensNext(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		refs := []string{"R1", "R2", "R3", "R4"}
		people := make([]actor.Citizen, len(refs))
		for i, ref := range refs {
			people[i] = b.Citizen(t, "990019", ref)
			b.register(t, people[i], "phone", "token-"+ref)
		}
		b.service.answers = map[string]push.Result{"token-R2": push.Dead, "token-R3": push.Later, "token-R4": push.Rejected}
		if err := b.deliver(t, people...); fault.CodeOf(err) != fault.Unavailable {
			t.Fatalf("a push is open, but the job says %v", err)
		}
		if n := b.Count(t, `SELECT count(*) FROM push_done`); n != 0 {
			t.Error("done while a push is open")
		}
		if n := b.Count(t, `SELECT count(*) FROM device WHERE citizen_id = $1`, people[1].ID); n != 0 {
			t.Error("a dead token was kept")
		}
		b.service.answers = nil
		if err := b.deliver(t, people...); err != nil {
			t.Fatal(err)
		}
		for ref, want := range map[string]int{"R1": 1, "R2": 1, "R3": 2, "R4": 1} {
			if b.sent("token-"+ref) != want {
				t.Errorf("%s was sent %d times, want %d", ref, b.sent("token-"+ref), want)
			}
		}
		if b.service.got["token-R3"][0] != b.service.got["token-R3"][1] {
			t.Error("the second try has another handle")
		}
		for outcome, want := range map[push.Outcome]int{push.Accepted: 2, push.Gone: 1, push.Refused: 1} {
			if n := b.Count(t, `SELECT count(*) FROM push_outcome WHERE outcome = $1`, outcome); n != want {
				t.Errorf("%s: %d, want %d", outcome, n, want)
			}
		}
	})
}

func TestLockedOutIsAnAlarmAndStaysOpen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		who := b.Citizen(t, "990019", "R1")
		b.register(t, who, "phone", "token-a")
		b.service.answers["token-a"] = push.Locked
		if err := b.deliver(t, who); !errors.Is(err, push.ErrLocked) {
			t.Fatalf("%v", err)
		}
		b.service.answers = nil
		if err := b.deliver(t, who); err != nil || b.sent("token-a") != 2 {
			t.Errorf("%d pushes, %v", b.sent("token-a"), err)
		}
	})
}

func TestTokensMove(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		one, two := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R4")
		b.register(t, one, "phone", "old")
		b.register(t, one, "phone", "new") // Firebase gave the app another token
		b.register(t, one, "tablet", "shared")
		b.register(t, two, "tablet", "shared") // somebody else signed in on the tablet
		if err := b.deliver(t, one); err != nil {
			t.Fatal(err)
		}
		if b.sent("old") != 0 || b.sent("new") != 1 || b.sent("shared") != 0 {
			t.Errorf("old %d, new %d, shared %d", b.sent("old"), b.sent("new"), b.sent("shared"))
		}
		if err := b.deliver(t, two); err != nil || b.sent("shared") != 1 {
			t.Errorf("the new owner got %d, %v", b.sent("shared"), err)
		}
		for range 2 {
			if err := b.Unregister(t.Context(), two, audit.Account, "tablet"); err != nil {
				t.Fatal(err)
			}
		}
		if n := b.Count(t, `SELECT count(*) FROM push_token WHERE citizen_id = $1`, two.ID); n != 0 {
			t.Error("a token of a device that is gone was kept")
		}
	})
}

func TestTooManyDevices(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db)
		who := b.Citizen(t, "990019", "R1")
		for i := range push.MaxDevices + 2 {
			b.register(t, who, fmt.Sprintf("d%d", i), fmt.Sprintf("t%d", i))
		}
		if err := b.deliver(t, who); err != nil {
			t.Fatal(err)
		}
		if len(b.service.got) != push.MaxDevices || b.sent("t0") != 0 || b.sent("t1") != 0 {
			t.Errorf("%d devices, oldest %d", len(b.service.got), b.sent("t0"))
		}
	})
}

func TestRegisterRefuses(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite))
	who := b.Citizen(t, "990019", "R1")
	for name, d := range map[string]push.Device{
		"transport": {Device: "d", Token: "t", Transport: "pigeon"},
		"token":     {Device: "d", Transport: push.FCM},
		"device":    {Token: "t", Transport: push.FCM},
	} {
		if err := b.Register(t.Context(), who, audit.Account, d); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWithoutAService(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite))
	b.Sender = nil
	who := b.Citizen(t, "990019", "R1")
	b.register(t, who, "phone", "token-a")
	if err := b.deliver(t, who); err != nil || b.Count(t, `SELECT count(*) FROM push_send`) != 0 {
		t.Errorf("%v", err)
	}
}
