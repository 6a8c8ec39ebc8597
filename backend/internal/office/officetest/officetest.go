// Package officetest gives the office console parts with a canned municipality, for tests
// of its pages: long names, every state, as many rows as asked for, and a note of every
// act that a page passed on. It holds synthetic people only.
package officetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// Now is the canned municipality's time: 21 November 2026, 14:00 in Japan.
var Now = time.Date(2026, 11, 21, 5, 0, 0, 0, time.UTC)

// LongName is a name that breaks pages.
const LongName = "髙橋﨑 ヴァシリエヴィチ"

// Canned is one municipality. The zero value is empty; Rows is how many lines each table
// has. It implements office.Benefits, Children, Certificates,
// Protection, Approvals and Names.
type Canned struct {
	Rows   int
	Own    bool              // what waits for approval is the officer's own work
	Run    office.RunState   // of the run that is shown
	Stage  office.CaseState  // of the case that is shown
	State  office.AwardState // of the award that is shown
	Listed string            // the state of the list that is shown
	Fault  error             // what every act answers
	mu     sync.Mutex
	acts   []string
	seen   int
}

// Acts gives what was done, in order.
func (c *Canned) Acts() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.acts...)
}

func (c *Canned) act(format string, args ...any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Fault != nil {
		return c.Fault
	}
	c.acts = append(c.acts, fmt.Sprintf(format, args...))
	return nil
}

func texts(ja, easy, en string) office.Texts {
	return office.Texts{notice.Japanese: ja, notice.EasyJapanese: easy, notice.English: en}
}

func day(y int, m time.Month, d int) civil.Date { return civil.Date{Year: y, Month: m, Day: d} }

var benefitName = texts("物価高対応子育て応援手当", "子育て（こそだて）を おうえんする お金", "One-off child-rearing support payment")

// Municipality implements office.Names.
func (*Canned) Municipality(_ context.Context, _ identity.MunicipalityCode, l notice.Language) (string, error) {
	return texts("みなと市", "みなと市", "Minato City").In(l), nil
}

// Waiting implements office.Approvals.
func (c *Canned) Waiting(_ context.Context, who actor.Staff) ([]office.Approval, error) {
	var out []office.Approval
	for i := range c.Rows {
		a := office.Approval{Kind: office.ListApproval, Object: "lst_1", AskedBy: LongName, AskedAt: Now.Add(-time.Duration(i) * time.Hour),
			Due: day(2026, 11, 20+i%10), Own: c.Own || i%5 == 3, Others: []string{LongName, "窓口 文香"}}
		if who.Has(actor.ChildApprover) && i%2 == 1 {
			a.Kind, a.Object, a.Others = office.ContactApproval, "chc_1", nil
		}
		out = append(out, a)
	}
	return out, nil
}

func (c *Canned) approval() *office.Approval {
	return &office.Approval{Kind: office.ListApproval, Object: "lst_1", AskedBy: LongName, AskedAt: Now.Add(-time.Hour),
		Due: day(2026, 12, 1), Own: c.Own, Others: []string{"承認 二郎", LongName}}
}

func missing(id, want string) error {
	if id != want {
		return fault.New(fault.NotFound, "there is no such thing")
	}
	return nil
}
