package issuance_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/fault"
)

const corrected = "record_ref,resident_ref,municipality_code,vaccine_code,product,manufacturer,lot,dose_number,given_on,performer,country,act,corrected_on,reason\n"

func (b *bench) correct(t *testing.T, rows ...string) importing.FileReport {
	t.Helper()
	return b.Import(t, map[string]string{"vaccination_corrections.csv": corrected + strings.Join(rows, "\n") + "\n"}, b.Corrections()).Files[0]
}

const (
	newLot  = "V2,R1,990019,208,コミナティ筋注,ファイザー,PX0099,2,2021-07-22,みなと市集団接種会場,JPN,replace,2026-11-20,ロット番号の誤り"
	voided  = "V2,,990019,,,,,,,,,void,2026-11-20,別の人の記録"
	restore = "V2,R1,990019,208,コミナティ筋注,ファイザー,PX0002,2,2021-07-22,みなと市集団接種会場,JPN,replace,2026-11-21,取り消しの誤り"
)

func (b *bench) listed(t *testing.T, who actor.Citizen) []issuance.Certificate {
	t.Helper()
	l, err := b.List(t.Context(), who, audit.CertificateDisplay, func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	return l.Certificates
}

// A correction revokes every certificate that states the record, in all its formats, tells
// its holder, and what is issued anew is good.
func TestCorrectionRevokes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := loaded(t, db)
		mother, child := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R2")
		first, err := b.askWith(t, mother, "key-correct-00000001", issuance.Asked{Person: mother.ID, Use: issuance.Overseas, MRZ: hanako()})
		if err != nil {
			t.Fatal(err)
		}
		other, err := b.ask(t, mother, "key-correct-00000002", child.ID, issuance.Domestic)
		if err != nil {
			t.Fatal(err)
		}
		b.Advance(time.Minute)
		if rep := b.correct(t, newLot); rep.Changed != 1 || rep.Refused != 0 {
			t.Fatalf("%+v", rep)
		}
		for _, c := range b.listed(t, mother) {
			if revoked := !c.Revoked.IsZero(); revoked != (c.ID == first.ID) || revoked && c.RevokedFor != issuance.ForCorrection {
				t.Errorf("%s: revoked %v for %s", c.ID, revoked, c.RevokedFor)
			}
		}
		got := b.verify(t, first)
		if got[shc.Format].Outcome != cert.Revoked || got[issuance.HCERT].Outcome != cert.Revoked {
			t.Errorf("card %s, HC1 %s", got[shc.Format].Outcome, got[issuance.HCERT].Outcome)
		}
		if v := b.verify(t, other)[shc.Format]; v.Outcome != cert.Valid {
			t.Errorf("another certificate is %s", v.Outcome)
		}
		if n := b.Count(t, `SELECT count(*) FROM delivery WHERE citizen_id = $1`, mother.ID); n != 1 {
			t.Errorf("%d notices", n)
		}
		again, err := b.askWith(t, mother, "key-correct-00000003", issuance.Asked{Person: mother.ID, Use: issuance.Overseas, MRZ: hanako()})
		if err != nil || again.Claims.Doses[1].Lot != "PX0099" {
			t.Fatalf("issued anew: %v", err)
		}
		if v := b.verify(t, again); v[shc.Format].Outcome != cert.Valid || v[issuance.HCERT].Outcome != cert.Valid {
			t.Errorf("issued anew: card %s, HC1 %s", v[shc.Format].Outcome, v[issuance.HCERT].Outcome)
		}
		if rep := b.correct(t, newLot); rep.Unchanged != 1 {
			t.Errorf("the same file again: %+v", rep)
		}
		if n := b.Count(t, `SELECT count(*) FROM vaccination_history`); n != 1 {
			t.Errorf("%d corrections in the history", n)
		}
		if v := b.verify(t, again)[shc.Format]; v.Outcome != cert.Valid {
			t.Errorf("the same file again revoked: %s", v.Outcome)
		}
		if rep := b.Import(t, map[string]string{"vaccinations.csv": records}, b.Importer()); rep.Files[0].Unchanged != 5 {
			t.Errorf("what was put away came again: %+v", rep.Files[0])
		}
	})
}

func TestVoidAndRestore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := loaded(t, db)
		mother := b.Citizen(t, "990019", "R1")
		doses := func(key string) (issuance.Certificate, int) {
			t.Helper()
			c, err := b.ask(t, mother, key, mother.ID, issuance.Domestic)
			if err != nil {
				t.Fatal(err)
			}
			return c, len(c.Claims.Doses)
		}
		before, _ := doses("key-void-000000000001")
		b.correct(t, voided)
		one, n := doses("key-void-000000000002")
		if n != 1 || b.verify(t, before)[shc.Format].Outcome != cert.Revoked || b.verify(t, one)[shc.Format].Outcome != cert.Valid {
			t.Errorf("void: %d doses", n)
		}
		if rep := b.correct(t, restore); rep.Changed != 1 {
			t.Fatalf("%+v", rep)
		}
		two, n := doses("key-void-000000000003")
		if n != 2 || b.verify(t, two)[shc.Format].Outcome != cert.Valid || b.verify(t, before)[shc.Format].Outcome != cert.Revoked {
			t.Errorf("restored: %d doses", n)
		}
		if list := b.listed(t, mother); !list[1].Superseded || list[0].Superseded {
			t.Error("a certificate of one dose is not superseded")
		}
		for name, row := range map[string]string{
			"corrected_on": "V2,,990019,,,,,,,,,void,2026-11-19,古い訂正",
			"record_ref":   "V77,,990019,,,,,,,,,void,2026-11-21,だれもしらない",
			"resident_ref": "V2,R4,990019,208,p,m,l,2,2021-07-22,x,JPN,replace,2026-11-21,別の人",
			"vaccine_code": "V2,,990019,208,,,,,,,,void,2026-11-21,余分",
			"reason":       "V2,,990019,,,,,,,,,void,2026-11-21,",
		} {
			if rep := b.correct(t, row); rep.Refused != 1 || rep.Faults[0].Name != name {
				t.Errorf("%s: %+v", name, rep)
			}
		}
	})
}

// Somebody who moved: the record stands under the earlier row, the certificate under the
// new one.
func TestCorrectionOfTheMunicipalityBefore(t *testing.T) {
	b := loaded(t, storetest.Open(t, store.Postgres))
	moved := b.Citizen(t, "990027", "T1")
	c, err := b.ask(t, moved, "key-moved-0000000001", moved.ID, issuance.Domestic)
	if err != nil {
		t.Fatal(err)
	}
	b.correct(t, "V4,,990019,,,,,,,,,void,2026-11-20,誤り")
	if v := b.verify(t, c)[shc.Format]; v.Outcome != cert.Revoked {
		t.Errorf("%s", v.Outcome)
	}
	if n := b.Count(t, `SELECT count(*) FROM delivery WHERE citizen_id = $1`, moved.ID); n != 1 {
		t.Errorf("%d notices", n)
	}
}

// The notice about a child goes to the parent; a protection of anybody in the household
// withholds it, and the certificate is revoked all the same.
func TestProtectionWithholdsTheNotice(t *testing.T) {
	for _, protected := range []string{"", "R2", "R3"} {
		t.Run(protected, func(t *testing.T) {
			b := loaded(t, storetest.Open(t, store.SQLite))
			mother, child := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R2")
			c, err := b.ask(t, mother, "key-child-0000000001", child.ID, issuance.Domestic)
			if err != nil {
				t.Fatal(err)
			}
			if protected != "" {
				b.Import(t, map[string]string{"protections.csv": "resident_ref,municipality_code,kind,since,until\n" + protected + ",990019,do_not_contact,2026-01-01,\n"}, b.Protection.Importer())
			}
			b.correct(t, "V3,,990019,,,,,,,,,void,2026-11-20,誤り")
			if v := b.verify(t, c)[shc.Format]; v.Outcome != cert.Revoked {
				t.Errorf("%s", v.Outcome)
			}
			sent := b.Count(t, `SELECT count(*) FROM delivery WHERE citizen_id = $1 AND channel = 'app'`, mother.ID)
			if withheld := b.Count(t, `SELECT count(*) FROM withheld`); sent+withheld != 1 || (withheld == 1) != (protected != "") {
				t.Errorf("%d sent, %d withheld", sent, withheld)
			}
		})
	}
}

func TestWalletCopiesAreRevoked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := loaded(t, db)
		mother, single := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R4")
		c, err := b.ask(t, mother, "key-wallet-000000001", mother.ID, issuance.Domestic)
		if err != nil {
			t.Fatal(err)
		}
		claims, index, err := b.copy(t, mother, c.ID)
		if err != nil || len(claims.Doses) != 2 || index < 0 || index >= issuance.ListPlaces {
			t.Fatalf("index %d, %v", index, err)
		}
		if _, _, err := b.copy(t, single, c.ID); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("somebody else's: %v", err)
		}
		b.correct(t, voided)
		rows, version, err := b.Revocations.List(t.Context(), keyring.SDJWT, "key-1")
		if err != nil || version != 2 || len(rows) != 1 || rows[0].Token != fmt.Sprint(index) {
			t.Errorf("%v, version %d, %v", rows, version, err)
		}
		if _, _, err := b.copy(t, mother, c.ID); fault.PlaceOf(err) != "revoked" {
			t.Errorf("a copy of a revoked one: %v", err)
		}
	})
}

// Revoking is for approvers of the municipality, once, with a reason; a protected person is
// nobody.
func TestTakeBack(t *testing.T) {
	b := loaded(t, storetest.Open(t, store.SQLite))
	mother := b.Citizen(t, "990019", "R1")
	c, err := b.ask(t, mother, "key-back-00000000001", mother.ID, issuance.Domestic)
	if err != nil {
		t.Fatal(err)
	}
	clerk := actor.Staff{ID: "stf_c", Municipality: "990019", Roles: []actor.Role{actor.Clerk}}
	approver := actor.Staff{ID: "stf_a", Municipality: "990019", Roles: []actor.Role{actor.Approver}}
	other := actor.Staff{ID: "stf_o", Municipality: "990027", Roles: []actor.Role{actor.Approver}}
	found, err := b.Find(t.Context(), clerk, audit.RecordCorrection, strings.ToLower(c.Reference))
	if err != nil || found.Certificate.ID != c.ID || found.Holder.ID != mother.ID || len(found.OnRecord) != 2 {
		t.Fatalf("%v", err)
	}
	for name, try := range map[string]struct {
		who    actor.Staff
		ref    string
		reason string
		code   fault.Code
	}{
		"a clerk":              {clerk, c.Reference, "理由", fault.Forbidden},
		"another municipality": {other, c.Reference, "理由", fault.NotFound},
		"no reason":            {approver, c.Reference, "", fault.InvalidArgument},
		"a My Number":          {approver, c.Reference, "123456789018", fault.MyNumberRefused},
		"mistyped":             {approver, c.Reference[:10] + "2", "理由", fault.InvalidArgument},
	} {
		if err := b.TakeBack(t.Context(), try.who, audit.RecordCorrection, try.ref, try.reason); fault.CodeOf(err) != try.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := b.TakeBack(t.Context(), approver, audit.RecordCorrection, c.Reference, "本人の申し出"); err != nil {
		t.Fatal(err)
	}
	if err := b.TakeBack(t.Context(), approver, audit.RecordCorrection, c.Reference, "もう一度"); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("twice: %v", err)
	}
	if v := b.verify(t, c)[shc.Format]; v.Outcome != cert.Revoked {
		t.Errorf("%s", v.Outcome)
	}
	b.Import(t, map[string]string{"protections.csv": "resident_ref,municipality_code,kind,since,until\nR1,990019,non_disclosure,2026-01-01,\n"}, b.Protection.Importer())
	if _, err := b.Find(t.Context(), clerk, audit.RecordCorrection, c.Reference); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a protected person was found: %v", err)
	}
}

// A certificate of a key that was given up says so.
func TestKeyGivenUp(t *testing.T) {
	b := loaded(t, storetest.Open(t, store.SQLite))
	mother := b.Citizen(t, "990019", "R1")
	c, err := b.ask(t, mother, "key-given-up-0000001", mother.ID, issuance.Domestic)
	if err != nil {
		t.Fatal(err)
	}
	b.Advance(time.Hour)
	if _, err := b.Ring.Rotate(t.Context(), actor.System{Name: "test"}, audit.SigningKeys, keyring.Rotation{Use: keyring.SHC, Compromised: true}); err != nil {
		t.Fatal(err)
	}
	if list := b.listed(t, mother); list[0].ID != c.ID || list[0].RevokedFor != issuance.ForKey || list[0].Revoked.IsZero() {
		t.Errorf("revoked for %q", list[0].RevokedFor)
	}
	if again, err := b.ask(t, mother, "key-given-up-0000002", mother.ID, issuance.Domestic); err != nil || b.verify(t, again)[shc.Format].Outcome != cert.Valid {
		t.Errorf("issued anew: %v", err)
	}
}
