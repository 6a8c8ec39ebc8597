package rehearsal_test

import (
	"testing"
	"testing/synctest"
	"time"

	"madoguchi.example/agent/internal/rehearsal"
	"madoguchi.example/firmware-config/profile"
)

// Whoever floods the desk for practising, to which nobody signs in, fills no memory.
func TestARoomForgetsTheEldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, profile.Clinic)
		newest := ""
		for range rehearsal.MaxRows + 50 {
			time.Sleep(time.Second) // the bubble's clock
			c, _, err := r.Desk().Record(t.Context(), entry(rehearsal.Sheets()[0]))
			if err != nil {
				t.Fatal(err)
			}
			newest = c.RecordID
			synctest.Wait()
		}
		rows, more, err := r.Desk().Today(t.Context())
		if err != nil || len(rows)+more > rehearsal.MaxRows {
			t.Errorf("%d rows: %v", len(rows)+more, err)
		}
		if _, err := r.Desk().Case(t.Context(), newest); err != nil {
			t.Errorf("the newest row: %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}
