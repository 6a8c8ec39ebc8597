// Package rehearsal is the desk for practising: the act and the pages of the real one over
// invented people, in memory alone.
//
// It promises that what is practised cannot reach the queue, the folders, a card reader or
// the network: a Room is made of a clock and of randomness and of nothing else.
package rehearsal

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/agent/internal/clockfloor"
	"madoguchi.example/agent/internal/inspect"
	"madoguchi.example/agent/internal/queue"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/handle"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/jptext"
	"madoguchi.example/shared/oqs"
	"madoguchi.example/shared/trust"
)

// Config is what a Room is made of. Every field but AnswerAfter must be set.
type Config struct {
	Class  profile.Class // what the practised terminal may be used for
	Office string        // its name, for the bar
	Now    func() time.Time
	Rand   io.Reader
	Log    *slog.Logger
	// AnswerAfter is how long the practised 資格確認端末 takes; 0: DefaultAnswerAfter.
	AnswerAfter time.Duration
}

// DefaultAnswerAfter is about what a real terminal takes.
const DefaultAnswerAfter = 1500 * time.Millisecond

// MaxRows are on the practised list. Nobody signs in to practise, and a room lasts as long
// as its program: for a further row the eldest goes.
const MaxRows = 500

// Room is one desk to practise at. It is safe for concurrent use.
type Room struct {
	config   Config
	memory   *memory
	book     *casebook.Book
	desk     *check.Desk
	reader   *inspect.Reader
	cards    *Cards
	specimen Specimen

	mu      sync.Mutex
	cutAt   time.Time // zero while the practised line is up
	upSince time.Time
	asked   map[string]eligibility.Inquiry
}

// Specimen is a certificate to verify, as its code's text: one that holds, and the same
// with one changed character.
type Specimen struct{ Genuine, Altered string }

// New opens a room.
func New(c Config) (*Room, error) {
	if c.AnswerAfter == 0 {
		c.AnswerAfter = DefaultAnswerAfter
	}
	r := &Room{
		config: c, memory: newMemory(handle.Source{Now: c.Now, Rand: c.Rand}),
		cards: newCards(c.Now), upSince: c.Now(), asked: map[string]eligibility.Inquiry{},
	}
	snap, err := r.issue()
	if err != nil {
		return nil, err
	}
	r.reader = inspect.NewReader(inspect.ReaderConfig{
		Snapshot: func(context.Context) (trust.Snapshot, error) { return snap, nil },
		Clock:    func() clockfloor.Reading { return clockfloor.Reading{At: c.Now()} },
	})
	r.book = casebook.New(r.memory.shelf(casebook.ShelfName))
	r.desk = check.New(check.Config{
		Queue: r.memory, Book: r.book,
		Profile: r.Profile, Line: r.Line, Kick: r.kick, Now: c.Now,
		Seal:   func(string, []byte) ([]byte, error) { return nil, errNowhere() },
		Open:   func([]byte) ([]byte, error) { return nil, errNowhere() },
		Online: online{r},
		Shelf:  func(name string) casebook.Shelf { return r.memory.shelf(name) },
		Rejected: func(string, error) {
			c.Log.Warn("the practice desk did not take its own answer")
		},
	})
	return r, nil
}

func errNowhere() error { return fault.New(fault.Unavailable, "practice is sent nowhere") }

// Desk gives the practised act.
func (r *Room) Desk() *check.Desk { return r.desk }

// Reader gives the eye for certificates; it trusts the specimens' issuer alone.
func (r *Room) Reader() *inspect.Reader { return r.reader }

// Cards gives the practised card reader.
func (r *Room) Cards() *Cards { return r.cards }

// Specimen gives the certificates to verify.
func (r *Room) Specimen() Specimen { return r.specimen }

// Stats tells that nothing waits to be sent anywhere.
func (r *Room) Stats() queue.Stats { return r.memory.Stats() }

// Profile is the practised terminal's.
func (r *Room) Profile() profile.Profile {
	return profile.Profile{
		Schema: 1, Terminal: "trm_practice", Class: r.config.Class, Office: "ofc_practice", OfficeName: r.config.Office,
		AnswerTimeoutMS: check.DefaultAnswerTimeout.Milliseconds(), LockAfterMS: int64(time.Hour / time.Millisecond),
	}
}

// Line is the practised line.
func (r *Room) Line() uplink.Line {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.cutAt.IsZero() {
		return uplink.Line{Since: r.cutAt, LastContact: r.cutAt, Reason: fault.Unavailable}
	}
	return uplink.Line{Up: true, Since: r.upSince, LastContact: r.config.Now()}
}

// Cut takes the practised line away, or brings it back, and has what waits asked then.
func (r *Room) Cut(ctx context.Context, cut bool) error {
	r.mu.Lock()
	now := r.config.Now()
	if cut {
		r.cutAt = now
	} else {
		r.cutAt, r.upSince = time.Time{}, now
	}
	out := slices.Collect(maps.Values(r.asked))
	r.mu.Unlock()
	r.desk.Changed()
	if cut {
		return nil
	}
	for _, q := range out { // asked before the line went, and not answered yet
		r.reply(q)
	}
	return r.desk.Chase(ctx)
}

// kick has a new check asked at once. It does not wait: the caller is the act itself.
func (r *Room) kick() {
	go func() {
		if r.memory.trim(casebook.ShelfName, MaxRows) {
			r.book.Unsure()
		}
		if err := r.desk.Chase(context.Background()); err != nil {
			r.config.Log.Warn("the practice desk could not ask", "code", fault.CodeOf(err))
		}
	}()
}

// online is the practised 資格確認端末.
type online struct{ r *Room }

// Ask answers after a while, unless the line is cut by then.
func (o online) Ask(_ context.Context, q eligibility.Inquiry) error {
	if !o.r.Line().Up {
		return fault.At(fault.Unavailable, "folder", "the practised line is cut")
	}
	o.r.mu.Lock()
	o.r.asked[q.RecordID] = q
	o.r.mu.Unlock()
	time.AfterFunc(o.r.config.AnswerAfter, func() { o.r.reply(q) })
	return nil
}

// Health tells how the practised terminal stands.
func (o online) Health() check.Health {
	if !o.r.Line().Up {
		return check.Health{Fault: "no_folder"}
	}
	return check.Health{Ready: true}
}

func (r *Room) reply(q eligibility.Inquiry) {
	if !r.Line().Up {
		return
	}
	r.mu.Lock()
	delete(r.asked, q.RecordID)
	r.mu.Unlock()
	if err := r.desk.TakeOnline(context.Background(), result(q, r.config.Now())); err != nil {
		r.config.Log.Warn("the practice desk did not take its own answer", "code", fault.CodeOf(err))
	}
}

// result is what the practised terminal says to an inquiry.
func result(q eligibility.Inquiry, now time.Time) oqs.Result {
	item := oqs.Item{Identifier: q.RecordID, Status: oqs.StatusOK, Validity: eligibility.NoneFound}
	for _, p := range patients() {
		if p.Insurer != q.InsurerNumber || p.Number != q.Number || p.Branch != q.Branch || p.Born != q.BirthDate ||
			jptext.Bare(p.Symbol) != jptext.Bare(q.Symbol) {
			continue
		}
		item.Validity = p.Says
		if p.Says == eligibility.Valid {
			item.Coverage = p.coverage()
		}
	}
	return oqs.Result{
		Identifier: q.RecordID, ForDay: q.VisitDay, ExecutedAt: now, Segment: oqs.Done, Encoding: oqs.UTF8, Items: []oqs.Item{item},
	}
}

// practiceIssuer signs the specimens; no other terminal knows it.
const practiceIssuer = "https://practice.madoguchi.example"

// issue makes the specimens with a key that ends with the room, and the trust that knows it.
func (r *Room) issue() (trust.Snapshot, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), r.config.Rand)
	if err != nil {
		return trust.Snapshot{}, fmt.Errorf("cannot make the practice key: %w", err)
	}
	now := r.config.Now()
	jws, err := shc.Issue(key, practiceIssuer, now.Add(-time.Hour), cert.Certificate{
		Holder:    identity.PersonName{FamilyKanji: "練習", GivenKanji: "花子"},
		BirthDate: civil.Date{Year: 1985, Month: 4, Day: 12},
		Doses:     []cert.Dose{{Number: 1, CodeSystem: cert.CVX, Code: "208", On: civil.In(now).AddDays(-200), Performer: "練習診療所", Country: "JPN"}},
	}, shc.Options{})
	if err != nil {
		return trust.Snapshot{}, fmt.Errorf("cannot make the practice certificate: %w", err)
	}
	if r.specimen.Genuine, err = shc.QRText(jws); err != nil {
		return trust.Snapshot{}, err
	}
	if r.specimen.Altered, err = shc.QRText(altered(jws)); err != nil {
		return trust.Snapshot{}, err
	}
	jwks, err := shc.JWKS(shc.Published(&key.PublicKey))
	if err != nil {
		return trust.Snapshot{}, err
	}
	name, issuer, err := trust.IssuerFile("shc", practiceIssuer, jwks)
	if err != nil {
		return trust.Snapshot{}, err
	}
	folder, err := trust.Bundle{Files: map[string][]byte{name: issuer}, Sections: verify.Sections()}.FS()
	if err != nil {
		return trust.Snapshot{}, fmt.Errorf("cannot make the practice trust list: %w", err)
	}
	return verify.LoadTrust(folder)
}

// altered changes the signature's first character.
func altered(jws string) string {
	at := strings.LastIndexByte(jws, '.') + 1
	other := "A"
	if jws[at] == 'A' {
		other = "B"
	}
	return jws[:at] + other + jws[at+1:]
}
