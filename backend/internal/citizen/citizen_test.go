package citizen_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/store"
	storeaudit "madoguchi.example/backend/internal/store/audit"
	storecitizen "madoguchi.example/backend/internal/store/citizen"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/identity"
)

var operator = actor.System{Name: "import"}

// house is a cell with two municipalities and a few people.
type house struct {
	*citizen.Registry
	desk *importing.Desk
	now  time.Time
}

func newHouse(t *testing.T, db *store.DB) *house {
	t.Helper()
	h := &house{now: storetest.Now()}
	clock := func() time.Time { return h.now }
	log := audit.New(storeaudit.New(db.Reads()), audit.Register(), clock, storetest.Rand("audit"))
	h.Registry = citizen.New(citizen.Deps{
		Runner: db.Runner(), Rows: storecitizen.New(db.Reads()), Record: log, Looked: log, Now: clock, Rand: storetest.Rand("ids"),
	})
	h.desk = importing.New(db.Runner(), h.Importers()...)
	return h
}

func (h *house) load(t *testing.T, files map[string]string) importing.Report {
	t.Helper()
	var in []importing.Source
	for name, text := range files {
		in = append(in, importing.Source{Name: name, Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }})
	}
	rep, err := h.desk.Import(t.Context(), operator, in)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func (h *house) mustLoad(t *testing.T, files map[string]string) {
	t.Helper()
	if rep := h.load(t, files); rep.Refused() > 0 {
		t.Fatalf("refused: %v", rep)
	}
}

const (
	municipalitiesCSV = `municipality_code,name_ja,name_easy,name_en,counter_name,counter_place,counter_phone,counter_hours
990019,みなと市,みなとし,Minato City,市民課,市役所1階,03-0000-0001,8:30-17:15
990027,やまのべ町,やまのべまち,Yamanobe Town,住民係,役場1階,023-000-0002,8:30-17:00
`
	residentsHead = "resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since\n"
	residentsCSV  = residentsHead + `R1,990019,山田,花子,ヤマダ,ハナコ,YAMADA,HANAKO,1985-04-01,2,100-0001,みなと市中央一丁目2番3号,1985-04-01
R2,990019,山田,太郎,ヤマダ,タロウ,YAMADA,TARO,2015-05-05,1,100-0001,みなと市中央一丁目2番3号,2015-05-05
R3,990019,山田,次郎,ヤマダ,ジロウ,YAMADA,JIRO,2008-11-21,1,100-0001,みなと市中央一丁目2番3号,2008-11-21
R4,990019,山田,三郎,ヤマダ,サブロウ,YAMADA,SABURO,2008-11-22,1,100-0001,みなと市中央一丁目2番3号,2008-11-22
R5,990027,佐藤,一,サトウ,ハジメ,SATO,HAJIME,1970-01-01,1,990-0001,やまのべ町山辺1-1,1970-01-01
R6,990027,佐藤,一,サトウ,ハジメ,SATO,HAJIME,1970-01-01,1,990-0001,やまのべ町山辺1-1,1990-01-01
R7,990019,鈴木,恵,スズキ,メグミ,SUZUKI,MEGUMI,1950-02-03,2,100-0002,みなと市港町5,1950-02-03
R8,990019,高橋,誠,タカハシ,マコト,TAKAHASHI,MAKOTO,1960-06-07,1,100-0003,みなと市港町6,1960-06-07
R9,990019,髙橋﨑,"ヴァシリエヴィチ",タカハシサキ,ヴァシリエヴィチ,TAKAHASHISAKI,VASILIEVICH,1990-09-09,9,100-0003,みなと市港町7,1990-09-09
`
	householdsCSV = `household_ref,municipality_code,resident_ref,relation,since
H1,990019,R1,head,2010-01-01
H1,990019,R2,child,2015-05-05
H1,990019,R3,child,2010-01-01
H1,990019,R4,child,2010-01-01
H2,990019,R8,other,2010-01-01
`
	deathsCSV = "resident_ref,municipality_code,died_on,registered_on\nR7,990019,2026-01-02,2026-01-05\n"
	movesCSV  = "resident_ref,municipality_code,kind,moved_on,other_municipality\nR8,990019,in,2000-01-01,\nR8,990019,out,2026-03-01,990027\n"
)

func loaded(t *testing.T, db *store.DB) *house {
	h := newHouse(t, db)
	h.mustLoad(t, map[string]string{
		"municipalities.csv": municipalitiesCSV, "residents.csv": residentsCSV, "households.csv": householdsCSV,
		"deaths.csv": deathsCSV, "moves.csv": movesCSV,
		"births.csv": "resident_ref,municipality_code,born_on,registered_on\nR2,990019,2015-05-05,2015-05-10\n",
		"income.csv": "resident_ref,municipality_code,tax_year,income_yen,resident_tax_yen,dependants,exempt\nR1,990019,2025,3000000,120000,3,false\n",
	})
	return h
}

func hanako() citizen.Claims {
	return citizen.Claims{Issuer: "https://idp.example", Subject: "s1", Name: "山田 花子", Address: "みなと市中央1-2-3", BirthDate: "1985-04-01", Gender: "female"}
}

func TestLink(t *testing.T) {
	change := func(f func(c *citizen.Claims)) citizen.Claims { c := hanako(); f(&c); return c }
	cases := []struct {
		name    string
		claims  citizen.Claims
		code    fault.Code
		counter string
	}{
		{"one match", hanako(), "", ""},
		{"full-width blank and digits", change(func(c *citizen.Claims) {
			c.Name, c.Address = "山田　花子", "みなと市中央１丁目２番３号"
		}), "", ""},
		{"no blank", change(func(c *citizen.Claims) { c.Name = "山田花子" }), "", ""},
		{"other name", change(func(c *citizen.Claims) { c.Name = "山田 花江" }), fault.IdentityUnlinked, "みなと市"},
		{"other address, other town", change(func(c *citizen.Claims) { c.Address = "やまのべ町山辺9" }), fault.IdentityUnlinked, "やまのべ町"},
		{"address of no town", change(func(c *citizen.Claims) { c.Address = "どこか" }), fault.IdentityUnlinked, "みなと市"},
		{"other birth date", change(func(c *citizen.Claims) { c.BirthDate = "1985-04-02" }), fault.IdentityUnlinked, "みなと市"},
		{"birth date that is none", change(func(c *citizen.Claims) { c.BirthDate = "1985-4-1" }), fault.IdentityUnlinked, "みなと市"},
		{"other gender", change(func(c *citizen.Claims) { c.Gender = "male" }), fault.IdentityUnlinked, "みなと市"},
		{"no gender", change(func(c *citizen.Claims) { c.Gender = "" }), fault.IdentityUnlinked, "みなと市"},
		{"two matches", citizen.Claims{Issuer: "i", Subject: "s2", Name: "佐藤 一", Address: "やまのべ町山辺1-1", BirthDate: "1970-01-01", Gender: "male"}, fault.IdentityUnlinked, "やまのべ町"},
		{"dead", citizen.Claims{Issuer: "i", Subject: "s3", Name: "鈴木 恵", Address: "みなと市港町5", BirthDate: "1950-02-03", Gender: "female"}, fault.IdentityUnlinked, "みなと市"},
		{"moved out", citizen.Claims{Issuer: "i", Subject: "s4", Name: "高橋 誠", Address: "みなと市港町6", BirthDate: "1960-06-07", Gender: "male"}, fault.IdentityUnlinked, "みなと市"},
		{"other sex and rare characters", citizen.Claims{Issuer: "i", Subject: "s5", Name: "髙橋﨑　ヴァシリエヴィチ", Address: "みなと市港町７", BirthDate: "1990-09-09", Gender: "other"}, "", ""},
		{"no subject", change(func(c *citizen.Claims) { c.Subject = "" }), fault.InvalidArgument, ""},
		{"claim too long", change(func(c *citizen.Claims) { c.Name = strings.Repeat("山", citizen.MaxClaim) }), fault.TooLarge, ""},
		{"claim with NUL", change(func(c *citizen.Claims) { c.Address = "a\x00" }), fault.InvalidArgument, ""},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := loaded(t, db)
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				if c.claims.Subject != "" {
					c.claims.Subject = c.name // else the first case's link would answer
				}
				got, err := h.Link(t.Context(), actor.System{Name: "sign-in"}, audit.Account, c.claims)
				if fault.CodeOf(err) != c.code {
					t.Fatalf("code %q, want %q", fault.CodeOf(err), c.code)
				}
				if (got.ID != "") != (c.code == "") {
					t.Fatalf("linked to %q with code %q", got.ID, c.code)
				}
				checkCounter(t, err, c.counter)
			})
		}
	})
}

func checkCounter(t *testing.T, err error, want string) {
	t.Helper()
	type placed interface {
		error
		WhereToGo() (municipality, name, place, phone, hours string)
	}
	at, ok := errors.AsType[placed](err)
	if !ok {
		if want != "" {
			t.Fatal("the fault names no counter")
		}
		return
	}
	if got, name, _, _, _ := at.WhereToGo(); got != want || name == "" {
		t.Fatalf("counter of %q, want %q", got, want)
	}
}

func TestLinkedSubjectIsCheckedAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := loaded(t, db)
		first, err := h.Link(t.Context(), operator, audit.Account, hanako())
		if err != nil {
			t.Fatal(err)
		}
		married := hanako()
		married.Name, married.Address = "別姓 花子", "別の町"
		again, err := h.Link(t.Context(), operator, audit.Account, married)
		if err != nil || again != first {
			t.Fatalf("the linked subject lost its resident: %v", err)
		}
		h.mustLoad(t, map[string]string{"deaths.csv": "resident_ref,municipality_code,died_on,registered_on\nR1,990019,2026-11-20,2026-11-21\n"})
		if _, err = h.Link(t.Context(), operator, audit.Account, hanako()); fault.CodeOf(err) != fault.IdentityUnlinked {
			t.Fatalf("a dead person signed in: %v", err)
		}
		var recorded int
		if err := db.Reads().Each(t.Context(), `SELECT count(*) FROM audit_entry WHERE action = $1 AND citizen_id = $2`,
			[]any{"account.sign_in_refused", first.ID}, func(scan func(...any) error) error { return scan(&recorded) }); err != nil || recorded != 1 {
			t.Errorf("the look at a resident who was refused is recorded %d times, %v", recorded, err)
		}
	})
}

func signIn(t *testing.T, h *house, c citizen.Claims) actor.Citizen {
	t.Helper()
	l, err := h.Link(t.Context(), operator, audit.Account, c)
	if err != nil {
		t.Fatal(err)
	}
	return actor.Citizen{ID: l.ID, Municipality: l.Municipality}
}

// TestMe: R2 is 11; R4 turns 18 tomorrow; R3 turned 18 today.
func TestMe(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := loaded(t, db)
		me, err := h.Me(t.Context(), signIn(t, h, hanako()), audit.Self)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range me.People {
			names = append(names, p.Name.GivenKanji)
		}
		if got := strings.Join(names, " "); got != "花子 三郎 太郎" {
			t.Errorf("acts for %q", got)
		}
		if !me.People[0].Self || me.People[1].Self || me.Municipality.NameJA != "みなと市" {
			t.Errorf("wrong relations or municipality: %+v", me.Municipality)
		}
		h.now = time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC) // midnight in Japan: R4's birthday
		if me, err = h.Me(t.Context(), actor.Citizen{ID: me.People[0].ID}, audit.Self); err != nil || len(me.People) != 2 {
			t.Errorf("after the birthday acts for %d people, %v", len(me.People)-1, err)
		}
	})
}

func TestAccessLogShowsOwnAndParentsReading(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := loaded(t, db)
		who := signIn(t, h, hanako())
		h.now = h.now.Add(time.Second)
		me, err := h.Me(t.Context(), who, audit.Self)
		if err != nil {
			t.Fatal(err)
		}
		seen, _, err := h.AccessLog(t.Context(), who, audit.Self, "", 10)
		if err != nil || len(seen) != 2 || seen[0].Who != "you" || seen[0].Action != "person.read" || seen[1].Action != "account.sign_in" {
			t.Fatalf("own list: %+v, %v", seen, err)
		}
		if seen[1].Who != "みなと市 市民課" {
			t.Errorf("a job of the office shows as %q", seen[1].Who)
		}
		child := actor.Citizen{ID: me.People[1].ID, Municipality: "990019"}
		seen, _, err = h.AccessLog(t.Context(), child, audit.Self, "", 10)
		if err != nil || len(seen) != 1 || seen[0].Who != "ご家族" {
			t.Fatalf("child's list: %+v, %v", seen, err)
		}
	})
}

func TestResidentsOfOwnMunicipalityOnly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := loaded(t, db)
		err := db.Runner().Do(t.Context(), func(ctx context.Context, tt tx.Tx) error {
			got, err := h.Residents(ctx, tt, "990019", []string{"R1", "R5", "R7", "R8", "nobody"})
			if len(got) != 1 || got["R1"] == "" {
				t.Errorf("found %v", got)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestStandingTable(t *testing.T) {
	resident := citizen.Resident{ID: "ctz_x"}
	d := func(s string) (out identity.BirthDate) {
		if err := out.UnmarshalText([]byte(s)); err != nil {
			t.Fatal(err)
		}
		return out
	}
	on := d("2026-11-21").Date
	out := func(s string) citizen.Move { return citizen.Move{Kind: citizen.MoveOut, On: d(s).Date} }
	in := func(s string) citizen.Move { return citizen.Move{Kind: citizen.MoveIn, On: d(s).Date} }
	cases := []struct {
		name  string
		s     citizen.Standing
		lives bool
	}{
		{"nobody", citizen.Standing{}, false},
		{"plain", citizen.Standing{Resident: resident}, true},
		{"dies tomorrow", citizen.Standing{Resident: resident, DiedOn: d("2026-11-22").Date}, true},
		{"died today", citizen.Standing{Resident: resident, DiedOn: on}, false},
		{"out", citizen.Standing{Resident: resident, Moves: []citizen.Move{out("2026-01-01")}}, false},
		{"out tomorrow", citizen.Standing{Resident: resident, Moves: []citizen.Move{out("2026-11-22")}}, true},
		{"out, then in", citizen.Standing{Resident: resident, Moves: []citizen.Move{in("2026-02-01"), out("2026-01-01")}}, true},
		{"in and out on one day", citizen.Standing{Resident: resident, Moves: []citizen.Move{out("2026-01-01"), in("2026-01-01")}}, false},
		{"out and in on one day", citizen.Standing{Resident: resident, Moves: []citizen.Move{in("2026-01-01"), out("2026-01-01")}}, false},
		{"within after out", citizen.Standing{Resident: resident, Moves: []citizen.Move{out("2026-01-01"), {Kind: citizen.MoveWithin, On: on}}}, false},
		{"register says back later", citizen.Standing{Resident: citizen.Resident{ID: "ctz_x", Since: d("2026-05-01").Date}, Moves: []citizen.Move{out("2026-01-01")}}, true},
	}
	for _, c := range cases {
		if got := c.s.Lives(on); got != c.lives {
			t.Errorf("%s: lives %v", c.name, got)
		}
	}
}
