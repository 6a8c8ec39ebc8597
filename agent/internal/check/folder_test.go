package check_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/oqsfolder"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/oqs"
)

// shared is a desk with real folders of a 資格確認端末 between it and the test.
type shared struct {
	*bench
	exchange *oqsfolder.Exchange
	req, res string
}

type asker struct{ *oqsfolder.Exchange }

func (a asker) Health() check.Health {
	h := a.Exchange.Health()
	return check.Health{Ready: h.Ready, Fault: h.Fault, LastAnswer: h.LastAnswer}
}

type taker struct{ *check.Desk }

func (taker) TakeReception(context.Context, oqs.Reception) error { return nil }

func (taker) TakeBulk(context.Context, oqs.Result) error { return nil }

func newShared(t *testing.T, encoding oqs.Encoding) *shared {
	s := &shared{bench: newClinic(t), req: t.TempDir(), res: t.TempDir()}
	s.exchange = oqsfolder.New(oqsfolder.Config{
		ReqDir: s.req, ResDir: s.res, Institution: "1312345678", Encoding: encoding,
		Now: func() time.Time { return s.now }, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler),
	})
	s.Desk.Online = asker{s.exchange}
	return s
}

// requests gives the files that lie in the request folder.
func (s *shared) requests(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.req, "OQSsiquc01req_*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// reply writes what the terminal would to a request: its identifier and day, and a word.
func (s *shared) reply(t *testing.T, request, validity string) {
	t.Helper()
	asked, err := os.ReadFile(request)
	if err != nil {
		t.Fatal(err)
	}
	inner := func(tag string) string {
		_, after, _ := strings.Cut(string(asked), "<"+tag+">")
		value, _, _ := strings.Cut(after, "</"+tag+">")
		return value
	}
	answer := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><XmlMsg><MessageHeader>`+
		`<QualificationConfirmationDate>%s</QualificationConfirmationDate><MedicalInstitutionCode>1312345678</MedicalInstitutionCode>`+
		`<ArbitraryFileIdentifier>%s</ArbitraryFileIdentifier><SegmentOfResult>1</SegmentOfResult><CharacterCodeIdentifier>0</CharacterCodeIdentifier>`+
		`</MessageHeader><MessageBody><ProcessingResultStatus>1</ProcessingResultStatus><QualificationValidity>%s</QualificationValidity>`+
		`<ResultList><ResultOfQualificationConfirmation><InsurerNumber>%s</InsurerNumber><InsuredIdentificationNumber>%s</InsuredIdentificationNumber>`+
		`<Name>山田　花</Name><NameKana>ﾔﾏﾀﾞ ﾊﾅ</NameKana><Birthdate>19800401</Birthdate></ResultOfQualificationConfirmation></ResultList>`+
		`</MessageBody></XmlMsg>`,
		inner("QualificationConfirmationDate"), inner("ArbitraryFileIdentifier"), validity, inner("InsurerNumber"), inner("InsuredIdentificationNumber"))
	name := strings.Replace(filepath.Base(request), "01req_", "01res_", 1)
	if err := os.WriteFile(filepath.Join(s.res, name), []byte(answer), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestThroughTheFoldersOfTheTerminal(t *testing.T) {
	s := newShared(t, oqs.UTF8)
	good, bad := s.record(t), s.record(t)
	s.now = s.now.Add(3 * time.Second)
	s.chase(t)
	files := s.requests(t)
	if len(files) != 2 {
		t.Fatalf("%d requests", len(files))
	}
	s.now = s.now.Add(30 * time.Second)
	if v := s.shown(t, good.RecordID); v.Display != check.DisplayLate {
		t.Errorf("without an answer: %s", v.Display)
	}
	for _, f := range files {
		asked, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		word := "1"
		if strings.Contains(string(asked), bad.RecordID) {
			word = "2"
		}
		s.reply(t, f, word)
	}
	for range 2 {
		s.exchange.Scan(t.Context(), taker{s.Desk})
	}
	if v := s.shown(t, good.RecordID); v.State != eligibility.Answered || v.Display != "valid" || v.Task.Open() || v.Names != "same" {
		t.Errorf("%s %s, task %+v", v.State, v.Display, v.Task)
	}
	if v := s.shown(t, bad.RecordID); v.Display != "invalid" || !v.Task.Open() {
		t.Errorf("%s, task %+v", v.Display, v.Task)
	}
	if got := kinds(s.records(t)); got != "check check outcome outcome" {
		t.Errorf("%s", got)
	}
}

// A character that the terminal's character set lacks is named to the receptionist.
func TestCharactersThatCannotBeSentAreNamed(t *testing.T) {
	s := newShared(t, oqs.ShiftJIS)
	e := entry()
	e.Symbol = "𠮷田・12"
	c, _, err := s.Record(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	s.chase(t)
	v := s.shown(t, c.RecordID)
	if v.State != eligibility.Refused || v.Refusal != oqs.RefusedCharacter || v.RefusedField != check.FieldSymbol || v.Unsendable != "𠮷" || !v.Task.Open() {
		t.Errorf("%s %q at %q: %q", v.State, v.Refusal, v.RefusedField, v.Unsendable)
	}
	if len(s.requests(t)) != 0 {
		t.Error("something was sent")
	}
}
