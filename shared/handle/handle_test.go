package handle_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"madoguchi.example/shared/handle"
)

func TestHandlesSortByTimeAndAreValid(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	s := handle.Source{Now: func() time.Time { now = now.Add(time.Millisecond); return now }, Rand: rand.Reader}
	last := ""
	for range 1000 {
		h, err := s.New("ntc")
		if err != nil {
			t.Fatal(err)
		}
		if !handle.Valid("ntc", h) || handle.Valid("ctz", h) || len(h) != 30 {
			t.Fatalf("%q is not a handle", h)
		}
		if strings.Compare(last, h) >= 0 {
			t.Fatalf("%q does not sort after %q", h, last)
		}
		last = h
	}
}

func TestUUIDIsVersion7(t *testing.T) {
	s := handle.Source{Now: time.Now, Rand: rand.Reader}
	u, err := s.UUID()
	if err != nil || u.Version() != 7 || u.Variant().String() != "RFC4122" {
		t.Fatalf("%v %v %v", u.Version(), u.Variant(), err)
	}
}

func TestNoRandomnessNoHandle(t *testing.T) {
	s := handle.Source{Now: time.Now, Rand: iotest.ErrReader(iotest.ErrTimeout)}
	if _, err := s.New("ntc"); err == nil {
		t.Fatal("a handle was made without randomness")
	}
}
