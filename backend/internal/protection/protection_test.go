package protection_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/folk"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

var (
	protector = actor.Staff{ID: "stf_1", Municipality: "990019", Roles: []actor.Role{actor.Protector}}
	colleague = actor.Staff{ID: "stf_2", Municipality: "990019", Roles: []actor.Role{actor.Protector}}
	elsewhere = actor.Staff{ID: "stf_3", Municipality: "990027", Roles: []actor.Role{actor.Protector}}
)

const header = "resident_ref,municipality_code,kind,since,until\n"

func load(t *testing.T, w *folk.Town, rows string) importing.Report {
	t.Helper()
	return w.Import(t, map[string]string{"protections.csv": header + rows}, w.Protection.Importer())
}

// flagged tells which of the refs of みなと市 a protection covers now.
func flagged(t *testing.T, w *folk.Town, refs ...string) string {
	t.Helper()
	ids, name := []identity.CitizenID{}, map[identity.CitizenID]string{}
	for _, ref := range refs {
		id := w.Citizen(t, "990019", ref).ID
		ids, name[id] = append(ids, id), ref
	}
	var out []string
	err := w.DB.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
		found, err := w.Protection.Flagged(ctx, tt, append(ids, ids...))
		for _, id := range ids {
			if found[id] {
				out = append(out, name[id])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func day(s string) civil.Date {
	d, err := civil.Parse(s)
	if err != nil {
		panic(err)
	}
	return d
}

func TestImportIsInForceByDay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := folk.Settle(t, db)
		today := civil.In(w.Now())
		rows := fmt.Sprintf("R1,990019,do_not_contact,2026-01-01,\nR2,990019,non_disclosure,2026-01-01,%s\nR3,990019,non_disclosure,2026-01-01,%s\nR4,990019,do_not_contact,%s,\n",
			today, today.AddDays(-1), today.AddDays(1))
		if rep := load(t, w, rows); rep.Refused() != 0 || rep.Files[0].Added != 4 {
			t.Fatalf("%+v", rep)
		}
		if got := flagged(t, w, "R1", "R2", "R3", "R4"); got != "R1 R2" {
			t.Errorf("in force: %s", got)
		}
		w.Advance(24 * time.Hour)
		if got := flagged(t, w, "R1", "R2", "R3", "R4"); got != "R1 R4" {
			t.Errorf("a day later: %s", got)
		}
		if rep := load(t, w, rows); rep.Files[0].Unchanged != 4 {
			t.Errorf("the same file again: %+v", rep)
		}
		if n := w.Count(t, `SELECT count(*) FROM audit_entry WHERE action LIKE 'import.protection%' AND visible_from >= 0`); n != 0 {
			t.Errorf("%d entries of the import can be seen in the app", n)
		}
	})
}

// The newer file wins row by row; a file that says nothing new leaves what a protector did.
func TestNewerFileWins(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := folk.Settle(t, db)
		before := w.Count(t, `SELECT count(*) FROM audit_entry WHERE visible_from >= 0`)
		const row = "R1,990019,do_not_contact,2026-01-01,\n"
		load(t, w, row)
		if err := w.Protection.Lift(t.Context(), protector, audit.Protection, "R1", protection.DoNotContact); err != nil {
			t.Fatal(err)
		}
		if load(t, w, row); flagged(t, w, "R1") != "" {
			t.Error("the same row again undid what the protector did")
		}
		if rep := load(t, w, "R1,990019,do_not_contact,2026-02-01,\n"); rep.Files[0].Changed != 1 || flagged(t, w, "R1") != "R1" {
			t.Errorf("a newer row: %+v", rep)
		}
		if rep := load(t, w, "R1,990019,do_not_contact,2026-02-01,2026-03-01\n"); rep.Files[0].Changed != 1 || flagged(t, w, "R1") != "" {
			t.Errorf("an ended one: %+v", rep)
		}
		if n := w.Count(t, `SELECT count(*) FROM audit_entry WHERE visible_from >= 0`); n != before {
			t.Errorf("%d entries can be seen in the app", n-before)
		}
	})
}

func TestBadRows(t *testing.T) {
	w := folk.Settle(t, storetest.Open(t, store.SQLite))
	for name, c := range map[string]struct{ row, column string }{
		"nobody":           {"R99,990019,do_not_contact,2026-01-01,\n", "resident_ref"},
		"elsewhere's":      {"T2,990019,do_not_contact,2026-01-01,\n", "resident_ref"},
		"kind":             {"R1,990019,secret,2026-01-01,\n", "kind"},
		"no first day":     {"R1,990019,do_not_contact,,\n", "since"},
		"ends before":      {"R1,990019,do_not_contact,2026-02-01,2026-01-01\n", "until"},
		"29 February":      {"R1,990019,do_not_contact,2026-02-29,\n", "since"},
		"municipality":     {"R1,990018,do_not_contact,2026-01-01,\n", "municipality_code"},
		"too few cells":    {"R1,990019\n", ""},
		"of the last year": {"R1,990019,do_not_contact,1026-01-01,\n", "since"},
	} {
		rep := load(t, w, c.row)
		if f := rep.Files[0].Faults; rep.Refused() != 1 || f[0].Line != 2 || f[0].Name != c.column || strings.Contains(fmt.Sprint(f), "R99") {
			t.Errorf("%s: %v", name, f)
		}
	}
	if n := w.Count(t, `SELECT count(*) FROM protection`); n != 0 {
		t.Errorf("%d protections", n)
	}
}

func TestSetAndLift(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := folk.Settle(t, db)
		set := func(who actor.Staff, ref string, k protection.Kind, until civil.Date) error {
			return w.Protection.Set(t.Context(), who, audit.Protection, ref, k, until)
		}
		lift := func(ref string, k protection.Kind) error {
			return w.Protection.Lift(t.Context(), protector, audit.Protection, ref, k)
		}
		for i := range 2 {
			if err := set(protector, " R1 ", protection.NonDisclosure, civil.Date{}); err != nil {
				t.Fatal(i, err)
			}
			w.Advance(24 * time.Hour)
		}
		if err := set(protector, "R1", protection.DoNotContact, day("2027-03-31")); err != nil {
			t.Fatal(err)
		}
		list, err := w.Protection.InForce(t.Context(), protector, audit.Protection, 0)
		if err != nil || len(list) != 2 || list[0].Ref != "R1" || list[0].Name != "山田 花子" || list[0].Kind != protection.DoNotContact ||
			list[0].Until != day("2027-03-31") || list[1].Since != civil.In(w.Now()).AddDays(-2) {
			t.Errorf("in force: %d, %v", len(list), err)
		}
		if err := lift("R1", protection.NonDisclosure); err != nil || flagged(t, w, "R1") != "R1" {
			t.Errorf("one of two was lifted: %v", err)
		}
		if err := lift("R1", protection.DoNotContact); err != nil || flagged(t, w, "R1") != "" {
			t.Errorf("both were lifted: %v", err)
		}
		if err := lift("R1", protection.DoNotContact); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("lifted twice: %v", err)
		}
		for name, c := range map[string]struct {
			err  error
			code fault.Code
			at   string
		}{
			"nobody":         {set(protector, "R99", protection.DoNotContact, civil.Date{}), fault.NotFound, "ref"},
			"of elsewhere":   {set(protector, "T2", protection.DoNotContact, civil.Date{}), fault.NotFound, "ref"},
			"elsewhere's R1": {set(elsewhere, "R1", protection.DoNotContact, civil.Date{}), fault.NotFound, "ref"},
			"My Number":      {set(protector, "123456789018", protection.DoNotContact, civil.Date{}), fault.MyNumberRefused, "ref"},
			"kind":           {set(protector, "R1", "secret", civil.Date{}), fault.InvalidArgument, "kind"},
			"past":           {set(protector, "R1", protection.DoNotContact, day("2020-01-01")), fault.InvalidArgument, "until"},
		} {
			if fault.CodeOf(c.err) != c.code || fault.PlaceOf(c.err) != c.at {
				t.Errorf("%s: %v", name, c.err)
			}
		}
		who := w.Citizen(t, "990019", "R1")
		if seen, _, err := w.Registry.AccessLog(t.Context(), who, audit.Self, "", 10); err != nil || len(seen) != 0 {
			t.Errorf("the app shows %d entries, %v", len(seen), err)
		}
		if n := w.Count(t, `SELECT count(*) FROM audit_entry WHERE purpose = 'protection' AND citizen_id = $1`, who.ID); n != 7 {
			t.Errorf("%d entries", n)
		}
	})
}

func TestProtectorsOnly(t *testing.T) {
	w := folk.Settle(t, storetest.Open(t, store.SQLite))
	var others []actor.Role
	for _, r := range actor.Roles() {
		if r != actor.Protector {
			others = append(others, r)
		}
	}
	everybody := actor.Staff{ID: "stf_9", Municipality: "990019", Roles: others}
	nowhere := actor.Staff{ID: "stf_8", Roles: []actor.Role{actor.Protector}}
	for name, call := range map[string]func(who actor.Staff, p audit.Purpose) error{
		"set": func(who actor.Staff, p audit.Purpose) error {
			return w.Protection.Set(t.Context(), who, p, "R1", protection.DoNotContact, civil.Date{})
		},
		"lift": func(who actor.Staff, p audit.Purpose) error {
			return w.Protection.Lift(t.Context(), who, p, "R1", protection.DoNotContact)
		},
		"in force": func(who actor.Staff, p audit.Purpose) error {
			_, err := w.Protection.InForce(t.Context(), who, p, 1)
			return err
		},
		"waiting": func(who actor.Staff, p audit.Purpose) error {
			_, err := w.Protection.Waiting(t.Context(), who, p, 1)
			return err
		},
		"settle": func(who actor.Staff, p audit.Purpose) error {
			return w.Protection.Settle(t.Context(), who, p, "wth_1", protection.NotSent, "")
		},
	} {
		for _, who := range []actor.Staff{everybody, nowhere} {
			if err := call(who, audit.Protection); fault.CodeOf(err) != fault.Forbidden {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := call(protector, audit.NoticeWriting); fault.CodeOf(err) != fault.Internal {
			t.Errorf("%s for a purpose that the app shows: %v", name, err)
		}
	}
}

func withhold(t *testing.T, w *folk.Town, all ...protection.Withheld) error {
	t.Helper()
	return w.DB.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error { return w.Protection.Withhold(ctx, tt, all) })
}

func TestWithheldWaitsForAPerson(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := folk.Settle(t, db)
		first := protection.Withheld{Citizen: w.Citizen(t, "990019", "R4").ID, Municipality: "990019", Object: "ntc_1", What: protection.Notice, Title: "題"}
		next := protection.Withheld{Citizen: w.Citizen(t, "990019", "R1").ID, Municipality: "990019", Object: "ntc_1", What: protection.Notice}
		other := protection.Withheld{Citizen: w.Citizen(t, "990027", "T2").ID, Municipality: "990027", Object: "ntc_2", What: protection.Push}
		for _, one := range []protection.Withheld{first, next, first, other} {
			if err := withhold(t, w, one); err != nil {
				t.Fatal(err)
			}
			w.Advance(time.Minute)
		}
		waiting := func(who actor.Staff) []protection.Task {
			t.Helper()
			tasks, err := w.Protection.Waiting(t.Context(), who, audit.Protection, 10)
			if err != nil {
				t.Fatal(err)
			}
			return tasks
		}
		tasks := waiting(protector)
		if len(tasks) != 2 || tasks[0].Ref != "R4" || tasks[0].Name != "高橋 誠" || tasks[0].Title != "題" || tasks[1].Ref != "R1" || tasks[0].What != protection.Notice {
			t.Fatalf("the list: %+v", tasks)
		}
		if theirs := waiting(elsewhere); len(theirs) != 1 || theirs[0].Ref != "T2" {
			t.Errorf("elsewhere's list: %d", len(theirs))
		}
		id := tasks[0].ID
		settle := func(who actor.Staff, how protection.How, note string) error {
			return w.Protection.Settle(t.Context(), who, audit.Protection, id, how, note)
		}
		for name, c := range map[string]struct {
			err  error
			code fault.Code
		}{
			"of elsewhere": {settle(elsewhere, protection.ByPhone, ""), fault.NotFound},
			"way":          {settle(protector, "pigeon", ""), fault.InvalidArgument},
			"My Number":    {settle(protector, protection.ByPhone, "番号は 123456789018"), fault.MyNumberRefused},
			"too long":     {settle(protector, protection.ByPhone, strings.Repeat("長", protection.MaxNote+1)), fault.TooLarge},
		} {
			if fault.CodeOf(c.err) != c.code {
				t.Errorf("%s: %v", name, c.err)
			}
		}
		for range 2 {
			if err := settle(protector, protection.ByPhone, "本人と話した"); err != nil {
				t.Fatal(err)
			}
		}
		if err := settle(colleague, protection.ByPhone, "本人と話した"); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("settled by two: %v", err)
		}
		if err := settle(protector, protection.NotSent, "本人と話した"); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("settled in two ways: %v", err)
		}
		if left := waiting(protector); len(left) != 1 || left[0].Ref != "R1" {
			t.Errorf("%d are left", len(left))
		}
		if n := w.Count(t, `SELECT count(*) FROM audit_entry WHERE visible_from >= 0 AND citizen_id IN ($1, $2)`, first.Citizen, next.Citizen); n != 0 {
			t.Errorf("the app shows %d entries", n)
		}
		if n := w.Count(t, `SELECT count(*) FROM audit_entry WHERE action = 'withheld.list' AND citizen_id = $1`, first.Citizen); n != 1 {
			t.Errorf("the look at the first is recorded %d times", n)
		}
	})
}

// A protection and what it withholds are there with the caller's transaction or not at all.
func TestRidesOnTheCallersTransaction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := folk.Settle(t, db)
		one := protection.Withheld{Citizen: w.Citizen(t, "990019", "R4").ID, Municipality: "990019", Object: "ntc_1", What: protection.Notice}
		broken := errors.New("broken")
		err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
			f := protection.Flag{Citizen: one.Citizen, Municipality: "990019", Kind: protection.DoNotContact, Since: civil.In(w.Now())}
			if err := w.Protection.Rows.Put(ctx, tt, f); err != nil {
				return err
			}
			found, err := w.Protection.Flagged(ctx, tt, []identity.CitizenID{one.Citizen})
			if err != nil || !found[one.Citizen] {
				t.Errorf("what this transaction stored is not seen in it: %v", err)
			}
			if err := w.Protection.Withhold(ctx, tt, []protection.Withheld{one}); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) || flagged(t, w, "R4") != "" || w.Count(t, `SELECT count(*) FROM withheld`) != 0 {
			t.Errorf("something stayed: %v", err)
		}
		for name, bad := range map[string]protection.Withheld{
			"nobody":  {Municipality: "990019", Object: "o", What: "notice"},
			"nowhere": {Citizen: "ctz", Object: "o", What: "notice"},
			"nothing": {Citizen: "ctz", Municipality: "990019", What: "notice"},
		} {
			if err := withhold(t, w, bad); fault.CodeOf(err) != fault.Internal {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
