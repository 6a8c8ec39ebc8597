//go:build !windows

package counter_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/cardtest"
	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/agent/internal/card/pcsc"
	"madoguchi.example/agent/internal/card/pcsc/pcsctest"
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/trust"
	"madoguchi.example/shared/trust/jpki"
)

const (
	reader = "Practice Reader 00 00"
	second = "Practice Reader 01 00"
)

var now = time.Date(2026, time.November, 22, 1, 0, 0, 0, time.UTC)

// issued is a root and a card's key with its certificate, made once.
type issued struct {
	authority *cardtest.Authority
	key       *rsa.PrivateKey
	der       []byte
}

var issue = sync.OnceValue(func() issued {
	a, err := cardtest.NewAuthority(rand.Reader, now)
	if err != nil {
		panic(err)
	}
	key, der, err := a.Issue(rand.Reader, now.AddDate(-1, 0, 0), now.AddDate(4, 0, 0))
	if err != nil {
		panic(err)
	}
	return issued{a, key, der}
})

func plastic() *cardtest.Card { return cardtest.Plastic(issue().der, issue().key) }

// desk is a service with a counter that watches it.
type desk struct {
	*pcsctest.Server
	c       *counter.Counter
	log     *lockedBuffer
	changed <-chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func open(t *testing.T, change func(*counter.Config)) *desk {
	t.Helper()
	dir, err := os.MkdirTemp("", "counter")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &desk{Server: pcsctest.New(t, filepath.Join(dir, "s"), pcsctest.Debian12), log: &lockedBuffer{}}
	d.Plug(reader)
	snap := load(t, issue().authority.Root)
	config := counter.Config{
		Readers: pcsc.New(pcsc.Options{Socket: d.Path()}), Trust: func() trust.Snapshot { return snap },
		Now: func() time.Time { return now }, Rand: rand.Reader,
		Log: slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&config)
	}
	d.c = counter.New(config)
	return d
}

// run starts the counter.
func (d *desk) run(t *testing.T) *desk {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changed, stop := d.c.Watch()
	d.changed = changed
	ended := make(chan error, 1)
	go func() { ended <- d.c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		stop()
	})
	return d
}

func load(t *testing.T, root []byte) trust.Snapshot {
	t.Helper()
	snap, err := trust.Load(fstest.MapFS{"jpki/root.der": {Data: root}}, []trust.Section{jpki.Section})
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// until waits for a status.
func (d *desk) until(t *testing.T, what string, is func(s counter.Status) bool) counter.Status {
	t.Helper()
	late := time.After(15 * time.Second)
	for {
		if s := d.c.Status(); is(s) {
			return s
		}
		select {
		case <-d.changed:
		case <-late:
			t.Fatalf("waited for %s; the status is %+v", what, d.c.Status())
		}
	}
}

func (d *desk) kind(t *testing.T, want counter.Kind) counter.Status {
	t.Helper()
	return d.until(t, string(want), func(s counter.Status) bool { return s.Card == want && s.Fault == "" })
}

func (d *desk) fault(t *testing.T, want card.Word) counter.Status {
	t.Helper()
	return d.until(t, string(want), func(s counter.Status) bool { return s.Fault == want })
}

func pin(digits string) []byte { return []byte(digits) }

func TestAReadingOfAPlasticCard(t *testing.T) {
	d := open(t, nil).run(t)
	chip := plastic()
	d.Put(reader, chip)
	if s := d.kind(t, counter.MyNumber); s.PINLeft != 3 || s.Reader != reader || !s.Reachable {
		t.Errorf("%+v", s)
	}
	before := len(chip.Commands())
	digits := pin(cardtest.PIN)
	challenge := []byte("a server's challenge")
	r, err := d.c.Read(t.Context(), digits, counter.Proof{Challenge: challenge})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(digits, make([]byte, 4)) {
		t.Errorf("the PIN was not wiped: %q", digits)
	}
	p := r.Person
	if p.NameKanji != cardtest.Name || p.Address != cardtest.Address || p.BirthDate != (civil.Date{Year: 1980, Month: 4, Day: 1}) || p.Sex != "2" || !p.Proven {
		t.Error("not the person on the card")
	}
	if r.PINLeft != 3 || r.Certificate != counter.Good || !r.ExpiresAt.Equal(now.AddDate(4, 0, 0)) || r.Unproven != "" || r.Reader != reader {
		t.Errorf("%d %s %s %s", r.PINLeft, r.Certificate, r.ExpiresAt, r.Unproven)
	}
	sum := sha256.Sum256(challenge)
	if err := rsa.VerifyPKCS1v15(&issue().key.PublicKey, crypto.SHA256, sum[:], r.Signature); err != nil || !bytes.Equal(r.Challenge, challenge) || !bytes.Equal(r.CertificateDER, issue().der) {
		t.Errorf("what the server gets: %v", err)
	}
	if chip.Verified() {
		t.Error("a PIN counts as verified afterwards")
	}
	for _, apdu := range chip.Commands()[before:] {
		if apdu[1] == 0xA4 && apdu[2] == 2 && apdu[5] == 0 && apdu[6] == 1 {
			t.Errorf("a file 0001 was selected: %X", apdu)
		}
	}
}

// Whatever is logged, said in an error or printed of a reading, no PIN and no person is in it.
func TestNoPINAndNobodyInLogsAndErrors(t *testing.T) {
	d := open(t, nil).run(t)
	chip := plastic()
	d.Put(reader, chip)
	d.kind(t, counter.MyNumber)
	said := &strings.Builder{}
	for _, digits := range []string{cardtest.PIN, "8642", "8642", "8642", "135x"} {
		r, err := d.c.Read(t.Context(), pin(digits), counter.Proof{})
		fmt.Fprintf(said, "%v %+v %#v %v %+v", err, err, errors(err), r, r)
		slog.New(slog.NewJSONHandler(said, nil)).Error("card", "reading", r, "err", err, "status", d.c.Status())
	}
	all := said.String() + d.log.String()
	for _, secret := range []string{cardtest.PIN, "8642", "135x", cardtest.Name, cardtest.Address, cardtest.Birth} {
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), fmt.Sprint([]byte(secret))} {
			if strings.Contains(all, form) {
				t.Errorf("%q is told", form)
			}
		}
	}
	if !strings.Contains(all, string(card.PINWrong)) || !strings.Contains(all, string(card.PINLastTry)) {
		t.Error("nothing was told at all")
	}
	if chip.Left(card.TextAID) != 1 || chip.Left(card.JPKI) != 3 {
		t.Errorf("%d and %d tries left", chip.Left(card.TextAID), chip.Left(card.JPKI))
	}
}

// errors gives the chain of an error as texts.
func errors(err error) (out []string) {
	for err != nil {
		out = append(out, err.Error())
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			break
		}
		err = u.Unwrap()
	}
	return out
}

// bad is a card or a reader in trouble and the word for it.
type bad struct {
	name string
	put  func(d *desk) *cardtest.Card // before the reading
	pin  string
	at   func(d *desk, apdu []byte) bool // called with each command of the reading, until it says that it acted
	want card.Word
	left int // told with the fault
}

func verifies(apdu []byte) bool { return apdu[1] == 0x20 && len(apdu) > 4 }
func signs(apdu []byte) bool    { return apdu[1] == 0x2A }

func changed(change func(c *cardtest.Card)) func(d *desk) *cardtest.Card {
	return func(d *desk) *cardtest.Card {
		c := plastic()
		change(c)
		d.Put(reader, c)
		return c
	}
}

func when(is func([]byte) bool, do func(d *desk)) func(d *desk, apdu []byte) bool {
	return func(d *desk, apdu []byte) bool {
		if is(apdu) {
			do(d)
			return true
		}
		return false
	}
}

func badInput() []bad {
	as := changed(func(*cardtest.Card) {})
	attributes := func(file []byte) func(d *desk) *cardtest.Card {
		return changed(func(c *cardtest.Card) { c.Files[card.TextAID][card.TextAttributes] = file })
	}
	certificate := func(file []byte) func(d *desk) *cardtest.Card {
		return changed(func(c *cardtest.Card) { c.Files[card.JPKI][card.JPKICertificate] = file })
	}
	whole := cardtest.Attributes(cardtest.Name, cardtest.Address, cardtest.Birth, "2")
	return []bad{
		{"pulled at the PIN", as, "", when(verifies, func(d *desk) { d.Pull(reader) }), card.CardRemoved, -1},
		{"pulled at the signature", as, "", when(signs, func(d *desk) { d.Pull(reader) }), card.CardRemoved, 3},
		{"unplugged in the middle", as, "", when(verifies, func(d *desk) { d.Unplug(reader) }), card.ReaderGone, -1},
		{"pcscd restarted in the middle", as, "", when(verifies, func(d *desk) { d.Restart() }), card.PCSCDGone, -1},
		{"another program keeps the card", as, "", when(verifies, func(d *desk) { d.Hold(reader, true) }), card.ReaderInUse, -1},
		{"blocked", changed(func(c *cardtest.Card) { c.PINs[card.TextAID].Left = 0 }), "", nil, card.PINBlocked, 0},
		{"the key's PIN blocked", changed(func(c *cardtest.Card) { c.PINs[card.JPKI].Left = 0 }), "", nil, card.PINBlocked, 0},
		{"at the last try", changed(func(c *cardtest.Card) { c.PINs[card.TextAID].Left = 1 }), "", nil, card.PINLastTry, 1},
		{"the key's PIN at the last try", changed(func(c *cardtest.Card) { c.PINs[card.JPKI].Left = 1 }), "", nil, card.PINLastTry, 1},
		{"wrong", as, "0000", nil, card.PINWrong, 2},
		{"wrong at two", changed(func(c *cardtest.Card) { c.PINs[card.TextAID].Left = 2 }), "0000", nil, card.PINWrong, 1},
		{"not a PIN", as, "12345", nil, card.PINForm, -1},
		{"unknown card", func(d *desk) *cardtest.Card { c := cardtest.Foreign(); d.Put(reader, c); return c }, "", nil, card.UnknownCard, -1},
		{"unknown carrier", changed(func(c *cardtest.Card) { c.Files[card.JPKI][card.JPKIToken] = []byte("OTHER") }), "", nil, card.UnknownCard, -1},
		{"phone", func(d *desk) *cardtest.Card {
			c := cardtest.Phone(issue().der, issue().key)
			d.Put(reader, c)
			return c
		}, "", nil, card.PhoneCard, -1},
		{"without a PIN", func(d *desk) *cardtest.Card {
			c := cardtest.NoPIN(issue().der, issue().key)
			d.Put(reader, c)
			return c
		}, "", nil, card.NoPINCard, -1},
		{"mute", func(d *desk) *cardtest.Card { d.PutMute(reader); return nil }, "", nil, card.MuteCard, -1},
		{"no card", func(d *desk) *cardtest.Card { return nil }, "", nil, card.NoCard, -1},
		{"attributes cut", attributes(whole[:40]), "", nil, card.CardMalformed, 3},
		{"attributes of 64 KiB", attributes(append([]byte{0xFF, 0x20, 0x82, 0xFF, 0xFF}, make([]byte, 3000)...)), "", nil, card.CardMalformed, 3},
		{"attributes within themselves", attributes(cardtest.TLV(0xFF20, whole)), "", nil, card.CardMalformed, 3},
		{"a certificate that says it is longer", certificate(append([]byte{0x30, 0x82, 0x0E, 0xEE}, issue().der[4:]...)), "", nil, card.CardMalformed, 3},
		{"a certificate that is none", certificate(append([]byte{0x30, 0x82, 0x01, 0x00}, make([]byte, 256)...)), "", nil, card.CardMalformed, 3},
		{"another's certificate", changed(func(c *cardtest.Card) {
			_, der, err := issue().authority.Issue(rand.Reader, now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0))
			if err != nil {
				panic(err)
			}
			c.Files[card.JPKI][card.JPKICertificate] = der
		}), "", nil, card.NotGenuine, 3},
		{"a forged signature", changed(func(c *cardtest.Card) { c.Forged = true }), "", nil, card.NotGenuine, 3},
	}
}

func TestBadInput(t *testing.T) {
	for _, b := range badInput() {
		t.Run(b.name, func(t *testing.T) {
			d := open(t, nil)
			var mu sync.Mutex
			var act func(apdu []byte)
			d.Before = func(_ string, _ int, apdu []byte) {
				mu.Lock()
				do := act
				mu.Unlock()
				if do != nil {
					do(apdu)
				}
			}
			chip := b.put(d)
			// The card is looked at once, so that the reading alone meets the trouble.
			if err := d.c.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
			if b.at != nil {
				acted := false
				mu.Lock()
				act = func(apdu []byte) { acted = acted || b.at(d, apdu) }
				mu.Unlock()
			}
			if b.pin == "" {
				b.pin = cardtest.PIN
			}
			digits := pin(b.pin)
			r, err := d.c.Read(t.Context(), digits, counter.Proof{})
			if card.WordOf(err) != b.want || r.PINLeft != b.left {
				t.Errorf("%v with %d left, want %s with %d", err, r.PINLeft, b.want, b.left)
			}
			if r.Person.NameKanji != "" || !bytes.Equal(digits, make([]byte, len(digits))) {
				t.Error("a person without a reading, or a PIN that was not wiped")
			}
			if chip != nil && chip.Verified() {
				t.Error("a PIN counts as verified afterwards")
			}
			tried := 0
			if chip != nil {
				for _, apdu := range chip.Commands() {
					if verifies(apdu) {
						tried++
					}
				}
			}
			if not := b.want == card.PINBlocked || b.want == card.PINLastTry; not && tried > 0 {
				t.Error("the PIN was tried")
			}
		})
	}
}

func TestAResetCardIsReadAnewOnce(t *testing.T) {
	for _, resets := range []int{1, 2} {
		d := open(t, nil)
		var mu sync.Mutex
		left := 0
		d.Before = func(_ string, _ int, apdu []byte) {
			mu.Lock()
			defer mu.Unlock()
			if left > 0 && signs(apdu) {
				left--
				d.Reset(reader)
			}
		}
		chip := plastic()
		d.Put(reader, chip)
		if err := d.c.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		left = resets
		mu.Unlock()
		r, err := d.c.Read(t.Context(), pin(cardtest.PIN), counter.Proof{})
		switch {
		case resets == 1 && (err != nil || !r.Person.Proven):
			t.Errorf("one reset: %v, %s", err, r.Unproven)
		case resets == 2 && (card.WordOf(err) != card.CardReset || r.Person.NameKanji != ""):
			t.Errorf("two resets: %v", err)
		}
		if chip.Left(card.TextAID) != 3 || chip.Left(card.JPKI) != 3 {
			t.Error("tries were lost")
		}
	}
}

func TestWhatIsProven(t *testing.T) {
	at := func(from, to time.Time) []byte {
		der, err := issue().authority.Certify(rand.Reader, &issue().key.PublicKey, from, to)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	certified := func(der []byte) func(*cardtest.Card) {
		return func(c *cardtest.Card) { c.Files[card.JPKI][card.JPKICertificate] = der }
	}
	for _, c := range []struct {
		name   string
		change func(*cardtest.Card)
		config func(*counter.Config)
		proof  counter.Proof
		state  counter.CertificateState
		why    counter.Unproven
		left   int
	}{
		{"all", func(*cardtest.Card) {}, nil, counter.Proof{}, counter.Good, "", 3},
		{"a certificate that ended", certified(at(now.AddDate(-5, 0, 0), now.Add(-time.Hour))), nil, counter.Proof{}, counter.Expired, counter.ProofExpired, 3},
		{"a certificate of tomorrow", certified(at(now.Add(time.Hour), now.AddDate(5, 0, 0))), nil, counter.Proof{}, counter.NotYetValid, counter.ProofNotYet, 3},
		{"an unknown root", func(*cardtest.Card) {}, func(c *counter.Config) { c.Trust = nil }, counter.Proof{}, counter.Untrusted, counter.ProofUntrusted, 3},
		{"a root that ended", func(*cardtest.Card) {}, func(c *counter.Config) { c.Now = func() time.Time { return now.AddDate(9, 1, 0) } }, counter.Proof{}, counter.Expired, counter.ProofExpired, 3},
		{"a certificate beyond its root", certified(at(now, now.AddDate(20, 0, 0))), func(c *counter.Config) { c.Now = func() time.Time { return now.AddDate(10, 0, 0) } }, counter.Proof{}, counter.Untrusted, counter.ProofUntrusted, 3},
		{"another PIN of the key", func(c *cardtest.Card) { c.PINs[card.JPKI].Digits = "2468" }, nil, counter.Proof{}, counter.Good, counter.ProofDiffers, 2},
		{"a try of the key's PIN is gone", func(c *cardtest.Card) { c.PINs[card.JPKI].Left = 2 }, nil, counter.Proof{}, counter.Good, counter.ProofPINLow, 2},
		{"no signature asked for", func(*cardtest.Card) {}, nil, counter.Proof{Skip: true}, counter.Good, counter.ProofSkipped, 3},
		{"no certificate taken", func(c *cardtest.Card) {
			delete(c.Files[card.JPKI], card.JPKICertificate)
			delete(c.Files[card.JPKI], card.JPKIPIN)
		}, nil, counter.Proof{}, counter.NotRead, counter.ProofAbsent, 3},
		{"no PIN of the key", func(c *cardtest.Card) { delete(c.Files[card.JPKI], card.JPKIPIN) }, nil, counter.Proof{}, counter.Good, counter.ProofAbsent, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, c.config)
			chip := plastic()
			c.change(chip)
			d.Put(reader, chip)
			if err := d.c.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
			r, err := d.c.Read(t.Context(), pin(cardtest.PIN), c.proof)
			if err != nil || r.Certificate != c.state || r.Unproven != c.why || r.PINLeft != c.left {
				t.Errorf("%v: %s, %s, %d left", err, r.Certificate, r.Unproven, r.PINLeft)
			}
			if r.Person.NameKanji != cardtest.Name || r.Person.Proven != (c.why == "") {
				t.Errorf("the person: proven %v", r.Person.Proven)
			}
		})
	}
}

// The root of JPKI of 2015 has ended, and so has what it vouched for.
func TestTheRootOf2015IsRefused(t *testing.T) {
	dir := os.Getenv("MADOGUCHI_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "..", "shared", "vectors")
	}
	for file, want := range map[string]bool{"auth_ca_2015.pem": false, "auth_ca_2023.pem": true} {
		text, err := os.ReadFile(filepath.Join(dir, "insurance", "jpki_ca", file))
		if err != nil {
			t.Skip("0 roots judged: no shared vectors here")
		}
		snap, err := trust.Load(fstest.MapFS{"jpki/a.pem": {Data: text}}, []trust.Section{jpki.Section})
		if err != nil || jpki.From(snap).Len() != 1 {
			t.Fatal(err)
		}
		if holds := jpki.From(snap).HoldAt(now); holds != want {
			t.Errorf("%s holds today: %v", file, holds)
		}
	}
}

func TestTwoReaders(t *testing.T) {
	d := open(t, nil).run(t)
	d.Plug(second)
	d.until(t, "two readers", func(s counter.Status) bool { return len(s.Readers) == 2 && s.Card == counter.None && s.Fault == "" })
	mine, other := plastic(), plastic()
	other.Files[card.TextAID][card.TextAttributes] = cardtest.Attributes("見本　太郎", cardtest.Address, "19551231", "1")
	d.Put(reader, mine)
	d.kind(t, counter.MyNumber)
	d.Put(second, other)
	d.fault(t, card.TwoCards)
	if _, err := d.c.Read(t.Context(), pin(cardtest.PIN), counter.Proof{}); card.WordOf(err) != card.TwoCards {
		t.Errorf("with two cards: %v", err)
	}
	d.c.Choose(second)
	if s := d.kind(t, counter.MyNumber); s.Reader != second {
		t.Errorf("chosen %s, the status says %s", second, s.Reader)
	}
	r, err := d.c.Read(t.Context(), pin(cardtest.PIN), counter.Proof{})
	if err != nil || r.Person.NameKanji != "見本　太郎" || r.Reader != second {
		t.Errorf("of the reader that was chosen: %v", err)
	}
	d.Pull(second)
	if s := d.until(t, "the other", func(s counter.Status) bool { return s.Reader == reader }); s.Card != counter.MyNumber {
		t.Errorf("%+v", s)
	}
	// A staff card that always lies in a reader of its own is no second card.
	d.Put(second, cardtest.Foreign())
	d.until(t, "both", func(s counter.Status) bool {
		return len(s.Readers) == 2 && s.Readers[1].State == card.Present && s.Fault == ""
	})
	if r, err := d.c.Read(t.Context(), pin(cardtest.PIN), counter.Proof{}); err != nil || r.Reader != reader {
		t.Errorf("beside a foreign card: %v", err)
	}
}

func TestWhatLiesThereIsTold(t *testing.T) {
	d := open(t, nil).run(t)
	d.until(t, "nothing", func(s counter.Status) bool { return s.Reachable && s.Card == counter.None && s.Reader == reader })
	d.Put(reader, cardtest.Phone(issue().der, issue().key))
	d.kind(t, counter.MyNumberPhone)
	d.Pull(reader)
	d.Put(reader, cardtest.NoPIN(issue().der, issue().key))
	d.kind(t, counter.MyNumberNoPIN)
	d.Pull(reader)
	d.PutMute(reader)
	d.kind(t, counter.Mute)
	d.Pull(reader)
	d.Put(reader, cardtest.Foreign())
	d.kind(t, counter.Other)
	d.Pull(reader)
	blocked := plastic()
	blocked.PINs[card.JPKI].Left = 0
	d.Put(reader, blocked)
	if s := d.kind(t, counter.MyNumber); s.PINLeft != 0 {
		t.Errorf("%d tries left of a blocked PIN", s.PINLeft)
	}
	d.Unplug(reader)
	d.fault(t, card.NoReader)
}

func TestTheTriesLeftAreTold(t *testing.T) {
	d := open(t, nil).run(t)
	d.Put(reader, plastic())
	d.kind(t, counter.MyNumber)
	if _, err := d.c.Read(t.Context(), pin("0000"), counter.Proof{}); card.WordOf(err) != card.PINWrong {
		t.Fatal(err)
	}
	d.until(t, "two tries", func(s counter.Status) bool { return s.PINLeft == 2 })
	if _, err := d.c.Read(t.Context(), pin(cardtest.PIN), counter.Proof{}); err != nil {
		t.Fatal(err)
	}
	d.until(t, "three tries", func(s counter.Status) bool { return s.PINLeft == 3 })
}

func TestTheServiceComesBack(t *testing.T) {
	d := open(t, nil).run(t)
	d.Put(reader, plastic())
	d.kind(t, counter.MyNumber)
	d.Stop()
	d.until(t, "no service", func(s counter.Status) bool {
		return !s.Reachable && len(s.Readers) == 0 && (s.Fault == card.PCSCDGone || s.Fault == card.NoPCSCD)
	})
	if _, err := d.c.Read(t.Context(), pin(cardtest.PIN), counter.Proof{}); card.WordOf(err).Place() != card.PlacePCSCD {
		t.Errorf("without the service: %v", err)
	}
	d.Start()
	d.kind(t, counter.MyNumber)
	if _, err := d.c.Read(t.Context(), pin(cardtest.PIN), counter.Proof{}); err != nil {
		t.Errorf("after it came back: %v", err)
	}
}

func TestACardInUseIsLookedAtWhenItIsFree(t *testing.T) {
	d := open(t, nil).run(t)
	d.Hold(reader, true)
	d.Put(reader, plastic())
	d.fault(t, card.ReaderInUse)
	d.Hold(reader, false)
	d.kind(t, counter.MyNumber)
}

func TestOnlyTheReaderThatIsMeant(t *testing.T) {
	d := open(t, func(c *counter.Config) { c.Reader = second }).run(t)
	d.Put(reader, plastic())
	d.fault(t, card.ReaderUnknown)
	d.Plug(second)
	d.until(t, "the reader", func(s counter.Status) bool { return s.Fault == "" && s.Reader == second && s.Card == counter.None })
	d.Put(second, plastic())
	if s := d.kind(t, counter.MyNumber); s.Reader != second {
		t.Errorf("%+v", s)
	}
}

func TestAReadingWaitsItsTurn(t *testing.T) {
	d := open(t, nil).run(t)
	chip := plastic()
	d.Put(reader, chip)
	d.kind(t, counter.MyNumber)
	var readings sync.WaitGroup
	for range 4 {
		readings.Go(func() {
			if r, err := d.c.Read(t.Context(), pin(cardtest.PIN), counter.Proof{}); err != nil || !r.Person.Proven {
				t.Errorf("%v", err)
			}
		})
	}
	readings.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	digits := pin(cardtest.PIN)
	if _, err := d.c.Read(ctx, digits, counter.Proof{}); err == nil || !bytes.Equal(digits, make([]byte, 4)) {
		t.Errorf("nobody waits any more: %v", err)
	}
}

func TestAChallengeTooLarge(t *testing.T) {
	d := open(t, nil)
	d.Put(reader, plastic())
	digits := pin(cardtest.PIN)
	if _, err := d.c.Read(t.Context(), digits, counter.Proof{Challenge: make([]byte, 1<<20)}); err == nil || !bytes.Equal(digits, make([]byte, 4)) {
		t.Error(err)
	}
}
