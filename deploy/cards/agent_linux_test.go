package cards

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/practice/card"
)

// The exit codes that the agent's command promises.
const (
	exitOK     = 0
	exitPCSCD  = 3
	exitReader = 4
	exitCard   = 5
	exitPIN    = 6
)

// line is what `madoguchi-agent card --json` prints.
type line struct {
	Reader      string       `json:"reader"`
	Card        string       `json:"card"`
	PINLeft     int          `json:"pin_left"`
	Person      *person      `json:"person"`
	Certificate string       `json:"certificate"`
	ExpiresAt   string       `json:"expires_at"`
	Unproven    string       `json:"unproven"`
	Place       string       `json:"place"`
	Fault       string       `json:"fault"`
	Readers     []readerLine `json:"readers"`
}

type person struct {
	NameKanji string `json:"name_kanji"`
	Address   string `json:"address"`
	BirthDate string `json:"birth_date"`
	Sex       string `json:"sex"`
	Proven    bool   `json:"proven"`
}

type readerLine struct {
	Name  string `json:"name"`
	State string `json:"state"`
}

// parse reads a line strictly.
func parse(t *testing.T, text []byte) line {
	t.Helper()
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	return l
}

// read runs `madoguchi-agent card` with a PIN. What it prints never has the PIN in it.
func read(t *testing.T, pin string, args ...string) (line, int) {
	t.Helper()
	return agent(t, pin, append([]string{"--pin-stdin"}, args...)...)
}

// look runs it without a PIN.
func look(t *testing.T, args ...string) (line, int) {
	t.Helper()
	return agent(t, "", args...)
}

func agent(t *testing.T, pin string, args ...string) (line, int) {
	t.Helper()
	cmd := exec.CommandContext(soon(t), agentProgram, append([]string{"card", "--json"}, args...)...)
	cmd.Stdin = strings.NewReader(pin + "\n")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %s", err, errs.Bytes())
	}
	if said := out.String() + errs.String(); pin != "" && strings.Contains(said, pin) {
		t.Errorf("the PIN is told: %s", said)
	}
	if n := bytes.Count(out.Bytes(), []byte("\n")); n != 1 {
		t.Fatalf("%d lines: %s%s", n, out.Bytes(), errs.Bytes())
	}
	return parse(t, out.Bytes()), cmd.ProcessState.ExitCode()
}

// trustDir gives the arguments that make the agent trust the practice authority.
func trustDir(t *testing.T) []string {
	t.Helper()
	a, err := authority()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := a.WriteRoots(dir); err != nil {
		t.Fatal(err)
	}
	return []string{"--trust", dir}
}

// same tells whether p is who is printed on the card.
func (p *person) same(who card.Person) bool {
	return p != nil && p.NameKanji == who.Name && p.Address == who.Address && p.BirthDate == who.BirthDate.Format(time.DateOnly) && p.Sex == fmt.Sprint(who.Sex)
}

// wants tells how a line differs from what it must be.
type wants struct {
	card, fault, place, certificate, unproven string
	left, exit                                int
	person                                    bool
}

func (w wants) of(t *testing.T, l line, exit int) {
	t.Helper()
	got := wants{l.Card, l.Fault, l.Place, l.Certificate, l.Unproven, l.PINLeft, exit, l.Person != nil}
	if got != w {
		t.Errorf("told %+v, want %+v", got, w)
	}
	if l.Person != nil && l.Person.Proven != (l.Unproven == "") {
		t.Errorf("proven %t, unproven %q", l.Person.Proven, l.Unproven)
	}
}

func TestTheAgentReadsACard(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	long := holder
	long.Name, long.Address = strings.Repeat("寿限無﨑", 5)+"　"+strings.Repeat("髙", 20), strings.Repeat("架空県みなと市汐見一丁目２番３号", 12)
	for name, o := range map[string]card.Options{
		"as published":        {},
		"of a small child":    {NoSignature: true},
		"without contacts":    {ATR: card.ContactlessATR()},
		"with long texts":     {Person: long, CertificateBytes: 2048},
		"with two tries left": {Tries: map[card.PIN]int{card.TextPIN: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			d := d.in(t)
			c := makeCard(t, o)
			in := d.insert(0, c, card.Faults{})
			l, exit := read(t, card.DefaultPIN, trustDir(t)...)
			wants{card: "my_number", certificate: "good", left: l.PINLeft, exit: exitOK, person: true}.of(t, l, exit)
			who := o.Person
			if who.Name == "" {
				who = holder
			}
			if !l.Person.same(who) || l.Reader != readers[0] || l.PINLeft < 2 {
				t.Errorf("told %+v of %+v", l, l.Person)
			}
			if tries := c.Tries(); tries[card.AuthPIN] != 3 || tries[card.TextPIN] != 3 {
				t.Errorf("tries left: %v", tries)
			}
			t.Logf("%d commands", in.Commands())
			d.empty(in)
		})
	}
}

// The subcommand of madoguchi-practice is such a card, with one of the synthetic people.
func TestTheAgentReadsThePracticeCard(t *testing.T) {
	alone(t)
	startDaemon(t)
	town, err := population.Generate(1, population.MinResidents, time.Now().In(population.Japan).Format(time.DateOnly))
	if err != nil {
		t.Fatal(err)
	}
	people := town.People()
	text, err := json.Marshal(people)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, population.PeopleFile)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- card.Command(ctx, []string{"--vpcd", slots[1], "--person", file, "--sub", people[0].Sub, "--roots", dir, "--pin", "4321"}, io.Discard, time.Now, rand.Reader)
	}()
	watch(t).seesCard("my_number")
	l, exit := read(t, "4321", "--trust", dir)
	wants{card: "my_number", certificate: "good", left: 3, exit: exitOK, person: true}.of(t, l, exit)
	if who, err := card.Holder(people[0]); err != nil || !l.Person.same(who) || l.Reader != readers[1] {
		t.Errorf("%v %+v", err, l)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestTheAgentLooksWithoutAPIN(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	l, exit := look(t)
	wants{card: "none", certificate: "not_read", left: -1, exit: exitOK}.of(t, l, exit)
	if want := []readerLine{{readers[0], "empty"}, {readers[1], "empty"}}; !slices.Equal(l.Readers, want) {
		t.Errorf("readers %v", l.Readers)
	}
	l, exit = read(t, card.DefaultPIN)
	wants{card: "none", fault: "no_card", place: "card", certificate: "not_read", left: -1, exit: exitCard}.of(t, l, exit)
	for kind, want := range map[card.Kind]wants{
		card.Plastic: {card: "my_number", left: 3}, card.Phone: {card: "my_number_phone", left: -1}, card.NoPIN: {card: "my_number_no_pin", left: -1},
		card.VisualOnly: {card: "my_number", left: 3}, card.Foreign: {card: "other", left: -1},
	} {
		in := d.insert(0, makeCard(t, card.Options{Kind: kind}), card.Faults{})
		want.certificate = "not_read"
		l, exit := look(t)
		want.of(t, l, exit)
		d.empty(in)
	}
}

// What the agent makes of each card that cannot be read as most can.
func TestTheAgentSaysWhatIsWrong(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	roots := trustDir(t)
	tries := func(auth, text int) map[card.PIN]int {
		return map[card.PIN]int{card.AuthPIN: auth, card.TextPIN: text}
	}
	for name, c := range map[string]struct {
		o     card.Options
		pin   string
		want  wants
		after map[card.PIN]int
	}{
		"a wrong PIN":            {card.Options{}, "9999", wants{"my_number", "pin_wrong", "pin", "not_read", "", 2, exitPIN, false}, tries(3, 2)},
		"a PIN of letters":       {card.Options{}, "12a4", wants{"my_number", "pin_form", "pin", "not_read", "", 3, exitPIN, false}, tries(3, 3)},
		"a PIN of three digits":  {card.Options{}, "123", wants{"my_number", "pin_form", "pin", "not_read", "", 3, exitPIN, false}, tries(3, 3)},
		"no PIN":                 {card.Options{}, "", wants{"my_number", "pin_form", "pin", "not_read", "", 3, exitPIN, false}, tries(3, 3)},
		"the last try":           {card.Options{Tries: tries(3, 1)}, "1234", wants{"my_number", "pin_last_try", "pin", "not_read", "", 1, exitPIN, false}, tries(3, 1)},
		"a blocked PIN":          {card.Options{Tries: tries(3, 0)}, "1234", wants{"my_number", "pin_blocked", "pin", "not_read", "", 0, exitPIN, false}, tries(3, 0)},
		"a PIN blocked by 6983":  {card.Options{Tries: tries(3, 0), BlockedWord: 0x6983}, "1234", wants{"my_number", "pin_blocked", "pin", "not_read", "", 0, exitPIN, false}, tries(3, 0)},
		"two PINs":               {card.Options{TextPIN: "5678"}, "5678", wants{"my_number", "", "", "good", "pin_differs", 2, exitOK, true}, tries(2, 3)},
		"the other PIN used up":  {card.Options{Tries: tries(2, 3)}, "1234", wants{"my_number", "", "", "good", "pin_left_low", 2, exitOK, true}, tries(2, 3)},
		"an expired certificate": {card.Options{Expired: true}, "1234", wants{"my_number", "", "", "expired", "certificate_expired", 3, exitOK, true}, tries(3, 3)},
		"no certificate":         {card.Options{Kind: card.VisualOnly}, "1234", wants{"my_number", "", "", "not_read", "no_certificate", 3, exitOK, true}, nil},
		"a phone":                {card.Options{Kind: card.Phone}, "1234", wants{"my_number_phone", "phone_card", "card", "not_read", "", -1, exitCard, false}, nil},
		"a card without PIN":     {card.Options{Kind: card.NoPIN}, "1234", wants{"my_number_no_pin", "no_pin_card", "card", "not_read", "", -1, exitCard, false}, nil},
		"an unknown card":        {card.Options{Kind: card.Foreign}, "1234", wants{"other", "unknown_card", "card", "not_read", "", -1, exitCard, false}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := d.in(t)
			virtual := makeCard(t, c.o)
			in := d.insert(0, virtual, card.Faults{})
			l, exit := read(t, c.pin, roots...)
			c.want.of(t, l, exit)
			if left := virtual.Tries(); c.after != nil && (left[card.AuthPIN] != c.after[card.AuthPIN] || left[card.TextPIN] != c.after[card.TextPIN]) {
				t.Errorf("tries left: %v, want %v", left, c.after)
			}
			d.empty(in)
		})
	}
}

// Without its root, or with another one, a card is read and proves nothing.
func TestACardOfAnotherAuthorityProvesNothing(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	d.insert(0, makeCard(t, card.Options{}), card.Faults{})
	l, exit := read(t, card.DefaultPIN, "--trust", t.TempDir())
	wants{card: "my_number", certificate: "untrusted", unproven: "certificate_untrusted", left: 3, exit: exitOK, person: true}.of(t, l, exit)
}

// Wherever in the reading the card is pulled, nothing is told of a person, the word says
// what to do, and no try is lost.
func TestACardPulledInTheMiddle(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	roots := trustDir(t)
	whole := d.insert(0, makeCard(t, card.Options{}), card.Faults{})
	if _, exit := read(t, card.DefaultPIN, roots...); exit != exitOK {
		t.Fatal("exit ", exit)
	}
	d.empty(whole)
	// The last command only makes the card forget the PIN: all was read by then.
	last, step, cases := whole.Commands()-1, 3, 0
	if os.Getenv("MADOGUCHI_SOAK") != "" {
		step = 1
	}
	for n := 1; n < last; n += step {
		c := makeCard(t, card.Options{})
		in := d.insert(0, c, card.Faults{PullAfter: n})
		l, exit := read(t, card.DefaultPIN, roots...)
		if l.Person != nil || exit != exitCard || l.Place != "card" || l.Fault != "card_removed" && l.Fault != "no_card" {
			t.Errorf("pulled after %d of %d commands: exit %d, %+v", n, last, exit, l)
		}
		if tries := c.Tries(); tries[card.AuthPIN] != 3 || tries[card.TextPIN] != 3 {
			t.Errorf("pulled after %d commands: tries left %v", n, tries)
		}
		d.empty(in)
		cases++
	}
	t.Logf("pulled at %d places of %d commands", cases, last)
}

// A card that is pulled while another slides into its place: the two are never one reading.
func TestACardIsSwappedInTheMiddle(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	roots := trustDir(t)
	for _, n := range []int{18, 28} {
		first, other := makeCard(t, card.Options{}), holder
		other.Name = "架空　太郎"
		second := makeCard(t, card.Options{Person: other})
		in := d.insert(0, first, card.Faults{PullAfter: n})
		next := d.put(0, second, card.Faults{}) // waits behind the first
		l, exit := read(t, card.DefaultPIN, roots...)
		if l.Person != nil || exit != exitCard {
			t.Errorf("swapped after %d commands: exit %d, %+v", n, exit, l)
		}
		if second.Tries()[card.TextPIN] != 3 || second.Tries()[card.AuthPIN] != 3 {
			t.Errorf("swapped after %d commands: tries left %v", n, second.Tries())
		}
		next.Remove()
		d.empty(in)
	}
}

// A card that loses its power for a moment forgets what was verified: nothing is told of a
// person unless all was read.
func TestACardThatLosesItsPower(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	roots := trustDir(t)
	for _, n := range []int{3, 8, 12, 15, 18, 22} {
		c := makeCard(t, card.Options{})
		in := d.insert(0, c, card.Faults{ResetAfter: n})
		l, exit := read(t, card.DefaultPIN, roots...)
		if (exit == exitOK) != (l.Person != nil) || exit != exitOK && (exit != exitCard || l.Place != "card") {
			t.Errorf("lost power after %d commands: exit %d, %+v", n, exit, l)
		}
		if tries := c.Tries(); tries[card.AuthPIN] != 3 || tries[card.TextPIN] != 3 {
			t.Errorf("lost power after %d commands: tries left %v", n, tries)
		}
		d.empty(in)
	}
}

// Another program that resets the card in the middle of a reading waits for its end.
func TestAnotherProgramResetsTheCard(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	in := d.insert(0, makeCard(t, card.Options{}), card.Faults{Slow: 40 * time.Millisecond})
	for _, early := range []int{2, 14} { // while it looks, while it reads
		before := in.Commands()
		var other sync.WaitGroup
		other.Go(func() {
			until(t, "the reading has begun", func() bool { return in.Commands() >= before+early })
			if out, err := exec.Command("opensc-tool", "--reset").CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
		l, exit := read(t, card.DefaultPIN, trustDir(t)...)
		wants{card: "my_number", certificate: "good", left: 3, exit: exitOK, person: true}.of(t, l, exit)
		other.Wait()
	}
}

// A card that another program keeps to itself is told as such, not as a slow one.
func TestAnotherProgramKeepsTheCard(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	in := d.insert(0, makeCard(t, card.Options{}), card.Faults{Slow: 2 * time.Second})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var other sync.WaitGroup
	other.Go(func() {
		_ = exec.CommandContext(ctx, "pkcs15-tool", "--dump").Run() // it is ended in the middle
	})
	until(t, "the other program has the card", func() bool { return in.Commands() > 0 })
	l, exit := read(t, card.DefaultPIN)
	if l.Person != nil || l.Fault != "in_use" || l.Place != "reader" || exit != exitReader {
		t.Errorf("exit %d, %+v", exit, l)
	}
	cancel()
	other.Wait()
}

// A card that lies the wrong way up is there and takes no power.
func TestACardThatDoesNotAnswer(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	d.put(0, makeCard(t, card.Options{}), card.Faults{Mute: true})
	watch(t).seesCard("mute")
	l, exit := read(t, card.DefaultPIN)
	wants{card: "mute", fault: "mute_card", place: "card", certificate: "not_read", left: -1, exit: exitCard}.of(t, l, exit)
}

// A card that falls silent is given up, and the next one is read.
func TestACardThatFallsSilent(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	in := d.insert(0, makeCard(t, card.Options{}), card.Faults{MuteAfter: 20})
	l, exit := read(t, card.DefaultPIN)
	if l.Person != nil || l.Fault != "card_slow" || exit != exitCard {
		t.Errorf("exit %d, %+v", exit, l)
	}
	d.empty(in)
	d.insert(0, makeCard(t, card.Options{}), card.Faults{})
	l, exit = read(t, card.DefaultPIN, trustDir(t)...)
	wants{card: "my_number", certificate: "good", left: 3, exit: exitOK, person: true}.of(t, l, exit)
}

// The daemon dies under a reading: nothing is told of a person, and no try is lost.
func TestTheDaemonDiesInTheMiddle(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	for _, commands := range []int{3, 20} { // while it looks, while it reads
		c := makeCard(t, card.Options{})
		in := d.insert(0, c, card.Faults{Slow: 40 * time.Millisecond})
		var death sync.WaitGroup
		death.Go(func() {
			until(t, "the reading has begun", func() bool { return in.Commands() >= commands })
			d.kill()
		})
		l, exit := read(t, card.DefaultPIN)
		death.Wait()
		if l.Person != nil || l.Fault != "pcscd_gone" || l.Place != "pcscd" || exit != exitPCSCD {
			t.Errorf("after %d commands: exit %d, %+v", commands, exit, l)
		}
		if tries := c.Tries(); tries[card.AuthPIN] != 3 || tries[card.TextPIN] != 3 {
			t.Errorf("after %d commands: tries left %v", commands, tries)
		}
		in.Remove()
		d.start()
	}
}

func TestASlowCardIsReadToTheEnd(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	d.insert(0, makeCard(t, card.Options{}), card.Faults{Slow: 200 * time.Millisecond})
	l, exit := read(t, card.DefaultPIN, trustDir(t)...)
	wants{card: "my_number", certificate: "good", left: 3, exit: exitOK, person: true}.of(t, l, exit)
}

// Of two cards none is read until one is named.
func TestTwoCardsInTwoReaders(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	people := []card.Person{holder, holder}
	people[1].Name = "架空　太郎"
	cards := []*card.Card{makeCard(t, card.Options{Person: people[0]}), makeCard(t, card.Options{Person: people[1]})}
	for slot, c := range cards {
		d.insert(slot, c, card.Faults{})
	}
	l, exit := read(t, card.DefaultPIN)
	if l.Fault != "two_cards" || l.Place != "reader" || exit != exitReader || l.Person != nil {
		t.Errorf("exit %d, %+v", exit, l)
	}
	for slot, who := range people {
		l, exit := read(t, card.DefaultPIN, append(trustDir(t), "--reader", readers[slot])...)
		wants{card: "my_number", certificate: "good", left: 3, exit: exitOK, person: true}.of(t, l, exit)
		if !l.Person.same(who) || l.Reader != readers[slot] {
			t.Errorf("slot %d: %+v of %s", slot, l.Person, l.Reader)
		}
	}
	l, exit = look(t, "--reader", "a reader that is not there")
	if l.Fault != "reader_unknown" || exit != exitReader {
		t.Errorf("exit %d, %+v", exit, l)
	}
}

func TestNoDaemonAndNoReader(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	d.kill()
	l, exit := read(t, card.DefaultPIN)
	wants{card: "none", fault: "no_pcscd", place: "pcscd", certificate: "not_read", left: -1, exit: exitPCSCD}.of(t, l, exit)
	d.unplug()
	d.start()
	l, exit = read(t, card.DefaultPIN)
	wants{card: "none", fault: "no_reader", place: "reader", certificate: "not_read", left: -1, exit: exitReader}.of(t, l, exit)
}

// watcher is a running `madoguchi-agent card --watch`.
type watcher struct {
	t     *testing.T
	lines chan line
}

func watch(t *testing.T) *watcher {
	t.Helper()
	cmd := exec.Command(agentProgram, "card", "--json", "--watch")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := &watcher{t: t, lines: make(chan line, 100)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for s := bufio.NewScanner(out); s.Scan(); {
			var l line
			if json.Unmarshal(s.Bytes(), &l) == nil {
				w.lines <- l
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // Wait tells how it went
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Error("the agent that watched ended with ", err)
		}
	})
	return w
}

// sees waits for a line that is so.
func (w *watcher) sees(what string, so func(line) bool) {
	w.t.Helper()
	for ctx, last := soon(w.t), (line{}); ; {
		select {
		case l := <-w.lines:
			if last = l; so(l) {
				return
			}
		case <-ctx.Done():
			w.t.Fatalf("%s was not seen; last %+v", what, last)
		}
	}
}

func (w *watcher) seesCard(kind string) {
	w.t.Helper()
	w.sees(kind, func(l line) bool { return l.Fault == "" && l.Card == kind })
}

func (w *watcher) seesFault(words ...string) {
	w.t.Helper()
	w.sees(fmt.Sprint(words), func(l line) bool { return slices.Contains(words, l.Fault) })
}

func TestTheAgentWatchesCardsComeAndGo(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	w := watch(t)
	w.seesCard("none")
	first := d.insert(0, makeCard(t, card.Options{}), card.Faults{})
	w.seesCard("my_number")
	d.insert(1, makeCard(t, card.Options{Kind: card.Phone}), card.Faults{})
	w.seesFault("two_cards")
	d.empty(first)
	w.seesCard("my_number_phone")
	d.insert(0, makeCard(t, card.Options{Kind: card.Foreign}), card.Faults{})
	w.sees("a card that is not meant beside the one that is", func(l line) bool {
		return l.Card == "my_number_phone" && l.Fault == "" && l.Reader == readers[1] && !slices.ContainsFunc(l.Readers, func(r readerLine) bool { return r.State != "present" })
	})
}

// The daemon is killed and started again while the agent waits, twice; the card lies in the
// reader all the time.
func TestTheAgentOutlivesTheDaemon(t *testing.T) {
	alone(t)
	d := startDaemon(t)
	d.insert(0, makeCard(t, card.Options{}), card.Faults{})
	w := watch(t)
	for range 2 {
		w.seesCard("my_number")
		d.kill()
		w.seesFault("no_pcscd", "pcscd_gone")
		d.start()
	}
	w.seesCard("my_number")
	d.kill()
	w.seesFault("no_pcscd", "pcscd_gone")
	d.unplug()
	d.start()
	w.seesFault("no_reader")
}
