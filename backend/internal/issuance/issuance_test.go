package issuance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/publication"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/folk"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/trust"
)

const head = "record_ref,resident_ref,municipality_code,vaccine_code,product,manufacturer,lot,dose_number,given_on,performer,country\n"

const records = head + `V1,R1,990019,208,コミナティ筋注,ファイザー,PX0001,1,2021-07-01,みなと市集団接種会場,JPN
V2,R1,990019,208,コミナティ筋注,ファイザー,PX0002,2,2021-07-22,みなと市集団接種会場,JPN
V3,R2,990019,218,コミナティ筋注5～11歳用,ファイザー,PC0001,1,2022-04-01,みなと市保健センター,JPN
V4,R6,990019,207,スパイクバックス筋注,モデルナ,MX0001,1,2021-08-01,みなと市内科クリニック,JPN
V1,T1,990027,207,スパイクバックス筋注,モデルナ,MX0002,2,2023-06-01,やまのべ町保健センター,JPN
`

type bench struct {
	*folk.Town
	*issuance.Office
	folk.Papers
}

func open(t *testing.T, db *store.DB) *bench {
	t.Helper()
	w := folk.Settle(t, db)
	p := w.Papers(t)
	return &bench{w, p.Office, p}
}

func loaded(t *testing.T, db *store.DB) *bench {
	t.Helper()
	b := open(t, db)
	if rep := b.Import(t, map[string]string{"vaccinations.csv": records}, b.Importer()); rep.Refused() > 0 || rep.Files[0].Added != 5 {
		t.Fatalf("refused: %v", rep)
	}
	return b
}

func (b *bench) ask(t *testing.T, who actor.Citizen, key string, person identity.CitizenID, use issuance.Use) (issuance.Certificate, error) {
	t.Helper()
	return b.Issue(t.Context(), who, audit.CertificateIssuance, key, issuance.Asked{Person: person, Use: use})
}

func (b *bench) askWith(t *testing.T, who actor.Citizen, key string, asked issuance.Asked) (issuance.Certificate, error) {
	t.Helper()
	return b.Issue(t.Context(), who, audit.CertificateIssuance, key, asked)
}

// copy gives a wallet a copy under "key-1".
func (b *bench) copy(t *testing.T, who actor.Citizen, id string) (claims cert.Certificate, index int64, err error) {
	t.Helper()
	err = b.DB.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) (err error) {
		if claims, index, err = b.ForWallet(ctx, tt, who, audit.CertificateIssuance, id); err != nil {
			return err
		}
		return b.AddWalletCopy(ctx, tt, who.ID, id, "key-1", index)
	})
	return claims, index, err
}

// snapshot is what a terminal trusts, with the specimens' signer beside.
func (b *bench) snapshot(t *testing.T) trust.Snapshot {
	t.Helper()
	bundle, _, err := b.Press.TrustBundle(t.Context(), actor.Terminal{}, audit.TerminalOperation)
	if err != nil {
		t.Fatal(err)
	}
	files, err := trust.ReadTar(bytes.NewReader(bundle))
	if err != nil {
		t.Fatal(err)
	}
	snap, err := verify.LoadTrust(files)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// verify shows each form to a terminal and gives the verdicts by format.
func (b *bench) verify(t *testing.T, c issuance.Certificate) map[cert.Format]cert.Verdict {
	t.Helper()
	b.Advance(publication.Staleness)
	snap := b.snapshot(t)
	shown, err := b.Show(c)
	if err != nil {
		t.Fatal(err)
	}
	out := map[cert.Format]cert.Verdict{}
	for _, s := range shown {
		if !bytes.HasPrefix(s.QRPNG, []byte("\x89PNG")) {
			t.Errorf("%s: the picture is none", s.Format)
		}
		v := verify.Verify([]byte(s.Text), snap, b.Now())
		if v.Format != s.Format {
			t.Errorf("%s was read as %s", s.Format, v.Format)
		}
		out[s.Format] = v
	}
	if !bytes.Contains(shown[0].File, []byte(c.Signed)) || shown[0].Format != shc.Format {
		t.Error("the file is not that of the card")
	}
	return out
}

func TestIssueAndVerify(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := loaded(t, db)
		mother, child, moved := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R2"), b.Citizen(t, "990027", "T1")
		for _, c := range []struct {
			name   string
			who    actor.Citizen
			person identity.CitizenID
			use    issuance.Use
			holder string
			doses  int
		}{
			{"self at home", mother, mother.ID, issuance.Domestic, "山田 花子", 2},
			{"self abroad", mother, mother.ID, issuance.Overseas, "HANAKO YAMADA", 2},
			{"child", mother, child.ID, issuance.Domestic, "山田 太郎", 1},
			{"doses of the municipality before", moved, moved.ID, issuance.Domestic, "田中 幸子", 2},
		} {
			t.Run(c.name, func(t *testing.T) {
				got, err := b.ask(t, c.who, "key-"+strings.ReplaceAll(c.name, " ", "-")+"-0000", c.person, c.use)
				if err != nil {
					t.Fatal(err)
				}
				v := b.verify(t, got)[shc.Format]
				if v.Outcome != cert.Valid || len(v.Findings) > 0 {
					t.Fatalf("outcome %s, %s, findings %v", v.Outcome, v.Reason, v.Findings)
				}
				name := v.Certificate.Holder.Kanji()
				if c.use == issuance.Overseas {
					name = v.Certificate.Holder.Latin()
				}
				if name != c.holder || got.Claims.Name != c.holder || len(v.Certificate.Doses) != c.doses || len(got.Claims.Doses) != c.doses {
					t.Errorf("holder %q with %d doses", name, len(v.Certificate.Doses))
				}
			})
		}
	})
}

func TestWhoMayAsk(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := loaded(t, db)
		mother, child, single := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R2"), b.Citizen(t, "990019", "R4")
		for name, c := range map[string]struct {
			who    actor.Citizen
			person identity.CitizenID
			want   fault.Code
		}{
			"a neighbour's child":  {single, child.ID, fault.NotFound},
			"a child for a mother": {child, mother.ID, fault.NotFound},
			"nobody":               {mother, "ctz_00000000000000000000000000", fault.NotFound},
			"no record":            {single, single.ID, fault.NoRecord},
			"moved out":            {b.Citizen(t, "990019", "R6"), b.Citizen(t, "990019", "R6").ID, fault.IdentityUnlinked},
			"dead":                 {b.Citizen(t, "990019", "R5"), b.Citizen(t, "990019", "R5").ID, fault.IdentityUnlinked},
		} {
			_, err := b.ask(t, c.who, "key-00000000000000", c.person, issuance.Domestic)
			if fault.CodeOf(err) != c.want {
				t.Errorf("%s: %v", name, err)
			}
			if c.want == fault.NoRecord {
				at, ok := errors.AsType[interface {
					error
					WhereToGo() (a, b, c, d, e string)
				}](err)
				if !ok {
					t.Fatal("no counter is named")
				}
				if m, _, _, _, _ := at.WhereToGo(); m != "みなと市" {
					t.Errorf("counter of %q", m)
				}
			}
		}
		if n := b.Count(t, `SELECT count(*) FROM certificate`); n != 0 {
			t.Errorf("%d certificates were made", n)
		}
		if n := b.Count(t, `SELECT count(*) FROM audit_entry WHERE action = $1`, "certificate.refused"); n != 1 {
			t.Errorf("the look at the records of nobody is recorded %d times", n)
		}
	})
}

func TestIdempotency(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := loaded(t, db)
		mother := b.Citizen(t, "990019", "R1")
		first, err := b.ask(t, mother, "key-aaaaaaaaaaaaaaaa", mother.ID, issuance.Domestic)
		if err != nil {
			t.Fatal(err)
		}
		b.Advance(time.Minute)
		again, err := b.ask(t, mother, "key-aaaaaaaaaaaaaaaa", mother.ID, issuance.Domestic)
		if err != nil || again.ID != first.ID || again.Signed != first.Signed {
			t.Fatalf("the same call made another certificate: %v", err)
		}
		if _, err := b.ask(t, mother, "key-aaaaaaaaaaaaaaaa", mother.ID, issuance.Overseas); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("the same key for another request: %v", err)
		}
		other, err := b.ask(t, mother, "key-bbbbbbbbbbbbbbbb", mother.ID, issuance.Domestic)
		if err != nil || other.ID == first.ID {
			t.Errorf("another key gave the same certificate: %v", err)
		}
	})
}

// The same call by many at once, on either engine: one certificate for all.
func TestTheSameCallAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := loaded(t, db)
		mother := b.Citizen(t, "990019", "R1")
		type answer struct {
			id  string
			err error
		}
		answers := make(chan answer, 32)
		for range cap(answers) {
			go func() {
				c, err := b.Issue(context.WithoutCancel(t.Context()), mother, audit.CertificateIssuance, "key-eeeeeeeeeeeeeeee",
					issuance.Asked{Person: mother.ID, Use: issuance.Domestic})
				answers <- answer{c.ID, err}
			}()
		}
		ids := map[string]bool{}
		for range cap(answers) {
			a := <-answers
			if a.err != nil {
				t.Errorf("one of them was refused: %v", a.err)
			}
			ids[a.id] = true
		}
		if n := b.Count(t, `SELECT count(*) FROM certificate`); n != 1 || len(ids) != 1 {
			t.Errorf("%d certificates, %d answers", n, len(ids))
		}
	})
}

func TestListAndSupersede(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := loaded(t, db)
		mother, child := b.Citizen(t, "990019", "R1"), b.Citizen(t, "990019", "R2")
		for i, p := range []identity.CitizenID{mother.ID, child.ID} {
			if _, err := b.ask(t, mother, fmt.Sprintf("key-%016d", i), p, issuance.Domestic); err != nil {
				t.Fatal(err)
			}
			b.Advance(time.Second)
		}
		list := func(known string) issuance.List {
			t.Helper()
			l, err := b.List(t.Context(), mother, audit.CertificateDisplay, func(v string) bool { return v == known })
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		first := list("")
		if len(first.Certificates) != 2 || first.Certificates[0].Person != child.ID || first.Certificates[0].Superseded || first.Certificates[1].Superseded {
			t.Fatalf("first list: %+v", first.Certificates)
		}
		if same := list(first.Version); !same.Same || same.Certificates != nil {
			t.Error("the same version was read again")
		}
		b.Import(t, map[string]string{"vaccinations.csv": head + "V9,R1,990019,207,スパイクバックス筋注,モデルナ,MX0009,3,2026-10-01,,JPN\n"}, b.Importer())
		after := list(first.Version)
		if after.Same || after.Certificates[0].Superseded || !after.Certificates[1].Superseded {
			t.Fatalf("after a new dose: same %v, %v", after.Same, after.Certificates)
		}
		own, err := b.List(t.Context(), child, audit.CertificateDisplay, func(string) bool { return false })
		if err != nil || len(own.Certificates) != 1 {
			t.Errorf("the child sees %d, %v", len(own.Certificates), err)
		}
	})
}

func TestBrokenRecords(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := loaded(t, db)
		text := head + strings.Join([]string{
			"V1,R1,990019,208,コミナティ筋注,ファイザー,PX0001,1,2021-07-01,みなと市集団接種会場,JPN", // unchanged
			"V2,R1,990019,208,コミナティ筋注,ファイザー,OTHER,2,2021-07-22,みなと市集団接種会場,JPN",  // conflict
			"V3,R1,990019,218,コミナティ筋注5～11歳用,ファイザー,PC0001,1,2022-04-01,みなと市保健センター,JPN",
			"V20,R99,990019,208,p,m,l,1,2021-07-01,x,JPN",
			"V21,R1,990018,208,p,m,l,1,2021-07-01,x,JPN",
			"V22,R1,990019,20x,p,m,l,1,2021-07-01,x,JPN",
			"V23,R1,990019,208,,m,l,1,2021-07-01,x,JPN",
			"V24,R1,990019,208,p,m,l,0,2021-07-01,x,JPN",
			"V25,R1,990019,208,p,m,l,1,2026-11-22,x,JPN",
			"V26,R1,990019,208,p,m,l,1,1985-03-31,x,JPN",
			"V27,R1,990019,208,p,m,l,1,2021-07-01,x,Japan",
			"V28,R1,990019,208,p,m,123456789018,1,2021-07-01,x,JPN",
			"V29,R1,990019,208,p,m,l,3,2021-12-01,x,JPN", // good
		}, "\n") + "\n"
		got := b.Import(t, map[string]string{"vaccinations.csv": text}, b.Importer()).Files[0]
		want := []string{"3 record_ref", "4 record_ref", "5 resident_ref", "6 municipality_code", "7 vaccine_code", "8 product",
			"9 dose_number", "10 given_on", "11 given_on", "12 country", "13 lot"}
		var places []string
		for _, f := range got.Faults {
			places = append(places, fmt.Sprintf("%d %s", f.Line, f.Name))
			for _, value := range []string{"123456789018", "Japan", "20x", "OTHER", "R99"} {
				if strings.Contains(f.String(), value) {
					t.Errorf("a value stands in a fault: %s", f.Name)
				}
			}
		}
		if fmt.Sprint(places) != fmt.Sprint(want) || got.Added != 1 || got.Unchanged != 1 {
			t.Errorf("faults %v, added %d, unchanged %d", places, got.Added, got.Unchanged)
		}
	})
}

// failing is a record that cannot be written.
type failing struct{}

func (failing) Append(context.Context, tx.Tx, actor.Actor, audit.Event) error {
	return errors.New("no record")
}

func TestNoCertificateWithoutItsRecord(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := loaded(t, db)
		b.Office.Record = failing{}
		mother := b.Citizen(t, "990019", "R1")
		if _, err := b.ask(t, mother, "key-cccccccccccccccc", mother.ID, issuance.Domestic); err == nil {
			t.Fatal("a certificate was made without a record")
		}
		if n := b.Count(t, `SELECT count(*) FROM certificate`); n != 0 {
			t.Errorf("%d certificates are stored", n)
		}
		if n := b.Count(t, `SELECT count(*) FROM idempotency`); n != 0 {
			t.Errorf("%d calls are kept", n)
		}
	})
}

// TestSevenDosesFitOneCode: the most that anybody in Japan had.
func TestSevenDosesFitOneCode(t *testing.T) {
	b := open(t, storetest.Open(t, store.SQLite))
	text := head
	for i := range 7 {
		text += fmt.Sprintf("W%d,R4,990019,208,コミナティ筋注,ファイザー,PX%04d,%d,202%d-06-0%d,みなと市%d番目の集団接種会場,JPN\n", i, i*997, i+1, 1+i/2, i+1, i)
	}
	if rep := b.Import(t, map[string]string{"vaccinations.csv": text}, b.Importer()); rep.Refused() > 0 {
		t.Fatal(rep)
	}
	who := b.Citizen(t, "990019", "R4")
	c, err := b.ask(t, who, "key-dddddddddddddddd", who.ID, issuance.Domestic)
	if err != nil {
		t.Fatal(err)
	}
	if v := b.verify(t, c)[shc.Format]; v.Outcome != cert.Valid || len(v.Certificate.Doses) != 7 {
		t.Errorf("outcome %s", v.Outcome)
	}
}
