package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/intake"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/wire"
)

// oldReceipt and oldAnswers are what an agent of version 0 knows of the backend's words.
type (
	oldReceipt struct {
		Version     *int   `json:"version"`
		ServerEpoch string `json:"server_epoch"`
		Results     []struct {
			ID, Status, Code string
		} `json:"results"`
	}
	oldAnswers struct {
		Cursor  uint64 `json:"cursor"`
		Answers []struct {
			Cursor   uint64 `json:"cursor"`
			RecordID string `json:"record_id"`
			Sealed   []byte `json:"sealed"`
			Code     string `json:"code"`
		} `json:"answers"`
	}
)

// oldBatch is written by hand, as an agent of version 0 did; causes have their old words.
func (s *station) oldBatch(t *testing.T, bodies map[int]string) []byte {
	t.Helper()
	var records []string
	for seq := range 1000 {
		if body, ok := bodies[seq]; ok {
			records = append(records, fmt.Sprintf(
				`{"id":"0190a000-0000-7000-8000-%012d","epoch":"epo_1","seq":%d,"kind":"eligibility.check","at":"2026-11-20T01:02:03.456789Z","body":%s}`,
				seq, seq, body))
		}
	}
	plain := fmt.Sprintf(`{"version":0,"terminal":%q,"sent_at":"2026-11-21T01:02:03.456789Z","records":[%s]}`, s.id, strings.Join(records, ","))
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll([]byte(plain), nil)
}

// A terminal that nobody brought up to date lives on: it gets its token, sends, hears that it
// sent twice and gets its answers, without a word of what came later.
func TestAnAgentOfVersion0LivesOn(t *testing.T) {
	f := newFace(t)
	s := f.enrol(t, "clinic-1")
	sealed, err := json.Marshal(s.check(t).Sealed)
	if err != nil {
		t.Fatal(err)
	}
	body := func(cause string) string {
		return fmt.Sprintf(`{"payer":"registry","visit_day":"2026-11-20","cause":%q,"evidence":"certificate","operator":"op_1","elapsed_ms":12,"sealed":%s}`, cause, sealed)
	}
	send := func(want string, bodies map[int]string) oldReceipt {
		t.Helper()
		var receipt oldReceipt
		got := s.call(t, http.MethodPost, "/terminal/v1/batches", wire.BatchContentType, s.oldBatch(t, bodies))
		f.wantJSON(t, got, &receipt)
		var said []string
		for _, r := range receipt.Results {
			said = append(said, r.Status)
		}
		if strings.Join(said, " ") != want || receipt.Version == nil || *receipt.Version != 0 || receipt.ServerEpoch != f.db.ServerEpoch() {
			t.Errorf("%s; want %s", got.body, want)
		}
		for _, later := range []string{"marks", "forked", "retry_after_ms"} {
			if strings.Contains(string(got.body), later) {
				t.Errorf("an answer to version 0 speaks of %s: %s", later, got.body)
			}
		}
		return receipt
	}
	first := map[int]string{1: body("line_down"), 2: body("no_answer"), 3: body("unavailable"), 4: body("terminal_started"), 5: body("none")}
	sent := send("accepted accepted accepted accepted accepted", first)
	send("duplicate duplicate duplicate duplicate duplicate", first)
	send("conflict accepted", map[int]string{2: body("none"), 6: body("line_down")})
	send("rejected accepted", map[int]string{7: `{"payer":"registry"}`, 9: body("line_down")}) // 8 was lost on its way to the file

	if err := f.intake.Settle(t.Context(), actor.System{}, audit.EligibilityAnswer, s.id, []intake.Settlement{
		{RecordID: sent.Results[0].ID, Sealed: []byte("sealed")}, {RecordID: sent.Results[2].ID, Code: "invalid_argument"},
	}, func(context.Context, tx.Tx, map[string]bool) error { return nil }); err != nil {
		t.Fatal(err)
	}
	var page oldAnswers
	f.wantJSON(t, s.call(t, http.MethodGet, "/terminal/v1/answers?after=0&wait=20", "", nil), &page)
	if len(page.Answers) != 2 || page.Cursor != page.Answers[1].Cursor || string(page.Answers[0].Sealed) != "sealed" || page.Answers[1].Code != "invalid_argument" {
		t.Errorf("answers %+v", page)
	}
	last := page.Cursor
	page = oldAnswers{}
	f.wantJSON(t, s.call(t, http.MethodGet, fmt.Sprintf("/terminal/v1/answers?after=%d&wait=0", last), "", nil), &page)
	if len(page.Answers) != 0 || page.Cursor != last {
		t.Errorf("then %+v", page)
	}
}
