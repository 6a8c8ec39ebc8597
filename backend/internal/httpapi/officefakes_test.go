package httpapi

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/office"
	"madoguchi.example/backend/internal/office/officetest"
	"madoguchi.example/shared/auditlog"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// allRoles is a gate whose officer holds every role.
type allRoles struct{ openGate }

func (allRoles) Staff(_ context.Context, c Credentials) (actor.Staff, error) {
	if c.Session == "" {
		return actor.Staff{}, fault.New(fault.Unauthenticated, "no session")
	}
	return actor.Staff{ID: "stf_1", Name: "髙橋﨑 ヴァシリエヴィチ", Municipality: "990019", Roles: actor.Roles()}, nil
}

var officeNow = time.Date(2026, 11, 21, 5, 0, 0, 0, time.UTC)

type fakeOffice struct{ rows int }

func (fakeOffice) Start(context.Context) (string, string, error) {
	return "https://idp.example/auth", "binding", nil
}
func (fakeOffice) Finish(context.Context, string, string, string) (string, error) {
	return "", fault.New(fault.Unauthenticated, "begin again")
}
func (fakeOffice) SignOut(context.Context, actor.Staff, string) error { return nil }
func (fakeOffice) Municipality(context.Context, identity.MunicipalityCode, notice.Language) (string, error) {
	return "みなと市", nil
}

func (f fakeOffice) Recent(_ context.Context, _ actor.Staff, limit int) ([]office.Summary, error) {
	var out []office.Summary
	for i := range min(limit, f.rows) {
		out = append(out, office.Summary{
			ID: "ntc_00000000000000000000000000", Number: fmt.Sprintf("M-2026-%05d", i), Title: "こども定期接種のお知らせ",
			Kind: notice.Action, SentAt: officeNow.Add(-time.Hour), Counts: office.Counts{All: 120, InMailbox: 120, Pushed: 86, Read: 41},
		})
	}
	return out, nil
}

func (fakeOffice) Audience(_ context.Context, _ actor.Staff, refs []string) (office.Audience, error) {
	if len(refs) == 1 && refs[0] == "nobody" {
		return office.Audience{Missing: refs}, nil
	}
	return office.Audience{Found: len(refs), Missing: []string{"R-999999"}}, nil
}

func (fakeOffice) Send(context.Context, actor.Staff, office.Draft) (string, error) {
	return "ntc_00000000000000000000000000", nil
}

func (f fakeOffice) Show(ctx context.Context, who actor.Staff, id string) (office.Sent, error) {
	list, _ := f.Recent(ctx, who, 1)
	if len(list) == 0 || id != list[0].ID {
		return office.Sent{}, fault.New(fault.NotFound, "no such notice")
	}
	s := office.Sent{Summary: list[0], SentBy: "髙橋﨑 ヴァシリエヴィチ", Deadline: civil.Date{Year: 2026, Month: 12, Day: 1},
		Texts: map[notice.Language]notice.Text{notice.Japanese: {Title: "こども定期接種のお知らせ", Body: "12月1日までに申し込んでください。"}}}
	for i := range 20 {
		state := notice.InMailbox
		if i%3 == 0 {
			state = notice.Read
		}
		s.Recipients = append(s.Recipients, office.Recipient{Ref: fmt.Sprintf("R-%06d", i), State: state, At: officeNow})
	}
	return s, nil
}

type fakeTerminals struct{}

func (fakeTerminals) List(context.Context, actor.Staff) ([]office.Terminal, error) {
	return []office.Terminal{
		{ID: "trm_00000000000000000000000001", Office: "みなと中央クリニック", Class: "clinic", LastContact: officeNow.Add(-time.Minute),
			Checks: &office.Checks{Open: 12, Late: 2, Voided: 3}},
		{ID: "trm_00000000000000000000000002", Office: "第二避難所", Class: "shelter"},
		{ID: "trm_00000000000000000000000003", Office: "本庁舎", Class: "counter", LastContact: officeNow.Add(-72 * time.Hour), Disabled: true},
	}, nil
}
func (fakeTerminals) Places(context.Context, actor.Staff) ([]office.Place, error) {
	return []office.Place{{Ref: "O-1", Name: "みなと中央クリニック", Class: "clinic"}}, nil
}
func (fakeTerminals) IssueCode(context.Context, actor.Staff, string) (office.Code, error) {
	return office.Code{Text: "7K4F-9QXM-2B8D-WTRE", Until: officeNow.Add(15 * time.Minute)}, nil
}

func (fakeTerminals) Stop(context.Context, actor.Staff, string) error { return nil }

type fakeTrail struct{}

func (fakeTrail) Newest(context.Context, actor.Staff, int) ([]auditlog.Entry, error) {
	return []auditlog.Entry{{At: officeNow, Actor: auditlog.Actor{Kind: auditlog.ActorStaff, ID: "stf_1"}, Purpose: "notice_writing", Action: "notice.send", Object: "ntc_1", Items: []string{"title"}}}, nil
}
func (fakeTrail) PurposeName(string, notice.Language) string { return "お知らせの作成" }

func officeRoutes(t *testing.T, rows int) ([]Route, func(*Config)) {
	t.Helper()
	f := fakeOffice{rows}
	canned := &officetest.Canned{Rows: rows, Run: office.RunCounted, Stage: office.CaseAssessed, State: office.Noticed, Listed: "waiting"}
	o, err := office.New(office.Parts{
		Benefits: canned.Benefits(), Children: canned.Children(), Protection: canned.Protection(), Certificates: canned.Certificates(), Approvals: canned,
		SignIn: f, Notices: f, Terminals: fakeTerminals{}, Trail: fakeTrail{}, Names: f,
		Log: slog.New(slog.NewJSONHandler(io.Discard, nil)), Now: func() time.Time { return officeNow },
		IDs: handle.Source{Now: time.Now, Rand: rand.Reader},
	})
	if err != nil {
		t.Fatal(err)
	}
	routes, err := OfficeRoutes(o)
	if err != nil {
		t.Fatal(err)
	}
	return routes, func(c *Config) { c.Gate, c.ErrorPage = allRoles{}, OfficeErrorPage(o) }
}
