package fleet_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/fleet"
	"madoguchi.example/backend/internal/importing"
	"madoguchi.example/backend/internal/store"
	storeaudit "madoguchi.example/backend/internal/store/audit"
	storefleet "madoguchi.example/backend/internal/store/fleet"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/wire"
)

const offices = `office_ref,municipality_code,class,name,institution_code
clinic-1,990019,clinic,みなと内科,0110113719
ward-1,990019,counter,みなと市 市民課,
kokuho,990019,insurer_counter,みなと市 国保年金課,
ward-1,990027,counter,やまのべ町 住民課,
`

var (
	manager = actor.Staff{ID: "stf_1", Municipality: "990019", Roles: []actor.Role{actor.TerminalManager}}
	system  = actor.System{Name: "test"}
	payers  = []profile.Payer{{ID: "registry", Name: "登録簿", Recipient: recipient}}
)

const recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

type bench struct {
	*fleet.Fleet
	db  *store.DB
	now time.Time
	mu  sync.Mutex
}

func (b *bench) clock() time.Time     { b.mu.Lock(); defer b.mu.Unlock(); return b.now }
func (b *bench) pass(d time.Duration) { b.mu.Lock(); defer b.mu.Unlock(); b.now = b.now.Add(d) }

func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := &bench{db: db, now: storetest.Now()}
		random := storetest.Rand(t.Name())
		b.Fleet = fleet.New(fleet.Deps{
			Runner: db.Runner(), Rows: storefleet.New(db.Reads()), Now: b.clock, Rand: random, Payers: payers, TokenAudience: "https://x.example/token",
			Audit: audit.New(storeaudit.New(db.Reads()), audit.Register(), b.clock, random),
		})
		if got := b.load(t, offices); got.Refused != 0 || got.Added != 4 {
			t.Fatalf("offices: %+v", got)
		}
		fn(t, b)
	})
}

func (b *bench) load(t *testing.T, csv string) importing.FileReport {
	t.Helper()
	rep, err := importing.New(b.db.Runner(), b.Importer()).Import(t.Context(), system, []importing.Source{{
		Name: "offices.csv", Size: int64(len(csv)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(csv)), nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	return rep.Files[0]
}

func (b *bench) code(t *testing.T, ref string) fleet.Code {
	t.Helper()
	c, err := b.IssueCode(t.Context(), manager, audit.TerminalOperation, ref)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bench) enrol(ctx context.Context, e wire.Enrolment) (wire.Enrolled, error) {
	return b.Enrol(ctx, actor.Anyone{}, audit.TerminalOperation, e)
}

func newKey(t testing.TB, seed string) json.RawMessage {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), storetest.Rand(seed))
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return json.RawMessage(fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q,"use":"sig","alg":"ES256","kid":"k"}`,
		encode(point[1:33]), encode(point[33:])))
}

func newRecipient(t testing.TB) string {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient().String()
}

func TestEnrolmentGivesATerminalItsKeyAndProfile(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		typed := strings.ToLower(strings.ReplaceAll(b.code(t, "clinic-1").Reveal(), "-", " "))
		to := newRecipient(t)
		done, err := b.enrol(t.Context(), wire.Enrolment{Code: typed, PublicKey: newKey(t, "a"), Recipient: to})
		if err != nil {
			t.Fatal(err)
		}
		who, key, err := b.TerminalKey(t.Context(), done.Terminal)
		if err != nil || key == nil {
			t.Fatalf("key %v, error %v", key, err)
		}
		if who.ID != done.Terminal || who.Office != done.Office || who.Municipality != "990019" || who.Class != "clinic" {
			t.Errorf("actor %+v", who)
		}
		if got, err := b.Recipient(t.Context(), actor.System{}, audit.EligibilityAnswer, done.Terminal); err != nil || got != to {
			t.Errorf("recipient %q, error %v", got, err)
		}
		p, err := b.Profile(t.Context(), who, audit.TerminalOperation)
		if err != nil {
			t.Fatal(err)
		}
		if p.OfficeName != "みなと内科" || p.Institution != "0110113719" || len(p.Payers) != 1 || p.Validate() != nil {
			t.Errorf("profile %+v: %v", p, p.Validate())
		}
	})
}

func TestACounterIsToldOfNoPayer(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		done, err := b.enrol(t.Context(), wire.Enrolment{Code: b.code(t, "ward-1").Reveal(), PublicKey: newKey(t, "a"), Recipient: newRecipient(t)})
		if err != nil {
			t.Fatal(err)
		}
		p, err := b.Profile(t.Context(), actor.Terminal{ID: done.Terminal}, audit.TerminalOperation)
		if err != nil || len(p.Payers) != 0 || p.Class != profile.Counter {
			t.Errorf("profile %+v, error %v", p, err)
		}
	})
}

func TestACodeWorksOnceForOneTerminalAndDies(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ctx, key, to := t.Context(), newKey(t, "a"), newRecipient(t)
		with := func(code string) wire.Enrolment { return wire.Enrolment{Code: code, PublicKey: key, Recipient: to} }
		refused := func(name string, e wire.Enrolment) {
			t.Helper()
			if done, err := b.enrol(ctx, e); fault.CodeOf(err) != fault.Unauthenticated || done.Terminal != "" {
				t.Errorf("%s: got %+v, error %v", name, done, err)
			}
		}
		code := b.code(t, "clinic-1").Reveal()
		first, err := b.enrol(ctx, with(code))
		if err != nil {
			t.Fatal(err)
		}
		again, err := b.enrol(ctx, with(code))
		if err != nil || again != first {
			t.Errorf("the terminal that lost its answer got %+v, error %v", again, err)
		}
		refused("used code, other key", wire.Enrolment{Code: code, PublicKey: newKey(t, "b"), Recipient: to})
		refused("used code, other recipient", wire.Enrolment{Code: code, PublicKey: key, Recipient: newRecipient(t)})

		old := b.code(t, "clinic-1").Reveal()
		b.pass(fleet.CodeLife)
		refused("too old", with(old))

		guessed := b.code(t, "clinic-1").Reveal()
		wrong := guessed[:len(guessed)-1] + map[bool]string{true: "0", false: "1"}[guessed[len(guessed)-1] != '0']
		for range fleet.CodeAttempts {
			refused("wrong secret", with(wrong))
		}
		refused("right secret after too many attempts", with(guessed))
		refused("nothing like a code", with("xyz"))
		refused("unknown code", with("0000-0000-0000-0000-0000"))
	})
}

func TestOneCodeAtOnceByManyEnrolsOne(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		code := b.code(t, "clinic-1").Reveal()
		var all sync.WaitGroup
		var got [16]wire.Enrolled
		for i := range got {
			key, to := newKey(t, fmt.Sprint(i)), newRecipient(t)
			all.Go(func() {
				got[i], _ = b.enrol(t.Context(), wire.Enrolment{Code: code, PublicKey: key, Recipient: to})
			})
		}
		all.Wait()
		enrolled := 0
		for _, e := range got {
			if e.Terminal != "" {
				enrolled++
			}
		}
		list, err := b.ListTerminals(t.Context(), manager, audit.TerminalOperation)
		if err != nil || enrolled != 1 || len(list) != 1 {
			t.Errorf("%d told that they are enrolled, %d stored, error %v", enrolled, len(list), err)
		}
	})
}

func TestCodesAreStrongBoundAndHashed(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		seen := map[string]bool{}
		for range 50 {
			c := b.code(t, "clinic-1")
			shown := strings.ReplaceAll(c.Reveal(), "-", "")
			if len(shown) != 20 || seen[shown] || fmt.Sprint(c) != "***" || fmt.Sprintf("%v", c.LogValue()) != "***" {
				t.Fatalf("code of %d characters, seen %v, formatted %v", len(shown), seen[shown], c)
			}
			seen[shown] = true
			if c.ExpiresAt.Sub(b.clock()) > 15*time.Minute {
				t.Fatalf("lives until %v", c.ExpiresAt)
			}
		}
		rows := 0
		err := b.db.Reads().Each(t.Context(), `SELECT selector, secret_hash FROM enrolment_code`, nil, func(scan func(...any) error) error {
			var selector string
			var hash []byte
			rows++
			if err := scan(&selector, &hash); err != nil {
				return err
			}
			for shown := range seen {
				if strings.HasPrefix(shown, selector) && (strings.Contains(string(hash), shown[4:]) || len(hash) != 32) {
					t.Errorf("the secret of %s stands in the store", selector)
				}
			}
			return nil
		})
		if err != nil || rows != 50 {
			t.Errorf("%d rows, error %v", rows, err)
		}
	})
}

func TestOfficersStayInTheirMunicipalityAndRole(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		clerk := actor.Staff{ID: "stf_2", Municipality: "990019", Roles: []actor.Role{actor.Clerk}}
		other := actor.Staff{ID: "stf_3", Municipality: "990027", Roles: []actor.Role{actor.TerminalManager}}
		done, err := b.enrol(ctx, wire.Enrolment{Code: b.code(t, "clinic-1").Reveal(), PublicKey: newKey(t, "a"), Recipient: newRecipient(t)})
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			got  func() error
			want fault.Code
		}{
			"clerk's code":     {func() error { _, err := b.IssueCode(ctx, clerk, audit.TerminalOperation, "ward-1"); return err }, fault.Forbidden},
			"other's office":   {func() error { _, err := b.IssueCode(ctx, other, audit.TerminalOperation, "clinic-1"); return err }, fault.NotFound},
			"other's terminal": {func() error { return b.Disable(ctx, other, audit.TerminalOperation, done.Terminal) }, fault.NotFound},
			"clerk's list":     {func() error { _, err := b.ListTerminals(ctx, clerk, audit.TerminalOperation); return err }, fault.Forbidden},
			"ambiguous office": {func() error {
				_, err := b.IssueCodeByOperator(ctx, system, audit.TerminalOperation, "", "ward-1")
				return err
			}, fault.InvalidArgument},
			"named office": {func() error {
				_, err := b.IssueCodeByOperator(ctx, system, audit.TerminalOperation, "990027", "ward-1")
				return err
			}, ""},
			"unknown terminal":  {func() error { _, _, err := b.TerminalKey(ctx, "trm_x"); return err }, fault.NotFound},
			"own terminal":      {func() error { return b.Disable(ctx, manager, audit.TerminalOperation, done.Terminal) }, ""},
			"unregistered word": {func() error { _, err := b.IssueCode(ctx, manager, "fun", "clinic-1"); return err }, fault.Internal},
		} {
			t.Run(name, func(t *testing.T) {
				if err := c.got(); fault.CodeOf(err) != c.want {
					t.Errorf("error %v, want code %q", err, c.want)
				}
			})
		}
		if err := b.InUse(ctx, done.Terminal); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("a disabled terminal: %v", err)
		}
		if _, err := b.Profile(ctx, actor.Terminal{ID: done.Terminal}, audit.TerminalOperation); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("the profile of a disabled terminal: %v", err)
		}
		if list, err := b.ListTerminals(ctx, other, audit.TerminalOperation); err != nil || len(list) != 0 {
			t.Errorf("the other municipality sees %d terminals, error %v", len(list), err)
		}
		if list, err := b.ListOffices(ctx, manager, audit.TerminalOperation); err != nil || len(list) != 3 {
			t.Errorf("%d offices, error %v", len(list), err)
		}
	})
}

func TestContactIsWrittenNowAndThen(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		done, err := b.enrol(t.Context(), wire.Enrolment{Code: b.code(t, "clinic-1").Reveal(), PublicKey: newKey(t, "a"), Recipient: newRecipient(t)})
		if err != nil {
			t.Fatal(err)
		}
		last := func() time.Time {
			t.Helper()
			list, err := b.ListTerminals(t.Context(), manager, audit.TerminalOperation)
			if err != nil || len(list) != 1 {
				t.Fatalf("%d terminals, error %v", len(list), err)
			}
			return list[0].LastContact
		}
		if !last().IsZero() {
			t.Errorf("heard of before the first contact: %v", last())
		}
		start := b.clock()
		for i, want := range []time.Time{start, start, start.Add(fleet.ContactEvery)} {
			if err := b.Seen(t.Context(), actor.Terminal{ID: done.Terminal}, audit.TerminalOperation); err != nil {
				t.Fatal(err)
			}
			if !last().Equal(want) {
				t.Errorf("contact %d: %v, want %v", i, last(), want)
			}
			b.pass(fleet.ContactEvery / 2)
		}
	})
}

func TestOfficesFileTwiceChangesNothingAndABadRowIsTold(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		if got := b.load(t, offices); got.Added != 0 || got.Unchanged != 4 {
			t.Errorf("the same file again: %+v", got)
		}
		got := b.load(t, `office_ref,municipality_code,class,name,institution_code
clinic-1,990019,clinic,みなと内科 本院,0110113719
a,990018,clinic,x,0110113719
b,990019,hospital,x,
c,990019,clinic,x,12
d,990019,shelter,,0110113719
e,990019,counter,123456789018,
`)
		var places []string
		for _, f := range got.Faults {
			places = append(places, fmt.Sprintf("%d %s", f.Line, f.Name))
		}
		want := []string{"3 municipality_code", "4 class", "5 institution_code", "6 name", "6 institution_code", "7 name"}
		if got.Refused != 5 || got.Changed != 1 || !slices.Equal(places, want) {
			t.Errorf("changed %d, refused %d at %q, want %q", got.Changed, got.Refused, places, want)
		}
		list, err := b.ListOffices(t.Context(), manager, audit.TerminalOperation)
		if err != nil || len(list) != 3 || list[0].Name != "みなと内科 本院" {
			t.Errorf("offices %+v, error %v", list, err)
		}
	})
}

func TestKeysAreReadStrictly(t *testing.T) {
	good := string(newKey(t, "a"))
	if k, err := fleet.ParseKey([]byte(good)); err != nil || !strings.HasPrefix(k.String(), `{"crv":"P-256","kty":"EC","x":"`) {
		t.Fatalf("%v %v", k, err)
	}
	for name, doc := range map[string]string{
		"empty":        "",
		"not JSON":     "seeded-secret",
		"list":         "[]",
		"null":         "null",
		"private":      strings.Replace(good, `"use"`, `"d":"AAAA","use"`, 1),
		"unknown":      strings.Replace(good, `"use"`, `"x5u":"https://seeded-secret","use"`, 1),
		"twice":        strings.Replace(good, `"use"`, `"x":"AAAA","use"`, 1),
		"other case":   strings.Replace(good, `"x":`, `"X":`, 1),
		"other curve":  strings.Replace(good, "P-256", "P-384", 1),
		"encryption":   strings.Replace(good, `"use":"sig"`, `"use":"enc"`, 1),
		"other alg":    strings.Replace(good, "ES256", "none", 1),
		"number":       strings.Replace(good, `"kid":"k"`, `"kid":1`, 1),
		"nested":       strings.Replace(good, `"kid":"k"`, `"kid":{}`, 1),
		"trailing":     good + "{}",
		"cut off":      good[:40],
		"off curve":    `{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`,
		"zero":         `{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		"short":        `{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}`,
		"oversized":    `{"kty":"` + strings.Repeat("E", fleet.MaxKeyBytes) + `"}`,
		"padded":       strings.Replace(good, `","y"`, `=","y"`, 1),
		"RSA":          `{"kty":"RSA","n":"AAAA","e":"AQAB"}`,
		"not the type": `"` + good + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fleet.ParseKey([]byte(doc))
			if c := fault.CodeOf(err); c != fault.InvalidArgument && c != fault.TooLarge {
				t.Errorf("error %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "seeded-secret") {
				t.Errorf("the error repeats the input: %v", err)
			}
		})
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add([]byte(newKey(f, "a")))
	f.Add([]byte(`{"kty":"EC","crv":"P-256","x":"","y":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := fleet.ParseKey(b)
		if err != nil {
			return
		}
		again, err := fleet.ParseKey([]byte(k.String()))
		if err != nil || !again.ECDSA().Equal(k.ECDSA()) {
			t.Fatalf("the canonical form reads differently: %v", err)
		}
	})
}
