package card

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"madoguchi.example/deploy/practice/people"
)

// Usage is what the subcommand's help begins with.
const Usage = `  madoguchi-practice card [--vpcd ADDRESS] --person FILE [--sub SUB] [--kind KIND] [--roots DIR] …
      a virtual My Number Card in the virtual reader vpcd
`

// flagged is what the command line says.
type flagged struct {
	vpcd, person, sub, kind, state, roots, pin string
	tries                                      int
	expired                                    bool
	faults                                     Faults
}

// Command runs `madoguchi-practice card` with its arguments until ctx ends or the card is
// pulled. It writes one JSON line when the card lies in the reader and one when it is out,
// and fails when something was asked for that nobody may ask for.
func Command(ctx context.Context, args []string, stderr io.Writer, now func() time.Time, random io.Reader) error {
	f, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	c, err := f.card(now(), random)
	if err != nil {
		return err
	}
	in, err := Insert(ctx, f.vpcd, c, f.faults)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	log.Info("inserted", "address", f.vpcd, "kind", f.kind)
	<-in.Removed()
	violations := c.Violations()
	log.Info("removed", "commands", in.Commands(), "tries", c.Tries(), "violations", violations)
	if len(violations) > 0 {
		return fmt.Errorf("the card was asked for what nobody may ask for: %s", strings.Join(violations, "; "))
	}
	return nil
}

func parseFlags(args []string, stderr io.Writer) (flagged, error) {
	var f flagged
	set := flag.NewFlagSet("card", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() {
		fmt.Fprint(stderr, Usage)
		set.PrintDefaults()
	}
	set.StringVar(&f.vpcd, "vpcd", "127.0.0.1:35963", "where vpcd listens; its second reader is at 35964")
	set.StringVar(&f.person, "person", "", "a practice-people.json, or one entry of it")
	set.StringVar(&f.sub, "sub", "", "which of its people; not needed for one entry")
	set.StringVar(&f.kind, "kind", string(Plastic), fmt.Sprint(Kinds()))
	set.StringVar(&f.state, "state", "", "folder that keeps authority, keys and tries for the next start")
	set.StringVar(&f.roots, "roots", "", "folder in the trust layout that gets the practice root")
	set.StringVar(&f.pin, "pin", DefaultPIN, "the PIN of four digits")
	set.IntVar(&f.tries, "tries", -1, "tries left of both PINs of four digits: 0 is blocked; -1 as it was")
	set.BoolVar(&f.expired, "expired", false, "the certificate ended yesterday")
	set.IntVar(&f.faults.PullAfter, "pull-after", 0, "the card is pulled after so many commands")
	set.IntVar(&f.faults.ResetAfter, "reset-after", 0, "it loses its power for a moment after so many commands")
	set.IntVar(&f.faults.MuteAfter, "mute-after", 0, "it answers nothing after so many commands")
	set.BoolVar(&f.faults.Mute, "mute", false, "it answers nothing at all")
	set.DurationVar(&f.faults.Slow, "slow", 0, "what each answer takes longer")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, errors.New("there are arguments too many")
	}
	return f, f.check()
}

func (f flagged) check() error {
	host, _, err := net.SplitHostPort(f.vpcd)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		return errors.New("--vpcd is not a loopback address with a port")
	}
	if !slices.Contains(Kinds(), Kind(f.kind)) {
		return fmt.Errorf("--kind is none of %v", Kinds())
	}
	if f.person == "" && Kind(f.kind) != Foreign {
		return errors.New("--person names no file")
	}
	return nil
}

// fourDigits are the PINs of four digits that each kind has.
var fourDigits = map[Kind][]PIN{Plastic: {AuthPIN, TextPIN}, Phone: {AuthPIN}, VisualOnly: {TextPIN}}

// card makes the card that the command line describes.
func (f flagged) card(now time.Time, random io.Reader) (*Card, error) {
	o := Options{Kind: Kind(f.kind), PIN: f.pin, Expired: f.expired, Now: now, Rand: random}
	if o.Kind == Foreign {
		return New(o)
	}
	var err error
	if o.Person, err = readPerson(f.person, f.sub); err != nil {
		return nil, err
	}
	if err := f.kept(&o); err != nil {
		return nil, err
	}
	if f.roots != "" {
		if err := o.Authority.WriteRoots(f.roots); err != nil {
			return nil, err
		}
	}
	if f.tries >= 0 {
		o.Tries = map[PIN]int{}
		for _, p := range fourDigits[o.Kind] {
			o.Tries[p] = f.tries
		}
	}
	return New(o)
}

// kept fills in what the state folder keeps, or what is made for this run alone.
func (f flagged) kept(o *Options) (err error) {
	if f.state == "" {
		o.Authority, err = NewAuthority(o.Rand, o.Now)
		return err
	}
	s := state{f.state}
	if o.Authority, err = s.authority(o.Rand, o.Now); err != nil {
		return err
	}
	if o.Keys, err = s.keys(o.Rand); err != nil {
		return err
	}
	o.Changed = func(left map[PIN]int) { _ = s.saveTries(left) } // the card cannot tell that its memory is full
	o.Tries, err = s.tries()
	return err
}

// readPerson reads one of the synthetic people of a practice-people.json, or the one entry
// that the file is.
func readPerson(path, sub string) (Person, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Person{}, fmt.Errorf("cannot read the card's holder: %w", err)
	}
	if strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		text = slices.Concat([]byte("["), text, []byte("]"))
	}
	all, err := people.Parse(text)
	if err != nil {
		return Person{}, err
	}
	i := slices.IndexFunc(all, func(p people.Person) bool { return p.Sub == sub || sub == "" && len(all) == 1 })
	if i < 0 {
		return Person{}, errors.New("cannot find the card's holder: --sub names nobody in the file")
	}
	return Holder(all[i])
}

// Holder turns one of the practice people into what stands on their card.
func Holder(p people.Person) (Person, error) {
	born, err := time.Parse(time.DateOnly, p.BirthDate)
	if err != nil {
		return Person{}, errors.New("cannot make the card's holder: malformed birth date")
	}
	sex := map[string]int{"male": 1, "female": 2, "other": 9}[p.Gender]
	// The card puts a full-width blank between family and given name.
	return Person{Name: strings.Replace(p.Name, " ", "\u3000", 1), Address: p.Address, BirthDate: born, Sex: sex}, nil
}
