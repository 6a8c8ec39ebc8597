package childsupport_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/protection"
	"madoguchi.example/backend/internal/store"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

func TestAnswersOfAFamily(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		id := b.flagged(t, "A")[0].ID
		b.offered(t, id)
		head, spouse := b.Citizen(t, minato, "Ah"), b.Citizen(t, minato, "As")
		offers, version, err := b.Offers(t.Context(), head, audit.Self)
		must(t, err)
		offer := offers[0].ID
		for _, ref := range []string{"As", "Bh", "Ac"} {
			c := b.Citizen(t, minato, ref)
			_, err := b.Offer(t.Context(), c, audit.Self, offer)
			wants(t, err, fault.NotFound, "")
			_, err = b.Answer(t.Context(), c, audit.Self, offer, childsupport.Yes)
			wants(t, err, fault.NotFound, "")
		}
		if none, _, err := b.Offers(t.Context(), spouse, audit.Self); err != nil || len(none) != 0 {
			t.Errorf("the spouse has %d offers, %v", len(none), err)
		}
		for _, bad := range []childsupport.Answer{"", "maybe", "ACCEPTED"} {
			_, err := b.Answer(t.Context(), head, audit.Self, offer, bad)
			wants(t, err, fault.InvalidArgument, "answer")
		}
		_, err = b.Answer(t.Context(), head, audit.BenefitDecision, offer, childsupport.Yes)
		wants(t, err, fault.Forbidden, "purpose")
		for _, say := range []childsupport.Answer{childsupport.No, childsupport.No, childsupport.Yes, childsupport.No, childsupport.No} {
			b.Advance(day)
			o, err := b.Answer(t.Context(), head, audit.Self, offer, say)
			if err != nil || o.Answer != say || !o.Open {
				t.Errorf("said %s: %+v, %v", say, o, err)
			}
		}
		c, err := b.Case(t.Context(), ann, why, id)
		must(t, err)
		if c.State != childsupport.Declined || len(c.History) != 6 {
			t.Errorf("state %s, history %v: the same answer again is no act", c.State, c.History)
		}
		_, after, err := b.Offers(t.Context(), head, audit.Self)
		if err != nil || after == version {
			t.Errorf("the version did not change: %v", err)
		}
		must(t, b.Close(t.Context(), ann, why, id, childsupport.Refused, ""))
		_, err = b.Answer(t.Context(), head, audit.Self, offer, childsupport.Yes)
		wants(t, err, fault.Conflict, "deadline")
		if o, err := b.Offer(t.Context(), head, audit.Self, offer); err != nil || o.Open || o.Answer != childsupport.No {
			t.Errorf("after the close: %+v, %v", o, err)
		}
	})
}

// No answer has an effect on anything but the case: no other table changes but the access
// record.
func TestAnAnswerHasNoEffectElsewhere(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		b.offered(t, b.flagged(t, "A")[0].ID)
		head := b.Citizen(t, minato, "Ah")
		offers, _, err := b.Offers(t.Context(), head, audit.Self)
		must(t, err)
		before := counts(t, b)
		_, err = b.Answer(t.Context(), head, audit.Self, offers[0].ID, childsupport.No)
		must(t, err)
		after := counts(t, b)
		for table, n := range after {
			if n != before[table] && table != "audit_entry" && table != "child_act" {
				t.Errorf("%s has %d rows after the answer, %d before", table, n, before[table])
			}
		}
		if got := b.dump(t, "delivery", "citizen_id", "notice_id", "read_at"); strings.Count(got, "\n") != 1 {
			t.Errorf("deliveries:\n%s", got)
		}
	})
}

func counts(t testing.TB, b *bench) map[string]int {
	t.Helper()
	q := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	if b.DB.Engine() == store.Postgres {
		q = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`
	}
	var tables []string
	must(t, b.DB.Reads().Each(t.Context(), q, nil, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		tables = append(tables, name)
		return err
	}))
	out := map[string]int{}
	for _, name := range tables {
		out[name] = b.Count(t, "SELECT count(*) FROM "+name)
	}
	return out
}

// The offer, its notice and its push hold no word of an indicator, an item or a reason.
func TestAnOfferNamesTheSupportAndNothingElse(t *testing.T) {
	r, err := childsupport.Load()
	must(t, err)
	var telling []string
	for _, i := range r.Items {
		telling = append(append(telling, i.Telling...), i.ID, i.Name[notice.Japanese], i.Name[notice.English])
	}
	for _, i := range r.Indicators {
		telling = append(append(telling, i.Telling...), i.ID, i.Name[notice.Japanese], i.Name[notice.English])
	}
	telling = append(telling, "2025-06-01", "2025年6月1日", "山田", "海野", "理由", "お話をうかがいたい", "案内してよい")
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		b.flagged(t, "A")
		b.childcare(t, unclaimed("B", "2026-11-20"))
		b.indicate(t)
		for _, c := range b.open(t) {
			a := propose
			a.Support = c.Indicator.Supports[0]
			must(t, b.Assess(t.Context(), ann, why, c.ID, a))
			must(t, b.Approve(t.Context(), bob, why, c.ID, "案内してよい。"))
		}
		for _, who := range []string{"Ah", "Bh"} {
			family := b.Citizen(t, minato, who)
			offers, _, err := b.Offers(t.Context(), family, audit.Self)
			must(t, err)
			n, err := b.mail.Get(t.Context(), family, audit.Self, offers[0].Notice)
			must(t, err)
			for _, l := range notice.Languages() {
				if n.Texts[l].Title == "" || !strings.Contains(n.Texts[l].Body, offers[0].Support.What[l]) {
					t.Errorf("the notice has no words of the support in %s", l)
				}
			}
			told, err := json.Marshal([]any{offers, n.Texts})
			must(t, err)
			for _, word := range telling {
				if strings.Contains(strings.ToLower(string(told)), strings.ToLower(word)) {
					t.Errorf("the family can read %q", word)
				}
			}
		}
		for _, c := range []string{b.dump(t, "river_job", "kind", "args", "id"), b.dump(t, "notice", "client_id", "texts", "kind")} {
			for _, word := range telling {
				if strings.Contains(c, word) {
					t.Errorf("a notice or a job holds %q", word)
				}
			}
		}
	})
}

func TestASupportThatTellsIsRefusedAtLoad(t *testing.T) {
	for _, c := range []struct{ file, old, new, fault string }{
		{"supports.toml", "お金は いりません。", "健診（けんしん）は お金が いりません。", "supports.toml line 4: holds a word that tells"},
		{"supports.toml", `cost.en = "It is free."`, `cost.en = ""`, "supports.toml line 4: a text is not there in all three languages"},
		{"supports.toml", `id = "home_visit"`, `id = "parenting_talk"`, "supports.toml line 22: the id stands twice"},
		{"register.toml", `purpose = "child_support"`, `purpose = "curiosity"`, "register.toml line 19: the purpose is not in the register of purposes"},
		{"register.toml", `retention_days = 400`, `retention_days = 0`, "register.toml line 19: an item is kept for 1 to"},
		{"register.toml", `source = "childcare"`, `source = "school"`, "register.toml line 19: the source is not in the register"},
		{"register.toml", `serves = ["childcare_grant_unclaimed"]`, `serves = []`, "register.toml line 19: an item that serves no indicator"},
		{"register.toml", `serves = ["checkups_missed_twice"]`, `serves = ["childcare_grant_unclaimed"]`, "register.toml line 89: the item childcare_attendance may not be read for it"},
		{"register.toml", `id = "checkups_missed_twice"`, `id = "score"`, "register.toml line 89: nothing checks this indicator"},
		{"register.toml", `retention_days = 400`, `retention_days = "x`, "register.toml line 24"},
		{"register.toml", `retention_days = 400`, "retention_days = 400\ncolour = \"red\"", "register.toml line 1: the key item.colour is unknown"},
	} {
		fsys := fstest.MapFS{}
		for _, name := range []string{"register.toml", "supports.toml"} {
			text := childsupport.DataFile(t, name)
			if name == c.file {
				if !strings.Contains(text, c.old) {
					t.Fatalf("%s does not hold %s", name, c.old)
				}
				text = strings.Replace(text, c.old, c.new, 1)
			}
			fsys[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if _, err := childsupport.LoadFrom(fsys); err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s → %s: error %v, want %s", c.old, c.new, err, c.fault)
		}
	}
}

// A protection of the child or of a guardian beats the offer, whenever it was set.
func TestProtectionBeatsTheOffer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for name, c := range map[string]struct {
			who    string
			before bool // set before the assessment, else between assessment and approval
		}{
			"the child, before": {"Ac", true}, "the head, before": {"Ah", true},
			"the spouse, between": {"As", false}, "the child, between": {"Ac", false}, "the head, between": {"Ah", false},
		} {
			t.Run(name, func(t *testing.T) {
				b := open(t, storetest.Open(t, db.Engine()), twins...)
				id := b.flagged(t, "A")[0].ID
				if c.before {
					b.protect(t, c.who)
				}
				must(t, b.Assess(t.Context(), ann, why, id, propose))
				if !c.before {
					b.protect(t, c.who)
				}
				must(t, b.Approve(t.Context(), bob, why, id, "案内してよい。"))
				if got := b.state(t, id); got != childsupport.WithPerson || b.sent(t) != 0 || b.Count(t, `SELECT count(*) FROM river_job`) != 0 {
					t.Errorf("state %s, %d notices", got, b.sent(t))
				}
				tasks, err := b.prot.Waiting(t.Context(), pat, audit.Protection, 10)
				if err != nil || len(tasks) != 1 || tasks[0].Object != id || tasks[0].Ref != "Ah" || tasks[0].What != protection.Offer {
					t.Errorf("the protectors' list: %+v, %v", tasks, err)
				}
				if offers, _, err := b.Offers(t.Context(), b.Citizen(t, minato, "Ah"), audit.Self); err != nil || len(offers) != 0 {
					t.Errorf("%d offers, %v", len(offers), err)
				}
				b.lift(t, c.who)
				if got := b.state(t, id); got != childsupport.WithPerson || b.sent(t) != 0 {
					t.Errorf("after lifting: state %s, %d notices", got, b.sent(t))
				}
				must(t, b.Close(t.Context(), ann, why, id, childsupport.InPerson, "訪ねて話した。"))
			})
		}
		t.Run("another family's, and one lifted in time", func(t *testing.T) {
			b := open(t, storetest.Open(t, db.Engine()), twins...)
			id := b.flagged(t, "A")[0].ID
			b.protect(t, "Bh")
			b.protect(t, "Ah")
			must(t, b.Assess(t.Context(), ann, why, id, propose))
			b.lift(t, "Ah")
			must(t, b.Approve(t.Context(), bob, why, id, "案内してよい。"))
			if b.sent(t) != 1 {
				t.Errorf("%d notices, want one", b.sent(t))
			}
		})
	})
}

var errMail = errors.New("the mail is out")

// What a failed posting leaves: nothing, and the approval can be given again.
func TestAFailedPostingUndoesTheApproval(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := open(t, db, twins...)
		id := b.flagged(t, "A")[0].ID
		must(t, b.Assess(t.Context(), ann, why, id, propose))
		deps := b.Desk.Deps
		deps.Mail = brokenMail{}
		broken, err := childsupport.New(deps)
		must(t, err)
		before := counts(t, b)
		if err := broken.Approve(t.Context(), bob, why, id, "案内してよい。"); !errors.Is(err, errMail) {
			t.Fatalf("error %v", err)
		}
		if after := counts(t, b); !slices.Equal([]int{after["child_act"], after["approval_decision"], after["audit_entry"]},
			[]int{before["child_act"], before["approval_decision"], before["audit_entry"]}) {
			t.Errorf("rows %v, before %v", after, before)
		}
		must(t, b.Approve(t.Context(), bob, why, id, "案内してよい。"))
	})
}
