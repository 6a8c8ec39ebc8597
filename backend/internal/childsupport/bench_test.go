package childsupport_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/approval"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/job"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/store"
	approvalrows "madoguchi.example/backend/internal/store/approval"
	childrows "madoguchi.example/backend/internal/store/childsupport"
	"madoguchi.example/backend/internal/store/folk"
	mailboxrows "madoguchi.example/backend/internal/store/mailbox"
	pushrows "madoguchi.example/backend/internal/store/push"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

const minato, yamanobe identity.MunicipalityCode = "990019", "990027"

func staff(id string, m identity.MunicipalityCode, roles ...actor.Role) actor.Staff {
	return actor.Staff{ID: id, Name: id, Municipality: m, Roles: roles}
}

// The officers. today is 2026-11-21 in Japan.
var (
	ann       = staff("stf_ann", minato, actor.ChildOfficer)
	eve       = staff("stf_eve", minato, actor.ChildOfficer)
	bob       = staff("stf_bob", minato, actor.ChildApprover)
	both      = staff("stf_both", minato, actor.ChildOfficer, actor.ChildApprover)
	pat       = staff("stf_pat", minato, actor.Protector)
	auditor   = staff("stf_aud", minato, actor.Auditor)
	clerk     = staff("stf_clerk", minato, actor.Clerk, actor.Approver)
	elsewhere = staff("stf_else", yamanobe, actor.ChildOfficer, actor.ChildApprover, actor.Auditor)
	system    = actor.System{Name: "worker.child_support"}
)

const why = audit.ChildSupport

// bench is a town with child support at work.
type bench struct {
	*folk.Town
	*childsupport.Desk
	mail *mailbox.Office
	prot *protection.Register
}

var key = bytes.Repeat([]byte{7}, childsupport.KeyBytes)

func open(t testing.TB, db *store.DB, families ...family) *bench {
	t.Helper()
	w := folk.Settle(t, db)
	jobs, err := job.Open(db, job.Config{Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	mail := mailbox.New(mailbox.Deps{Runner: db.Runner(), Rows: mailboxrows.New(db.Reads()), People: w.Registry,
		Pushes: pushrows.New(db.Reads()), Protection: w.Protection, Queue: jobs, Record: w.Log, IDs: w.IDs, Now: w.Now})
	desk, err := childsupport.New(childsupport.Deps{
		Runner: db.Runner(), Rows: childrows.New(db.Reads()), Residents: w.Rows, People: w.Registry, Mail: mail,
		Approvals:  approval.New(approval.Deps{Runner: db.Runner(), Rows: approvalrows.New(db.Reads()), Record: w.Log, IDs: w.IDs, Now: w.Now}),
		Protection: w.Protection, Record: w.Log, Key: key, Now: w.Now, Rand: w.Rand,
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{w, desk, mail, w.Protection}
	b.settle(t, families)
	return b
}

// family is a child born on a day, "<name>c", with two parents, "<name>h" the head and
// "<name>s" the spouse.
type family struct{ name, born string }

func (b *bench) settle(t testing.TB, families []family) {
	t.Helper()
	for part := range slices.Chunk(families, 40) { // small files: a race detector is slow
		b.settlePart(t, part)
	}
}

func (b *bench) settlePart(t testing.TB, families []family) {
	t.Helper()
	people := "resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since\n"
	homes := "household_ref,municipality_code,resident_ref,relation,since\n"
	for _, f := range families {
		for _, p := range []struct{ suffix, relation, born, sex string }{
			{"h", "head", "1990-01-02", "2"}, {"s", "spouse", "1991-03-04", "1"}, {"c", "child", f.born, "1"},
		} {
			people += fmt.Sprintf("%s%s,%s,海野,%s,ウミノ,%s,UMINO,%s,%s,%s,100-0001,みなと市1,%s\n", f.name, p.suffix, minato, p.suffix, "ア", p.suffix, p.born, p.sex, p.born)
			homes += fmt.Sprintf("H%s,%s,%s%s,%s,2026-01-01\n", f.name, minato, f.name, p.suffix, p.relation)
		}
	}
	b.load(t, map[string]string{"residents.csv": people, "households.csv": homes}, b.Registry.Importers()...)
}

func (b *bench) load(t testing.TB, files map[string]string, importers ...importing.Importer) {
	t.Helper()
	if rep := b.Import(t, files, importers...); rep.Refused() > 0 {
		t.Fatalf("refused: %v", rep)
	}
}

// The heads of the two files.
const (
	childcareHead = "resident_ref,municipality_code,as_of,facility_kind,recognised,since,last_attended\n"
	checkupHead   = "resident_ref,municipality_code,as_of,checkup,due_on,result,contacted_on\n"
)

// missedTwice are rows of a child who is flagged.
func missedTwice(name, asOf string) string {
	return fmt.Sprintf("%sc,990019,%s,m18,2025-06-01,missed,\n%[1]sc,990019,%[2]s,y3,2026-09-01,missed,2026-08-01\n", name, asOf)
}

func unclaimed(name, asOf string) string {
	return name + "c,990019," + asOf + ",kindergarten,no,2026-04-01,2026-11-01\n"
}

func (b *bench) childcare(t testing.TB, rows ...string) importing.Report {
	t.Helper()
	return b.Import(t, map[string]string{"childcare.csv": childcareHead + strings.Join(rows, "")}, b.Importers()...)
}

func (b *bench) checkups(t testing.TB, rows ...string) importing.Report {
	t.Helper()
	return b.Import(t, map[string]string{"checkups.csv": checkupHead + strings.Join(rows, "")}, b.Importers()...)
}

// childcareAll imports many rows in small files.
func (b *bench) childcareAll(t testing.TB, rows []string) {
	t.Helper()
	for part := range slices.Chunk(rows, 50) {
		if r := b.childcare(t, part...); r.Refused() > 0 {
			t.Fatal(r)
		}
	}
}

// flagged imports check-ups of the families so that each is flagged, and gives the cases.
func (b *bench) flagged(t testing.TB, families ...string) []childsupport.Case {
	t.Helper()
	text := ""
	for _, f := range families {
		text += missedTwice(f, "2026-11-20")
	}
	if rep := b.checkups(t, text); rep.Refused() > 0 {
		t.Fatalf("refused: %v", rep)
	}
	b.indicate(t)
	return b.open(t)
}

func (b *bench) indicate(t testing.TB) {
	t.Helper()
	if err := b.Indicate(t.Context(), system, why); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) open(t testing.TB) []childsupport.Case {
	t.Helper()
	cases, err := b.Cases(t.Context(), ann, why, 0)
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

func (b *bench) state(t testing.TB, id string) childsupport.State {
	t.Helper()
	c, err := b.Case(t.Context(), ann, why, id)
	if err != nil {
		t.Fatal(err)
	}
	return c.State
}

var propose = childsupport.Assessment{Contact: true, Support: "home_visit", Reason: "一度お話をうかがいたい。"}

// offered brings a case to the family.
func (b *bench) offered(t testing.TB, id string) {
	t.Helper()
	must(t, b.Assess(t.Context(), ann, why, id, propose))
	must(t, b.Approve(t.Context(), bob, why, id, "案内してよい。"))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants checks a fault's code and place.
func wants(t testing.TB, err error, code fault.Code, place string) {
	t.Helper()
	if fault.CodeOf(err) != code || fault.PlaceOf(err) != place {
		t.Errorf("error %v, want %s at %q", err, code, place)
	}
}

// sent counts notices in anybody's mailbox.
func (b *bench) sent(t testing.TB) int { return b.Count(t, `SELECT count(*) FROM delivery`) }

func (b *bench) protect(t testing.TB, ref string) {
	t.Helper()
	must(t, b.prot.Set(t.Context(), pat, audit.Protection, ref, protection.DoNotContact, civil.Date{}))
}

func (b *bench) lift(t testing.TB, ref string) {
	t.Helper()
	must(t, b.prot.Lift(t.Context(), pat, audit.Protection, ref, protection.DoNotContact))
}

// dump gives every column of every row of a table as text.
func (b *bench) dump(t testing.TB, table string, columns ...string) string {
	t.Helper()
	var out strings.Builder
	err := b.DB.Reads().Each(t.Context(), "SELECT "+strings.Join(columns, ", ")+" FROM "+table+" ORDER BY 1, 2, 3", nil, func(scan func(...any) error) error {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := scan(dest...); err != nil {
			return err
		}
		for _, v := range values {
			if raw, ok := v.([]byte); ok {
				v = fmt.Sprintf("%x", raw)
			}
			fmt.Fprintf(&out, "%v|", v)
		}
		out.WriteByte('\n')
		return nil
	})
	must(t, err)
	return out.String()
}

var itemColumns = []string{"source", "pseudonym", "item", "part", "as_of", "municipality", "value", "expires_on", "digest"}

const day = 24 * time.Hour

// everything gives every column of every row of every table as text.
func (b *bench) everything(t testing.TB) string {
	t.Helper()
	var out strings.Builder
	for table := range counts(t, b) {
		rows, err := b.DB.Writer().QueryContext(t.Context(), "SELECT * FROM "+table)
		must(t, err)
		columns, err := rows.Columns()
		must(t, err)
		for rows.Next() {
			values, dest := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				dest[i] = &values[i]
			}
			must(t, rows.Scan(dest...))
			for _, v := range values {
				fmt.Fprintf(&out, "%s|", v)
			}
			out.WriteString(table + "\n")
		}
		must(t, errors.Join(rows.Err(), rows.Close()))
	}
	return out.String()
}
