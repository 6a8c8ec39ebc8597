package check_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/jptext"
	"madoguchi.example/shared/oqs"
	"madoguchi.example/shared/wire"
)

// paper is a queue and a shelf that keep nothing.
type paper struct{ rows int }

const paperID = "019a0000-0000-7000-8000-000000000001"

func (p *paper) NewID() (string, error) { return paperID, nil }

func (p *paper) Fates(context.Context, []string) (map[string]queue.Fate, error) { return nil, nil }

func (p *paper) AppendWith(_ context.Context, d queue.Draft, b build) (wire.Record, error) {
	r := wire.Record{ID: d.ID, Epoch: "epo_1", Sequence: 1, Kind: d.Kind, At: d.At}
	body, puts, err := b(r)
	if err != nil {
		return r, err
	}
	p.rows += len(puts)
	r.Body = body
	return r, r.Validate()
}

func (p *paper) SaveAnswers(context.Context, uint64, []vault.Put) error { return nil }

func (p *paper) MarkAnswered(context.Context, ...string) error { return nil }

func (p *paper) Stats() queue.Stats { return queue.Stats{} }

func (p *paper) Each(context.Context, func(string, []byte) error) error { return nil }

func (p *paper) Get(context.Context, string) ([]byte, bool, error) { return nil, false, nil }

func (p *paper) PutAll(context.Context, map[string][]byte) error { return nil }

func (p *paper) Delete(context.Context, string) error { return nil }

// FuzzRecord types anything into the form: either it is refused, by place and without its
// value, or one record that can be sent is stored, which holds no My Number.
func FuzzRecord(f *testing.F) {
	e := entry()
	f.Add(e.Insurer, e.Symbol, e.Number, e.Branch, e.BirthDate, "2026-11-20", e.Label, string(e.Evidence), e.Copayment, true)
	f.Add("０６１３９９９７", "", "１２ ３４ー５", "", "昭和55年4月1日", "", "ハナ 1234", "notice", 10, false)
	f.Add("", "", "", "", e.BirthDate, "", e.Label, "visual_check", 0, false)
	f.Add("123456789018", "123456789018", "123456789018", "1", "123456789018", "123456789018", "123456789018", "x", 25, true)
	at := time.Date(2026, 11, 21, 1, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, insurer, symbol, number, branch, birth, visit, label, evidence string, share int, override bool) {
		p := &paper{}
		var sealed []byte
		d := check.New(check.Config{
			Queue: p, Book: casebook.New(p), Now: func() time.Time { return at }, Kick: func() {},
			Profile: func() profile.Profile {
				return profile.Profile{Class: profile.Clinic, Payers: []profile.Payer{{ID: "registry"}}}
			},
			Line: func() uplink.Line { return uplink.Line{} },
			Seal: func(_ string, plain []byte) ([]byte, error) { sealed = plain; return []byte("sealed"), nil },
		})
		c, doubts, err := d.Record(t.Context(), check.Entry{
			Insurer: insurer, Symbol: symbol, Number: number, Branch: branch, BirthDate: birth, VisitDay: visit, Label: label,
			Evidence: eligibility.Evidence(evidence), Copayment: share, Override: override, OperatorID: "op_1",
		})
		stored := err == nil && (override || len(doubts) == 0)
		if stored != (p.rows == 1) {
			t.Fatalf("stored %v with %d rows: %v", stored, p.rows, err)
		}
		if err != nil {
			if code := fault.CodeOf(err); code != fault.InvalidArgument && code != fault.MyNumberRefused {
				t.Fatalf("%v", err)
			}
			for _, typed := range []string{insurer, symbol, number, branch, birth, visit, label} {
				if len(typed) > 12 && strings.Contains(fmt.Sprint(err), typed) {
					t.Fatal("the fault repeats what was typed")
				}
			}
			return
		}
		if !stored {
			return
		}
		if !c.HasNumbers() {
			if sealed != nil || c.State != eligibility.Recorded {
				t.Fatalf("%s without numbers", c.State)
			}
			return
		}
		if _, err := eligibility.ParseInquiry(sealed); err != nil {
			t.Fatalf("the payer cannot read what was sealed: %v", err)
		}
		for _, kept := range []string{c.Label, c.Inquiry.InsurerNumber, c.Inquiry.Symbol, c.Inquiry.Number, c.Inquiry.Branch} {
			if jptext.HoldsMyNumber(kept) {
				t.Fatal("a My Number was kept")
			}
		}
	})
}

// FuzzTake hands anything in as an answer's plain text: the row has the payer's word or
// stays as it was.
func FuzzTake(f *testing.F) {
	a := eligibility.Answer{RecordID: paperID, Validity: eligibility.Valid}
	plain, err := json.Marshal(a)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain, "")
	f.Add([]byte("{"), "invalid_argument")
	f.Fuzz(func(t *testing.T, plain []byte, code string) {
		p := &paper{}
		book := casebook.New(p)
		if _, _, err := book.Get(t.Context(), paperID); err != nil { // read once, so that Written is kept
			t.Fatal(err)
		}
		book.Written(casebook.Case{RecordID: paperID, State: eligibility.Sent})
		d := check.New(check.Config{
			Queue: p, Book: book, Now: time.Now, Kick: func() {}, Profile: func() profile.Profile { return profile.Profile{} },
			Line: func() uplink.Line { return uplink.Line{} }, Open: func(b []byte) ([]byte, error) { return b, nil }, Rejected: func(string, error) {},
		})
		if err := d.Take(t.Context(), []wire.Answer{{Cursor: 1, RecordID: paperID, Sealed: plain, Code: code}}, 1); err != nil {
			t.Fatal(err)
		}
		v, err := d.Case(t.Context(), paperID)
		if err != nil || (v.State == eligibility.Answered) != (v.Answer != nil) || (code != "" && v.State != eligibility.Refused) {
			t.Fatalf("state %q, answer %v: %v", v.State, v.Answer, err)
		}
	})
}

// FuzzTakeOnline hands anything in as a file of the clinic's own terminal: the row has the
// terminal's word or waits on, and only a word that was told is shown.
func FuzzTakeOnline(f *testing.F) {
	day := civil.Date{Year: 2026, Month: 11, Day: 21}
	f.Add([]byte(`<XmlMsg><MessageHeader><QualificationConfirmationDate>20261121</QualificationConfirmationDate><ArbitraryFileIdentifier>` + paperID +
		`</ArbitraryFileIdentifier><SegmentOfResult>1</SegmentOfResult></MessageHeader><MessageBody><ProcessingResultStatus>1</ProcessingResultStatus>` +
		`<QualificationValidity>2</QualificationValidity><ResultList><ResultOfQualificationConfirmation><NameKana>ｱ</NameKana><Birthdate>19800401</Birthdate>` +
		`</ResultOfQualificationConfirmation></ResultList></MessageBody></XmlMsg>`))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := oqs.ParseResult(file)
		if err != nil {
			return
		}
		r.Identifier, r.ForDay = paperID, day
		p := &paper{}
		book := casebook.New(p)
		if _, _, err := book.Get(t.Context(), paperID); err != nil {
			t.Fatal(err)
		}
		book.Written(casebook.Case{RecordID: paperID, VisitDay: day, State: eligibility.Sent, Route: eligibility.RouteTerminal, Label: "ヤマダ ハナ"})
		d := check.New(check.Config{
			Queue: p, Book: book, Now: time.Now, Kick: func() {}, Profile: func() profile.Profile { return profile.Profile{} },
			Line: func() uplink.Line { return uplink.Line{} },
		})
		if err := d.TakeOnline(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		v, err := d.Case(t.Context(), paperID)
		if err != nil || (v.State == eligibility.Answered) != (v.Answer != nil) {
			t.Fatalf("%s: %v", v.State, err)
		}
		if v.Display == check.Display(eligibility.Invalid) && (r.Segment != oqs.Done || !slices.ContainsFunc(r.Items, func(i oqs.Item) bool { return i.Validity == eligibility.Invalid })) {
			t.Fatal("invalid, and nobody said so")
		}
	})
}
