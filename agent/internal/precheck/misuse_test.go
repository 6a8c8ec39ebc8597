package precheck_test

import (
	"context"
	"testing"

	"madoguchi.example/agent/internal/check"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/oqs"
)

// Twins have the birth date, the insurer and the number in common: what is known of one is
// never shown for the other, nor for somebody of the same name with other numbers.
func TestWhatIsKnownOfATwinIsNotKnownOfTheOther(t *testing.T) {
	b := newBench(t)
	b.load(t, header+
		"09:00,P-1,ヤマダ ハナ,2020-04-01,06139997,12,3456,03,2026-11-23\n"+
		"09:05,P-3,サトウ メイ,2020-04-01,33120015,,7654321,,2026-11-23\n", 2)
	b.run(t, plain)
	born := civil.Date{Year: 2020, Month: 4, Day: 1}
	yamada := check.Booked{VisitDay: monday, BirthDate: born, Insurer: "06139997", Number: "3456"}
	sato := check.Booked{VisitDay: monday, BirthDate: born, Insurer: "33120015", Number: "7654321"}
	for name, c := range map[string]struct {
		who          check.Booked
		kana, branch string
		known        bool
	}{
		"herself":                     {yamada, "ヤマダ ハナ", "03", true},
		"herself, no branch":          {yamada, "ヤマダ ハナ", "", true},
		"herself, no name":            {yamada, "", "03", true},
		"herself, family name alone":  {yamada, "ヤマダ", "03", true},
		"herself, in kanji":           {yamada, "山田　花", "03", true},
		"the twin":                    {yamada, "ヤマダ ハル", "04", false},
		"the twin, no branch":         {yamada, "ヤマダ ハル", "", false},
		"the twin, no name":           {yamada, "", "04", false},
		"no branch at all":            {sato, "サトウ メイ", "", true},
		"the twin, no branch at all":  {sato, "サトウ ユイ", "", false},
		"the same name, another card": {sato, "ヤマダ ハナ", "", false},
	} {
		who := c.who
		who.Kana, who.Branch = c.kana, c.branch
		if got := b.known(t, who); (got != nil) != c.known {
			t.Errorf("%s: known %v", name, got != nil)
		}
	}
	other := check.Booked{VisitDay: monday, BirthDate: born, Kana: "ヤマダ ハナ", Insurer: "39131156", Number: "12345678"}
	if b.known(t, other) != nil {
		t.Error("numbers that nobody asked about have a last known word")
	}
}

// slow is a folder that takes its time: meanwhile something else happens.
type slow struct {
	*folder
	meanwhile func()
}

func (s slow) AskMany(ctx context.Context, batch string, qs []eligibility.Inquiry) error {
	s.meanwhile()
	return s.folder.AskMany(ctx, batch, qs)
}

func (s slow) Collect(ctx context.Context, batch, reception string) error {
	s.meanwhile()
	return s.folder.Collect(ctx, batch, reception)
}

// A batch whose time ended while its file was written stays gone, and harms no later one.
func TestABatchThatEndsWhileItIsAsked(t *testing.T) {
	b := newBench(t)
	b.load(t, list, 3)
	b.Online = slow{b.folder, func() {
		b.now = b.now.AddDate(0, 0, 10)
		if _, err := b.Trim(t.Context()); err != nil {
			t.Error(err)
		}
	}}
	if err := b.Run(t.Context()); err != nil {
		t.Errorf("asked: %v", err)
	}
	left := 0
	err := b.vault.Shelf("booking_batch").Each(t.Context(), func(string, []byte) error { left++; return nil })
	if err != nil || left != 0 {
		t.Errorf("%d batches left: %v", left, err)
	}
	b.now = evening
	b.Online = b.folder
	b.load(t, list, 3)
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	batch := b.folder.batches[len(b.folder.batches)-1]
	if err := b.TakeReception(t.Context(), oqs.Reception{Identifier: batch, Segment: oqs.Done, ReceptionNumber: "R1"}); err != nil {
		t.Fatal(err)
	}
	b.Online = slow{b.folder, func() {
		b.now = b.now.AddDate(0, 0, 10)
		_, _ = b.Trim(t.Context())
	}}
	if err := b.Chase(t.Context()); err != nil {
		t.Errorf("collected: %v", err)
	}
}

// Loading the list again while its answers are on their way loses none of them, and gives
// none to somebody who is no longer in it.
func TestAListLoadedWhileItIsAsked(t *testing.T) {
	b := newBench(t)
	b.load(t, list, 3)
	b.Online = slow{b.folder, func() {
		b.load(t, header+"11:00,P-9,ヤマダ ハナ,1980-04-01,06139997,１２,34-56,1,2026-11-23\n"+
			"09:30,P-2,サトウ イチロウ,H2.2.2,33120015,,7654322,,2026-11-23\n", 2)
	}}
	b.run(t, plain)
	if b.known(t, hana) == nil {
		t.Error("who is still booked lost the word")
	}
	if b.known(t, ichiro) != nil {
		t.Error("the word on other numbers was kept")
	}
}
