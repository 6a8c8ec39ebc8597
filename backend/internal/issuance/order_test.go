package issuance_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/issuance"
	"madoguchi.example/backend/internal/publication"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/verify"
)

// orders is how many of them are tried: each has a store of its own.
var orders = map[store.Engine]string{store.SQLite: "12", store.Postgres: "5"}

// history is what a record is, by the acts so far.
type history struct {
	lots   map[string]string // "" while void
	day    int
	issued []paper
}

// paper is a certificate with whether it must be good.
type paper struct {
	issuance.Certificate
	states  []string
	revoked bool
}

// In whatever order records are corrected and certificates issued and taken back, exactly
// those are revoked that state what was corrected since, or were taken back, and all others
// verify.
func TestAnyOrder(t *testing.T) {
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	defer func() { _ = checks.Value.Set(before) }()
	for _, engine := range storetest.Engines {
		t.Run(string(engine), func(t *testing.T) {
			if err := checks.Value.Set(orders[engine]); err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(rt *rapid.T) {
				b := loaded(t, storetest.Open(t, engine))
				h := &history{lots: map[string]string{"V1": "PX0001", "V2": "PX0002"}}
				for range rapid.IntRange(2, 7).Draw(rt, "acts") {
					b.act(t, rt, h)
				}
				b.hold(t, rt, h)
			})
		})
	}
}

// act does one thing at random.
func (b *bench) act(t *testing.T, rt *rapid.T, h *history) {
	mother := b.Citizen(t, "990019", "R1")
	ref := rapid.SampledFrom([]string{"V1", "V2"}).Draw(rt, "record")
	switch rapid.SampledFrom([]string{"issue", "issue", "replace", "void", "again", "take back"}).Draw(rt, "act") {
	case "issue":
		use := rapid.SampledFrom([]issuance.Use{issuance.Domestic, issuance.Overseas}).Draw(rt, "use")
		c, err := b.ask(t, mother, fmt.Sprintf("key-order-%010d", len(h.issued)), mother.ID, use)
		if h.lots["V1"]+h.lots["V2"] == "" {
			if err == nil {
				rt.Fatal("issued of nothing")
			}
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		p := paper{Certificate: c}
		for ref, lot := range h.lots {
			if lot != "" {
				p.states = append(p.states, ref)
			}
		}
		h.issued = append(h.issued, p)
	case "replace":
		h.day++
		h.lots[ref] = fmt.Sprintf("LOT%d", h.day)
		b.correct(t, fmt.Sprintf("%s,R1,990019,208,コミナティ筋注,ファイザー,%s,%s,2021-07-2%s,会場,JPN,replace,2026-01-%02d,訂正", ref, h.lots[ref], ref[1:], ref[1:], h.day))
		h.revoke(ref)
	case "void":
		if h.lots[ref] == "" {
			return
		}
		h.day++
		h.lots[ref] = ""
		b.correct(t, fmt.Sprintf("%s,,990019,,,,,,,,,void,2026-01-%02d,誤り", ref, h.day))
		h.revoke(ref)
	case "again":
		b.Import(t, map[string]string{"vaccinations.csv": records}, b.Importer())
	case "take back":
		if n := len(h.issued); n > 0 && !h.issued[n-1].revoked {
			boss := actor.Staff{ID: "stf_a", Municipality: "990019", Roles: []actor.Role{actor.Approver}}
			if err := b.TakeBack(t.Context(), boss, audit.RecordCorrection, h.issued[n-1].Reference, "本人の申し出"); err != nil {
				rt.Fatal(err)
			}
			h.issued[n-1].revoked = true
		}
	}
	b.Advance(time.Minute)
}

func (h *history) revoke(ref string) {
	for i, p := range h.issued {
		if strings.Contains(strings.Join(p.states, " "), ref) {
			h.issued[i].revoked = true
		}
	}
}

// hold shows every certificate in every form to a terminal.
func (b *bench) hold(t *testing.T, rt *rapid.T, h *history) {
	b.Advance(publication.Staleness)
	snap := b.snapshot(t)
	for i, p := range h.issued {
		for _, r := range p.Renderings {
			want := cert.Valid
			if p.revoked {
				want = cert.Revoked
			}
			if v := verify.Verify([]byte(r.Text), snap, b.Now()); v.Outcome != want {
				rt.Errorf("certificate %d as %s is %s, want %s", i, r.Format, v.Outcome, want)
			}
		}
	}
	good := 0
	for _, p := range h.issued {
		if !p.revoked {
			good++
		}
	}
	if n := b.Count(t, `SELECT count(*) FROM certificate_revocation`); n != len(h.issued)-good {
		rt.Errorf("%d revocations, want %d", n, len(h.issued)-good)
	}
}
