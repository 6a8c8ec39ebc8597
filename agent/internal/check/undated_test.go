package check_test

import (
	"testing"
	"time"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/oqs"
)

// Empty tags may be missing, the day's too: the record id alone says whose answer it is.
func TestAnAnswerThatNamesNoDay(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	b.chase(t)
	b.tell(t, told(c, func(r *oqs.Result) { r.ForDay, r.Segment, r.ErrorCode, r.Items = civil.Date{}, oqs.Abnormal, "E9", nil }))
	if v := b.shown(t, c.RecordID); v.Cause != eligibility.CauseTheirsAfter {
		t.Errorf("an abnormal end: %s", v.Cause)
	}
	b.tell(t, told(c, func(r *oqs.Result) { r.ForDay = civil.Date{} }))
	if v := b.shown(t, c.RecordID); v.Display != "valid" || v.Answer.VisitDay != c.VisitDay {
		t.Errorf("%s", v.Display)
	}
}

// A face result without its day is for the day on which the card was read, and is not lost.
func TestAFaceResultThatNamesNoDay(t *testing.T) {
	b := newClinic(t)
	c := b.record(t)
	undated := func(at time.Time) oqs.Result {
		return told(c, func(r *oqs.Result) { r.Identifier, r.ForDay, r.ExecutedAt = "face1", civil.Date{}, at })
	}
	if err := b.TakeFace(t.Context(), "yesterday.xml", undated(b.now.AddDate(0, 0, -1))); err != nil || b.shown(t, c.RecordID).State == eligibility.Answered {
		t.Errorf("yesterday's is taken: %v", err)
	}
	if err := b.TakeFace(t.Context(), "today.xml", undated(b.now)); err != nil {
		t.Fatal(err)
	}
	if v := b.shown(t, c.RecordID); v.Display != "valid" {
		t.Errorf("%s", v.Display)
	}
}
