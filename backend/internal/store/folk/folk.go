// Package folk gives tests of use cases a small town of synthetic people in a test store,
// loaded by the importers themselves.
//
// It promises the same people in every test: in みなと市 (990019) R1 花子 with her children
// R2 太郎 (11 years) and R3 次郎 (17), R4 誠 who lives alone, R5 恵 who died and R6 who moved
// out to やまのべ町 (990027), where T1 is the same person and T2 somebody else.
package folk

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/idempotency"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/store"
	auditrows "madoguchi.example/backend/internal/store/audit"
	citizenrows "madoguchi.example/backend/internal/store/citizen"
	idempotencyrows "madoguchi.example/backend/internal/store/idempotency"
	protectionrows "madoguchi.example/backend/internal/store/protection"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
)

// Files are the registers of the town.
var Files = map[string]string{
	"municipalities.csv": `municipality_code,name_ja,name_easy,name_en,counter_name,counter_place,counter_phone,counter_hours
990019,みなと市,みなとし,Minato City,市民課,市役所1階,03-0000-0001,8:30-17:15
990027,やまのべ町,やまのべまち,Yamanobe Town,住民係,役場1階,023-000-0002,8:30-17:00
`,
	"residents.csv": `resident_ref,municipality_code,family_kanji,given_kanji,family_kana,given_kana,family_latin,given_latin,birth_date,sex,postal_code,address,resident_since
R1,990019,山田,花子,ヤマダ,ハナコ,YAMADA,HANAKO,1985-04-01,2,100-0001,みなと市中央一丁目2番3号,1985-04-01
R2,990019,山田,太郎,ヤマダ,タロウ,YAMADA,TARO,2015-05-05,1,100-0001,みなと市中央一丁目2番3号,2015-05-05
R3,990019,山田,次郎,ヤマダ,ジロウ,YAMADA,JIRO,2008-12-01,1,100-0001,みなと市中央一丁目2番3号,2008-12-01
R4,990019,高橋,誠,タカハシ,マコト,TAKAHASHI,MAKOTO,1960-06-07,1,100-0003,みなと市港町6,1960-06-07
R5,990019,鈴木,恵,スズキ,メグミ,SUZUKI,MEGUMI,1950-02-03,2,100-0002,みなと市港町5,1950-02-03
R6,990019,田中,幸子,タナカ,サチコ,TANAKA,SACHIKO,1975-07-07,2,100-0004,みなと市港町8,1975-07-07
T1,990027,田中,幸子,タナカ,サチコ,TANAKA,SACHIKO,1975-07-07,2,990-0001,やまのべ町山辺1,2023-04-01
T2,990027,佐藤,一,サトウ,ハジメ,SATO,HAJIME,1970-01-01,1,990-0001,やまのべ町山辺2,1970-01-01
`,
	"households.csv": `household_ref,municipality_code,resident_ref,relation,since
H1,990019,R1,head,2010-01-01
H1,990019,R2,child,2015-05-05
H1,990019,R3,child,2010-01-01
H2,990019,R4,head,2010-01-01
H3,990027,T1,head,2023-04-01
H4,990027,T2,head,2010-01-01
`,
	"moves.csv":  "resident_ref,municipality_code,kind,moved_on,other_municipality\nR6,990019,out,2023-04-01,990027\nT1,990027,in,2023-04-01,990019\n",
	"deaths.csv": "resident_ref,municipality_code,died_on,registered_on\nR5,990019,2026-01-02,2026-01-05\n",
}

// Town is the people with what use cases need beside them.
type Town struct {
	DB       *store.DB
	Registry *citizen.Registry
	Rows     *citizenrows.Rows
	Log      *audit.Log
	// Protection knows whom nothing may be sent to: nobody, until a test says so.
	Protection *protection.Register
	Keeper     *idempotency.Keeper
	IDs        handle.Source
	Rand       io.Reader

	mu  sync.Mutex
	now time.Time
}

// Settle makes the town in an empty store.
func Settle(t testing.TB, db *store.DB) *Town {
	t.Helper()
	w := &Town{DB: db, now: storetest.Now(), Rand: storetest.Rand("folk"), Rows: citizenrows.New(db.Reads())}
	w.IDs = handle.Source{Now: w.Now, Rand: w.Rand}
	w.Log = audit.New(auditrows.New(db.Reads()), audit.Register(), w.Now, w.Rand)
	w.Keeper = idempotency.New(idempotencyrows.New(db.Reads()), w.Now)
	w.Registry = citizen.New(citizen.Deps{Runner: db.Runner(), Rows: w.Rows, Record: w.Log, Looked: w.Log, Now: w.Now, Rand: w.Rand})
	w.Protection = protection.New(protection.Deps{Runner: db.Runner(), Rows: protectionrows.New(db.Reads()), People: w.Rows,
		Record: w.Log, IDs: w.IDs, Now: w.Now})
	if rep := w.Import(t, Files, w.Registry.Importers()...); rep.Refused() > 0 {
		t.Fatalf("the town's files were refused: %v", rep)
	}
	return w
}

// Now is the town's clock. It stands still until Advance.
func (w *Town) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Advance moves the clock on.
func (w *Town) Advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Import runs files through importers.
func (w *Town) Import(t testing.TB, files map[string]string, importers ...importing.Importer) importing.Report {
	t.Helper()
	var in []importing.Source
	for name, text := range files {
		in = append(in, importing.Source{Name: name, Size: int64(len(text)), Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(text)), nil
		}})
	}
	rep, err := importing.New(w.DB.Runner(), importers...).Import(t.Context(), actor.System{Name: "import"}, in)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// Citizen gives the signed-in form of a resident.
func (w *Town) Citizen(t testing.TB, municipality identity.MunicipalityCode, ref string) actor.Citizen {
	t.Helper()
	at := citizen.Ref{Municipality: municipality, Resident: ref}
	ids, err := w.Rows.Resolve(t.Context(), nil, []citizen.Ref{at})
	if err != nil || ids[at] == "" {
		t.Fatalf("there is no resident %s: %v", ref, err)
	}
	return actor.Citizen{ID: ids[at], Municipality: municipality, Session: "ses_test"}
}

// Count runs a query that gives one number.
func (w *Town) Count(t testing.TB, query string, args ...any) (n int) {
	t.Helper()
	err := w.DB.Reads().Each(t.Context(), query, args, func(scan func(...any) error) error { return scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}
