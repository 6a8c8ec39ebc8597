package childsupport

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/notice"
)

//go:embed data/register.toml data/supports.toml
var data embed.FS

// Limits of the register, checked before it is read.
const (
	MaxRegister = 256 << 10 // bytes of one file
	maxDays     = 3650      // of a retention
)

// Source is a section of the municipality that hands over a file.
type Source struct {
	ID   string `toml:"id"`
	File string `toml:"file"`
	Name Texts  `toml:"name"`
}

// ItemRule says of one kind of item what it is and how far it may be used.
type ItemRule struct {
	ID      string        `toml:"id"`
	Source  string        `toml:"source"`
	Purpose audit.Purpose `toml:"purpose"` // for no other may it be read
	// Serves are the indicators that may read it.
	Serves        []string `toml:"serves"`
	RetentionDays int      `toml:"retention_days"` // after the day of which its source speaks
	Ground        Texts    `toml:"ground"`         // the legal ground
	Name          Texts    `toml:"name"`
	// Telling are words that would give the item away: no support may hold one.
	Telling []string `toml:"telling"`
}

// Indicator is a rule that people can read. What it checks stands in indicators.go.
type Indicator struct {
	ID       string   `toml:"id"`
	Items    []string `toml:"items"`    // what it reads
	Needs    []string `toml:"needs"`    // without which it says nothing
	Supports []string `toml:"supports"` // what may be offered, the likeliest first
	Name     Texts    `toml:"name"`
	Rule     Texts    `toml:"rule"`
	Telling  []string `toml:"telling"`
}

// Support is one entry of the catalogue.
type Support struct {
	ID   string `toml:"id"`
	Name Texts  `toml:"name"`
	What Texts  `toml:"what"`
	From Texts  `toml:"from"`
	Cost Texts  `toml:"cost"`
	How  Texts  `toml:"how"`
}

// Register is what may be linked, shown and offered. Treat it as constant.
type Register struct {
	Sources    []Source
	Items      []ItemRule
	Indicators []Indicator
	Supports   []Support
}

// Load reads the register of this product.
func Load() (*Register, error) {
	sub, err := fs.Sub(data, "data")
	if err != nil {
		return nil, fmt.Errorf("cannot read the register: %w", err)
	}
	return LoadFrom(sub)
}

// LoadFrom reads register.toml and supports.toml. The error joins everything that is
// wrong, each with file and line.
func LoadFrom(fsys fs.FS) (*Register, error) {
	l := loader{}
	var reg struct {
		Source    []Source    `toml:"source"`
		Item      []ItemRule  `toml:"item"`
		Indicator []Indicator `toml:"indicator"`
	}
	var cat struct {
		Support []Support `toml:"support"`
	}
	l.decode(fsys, "register.toml", &reg)
	l.decode(fsys, "supports.toml", &cat)
	r := &Register{Sources: reg.Source, Items: reg.Item, Indicators: reg.Indicator, Supports: cat.Support}
	if len(l.faults) == 0 {
		l.check(r)
	}
	if len(l.faults) > 0 {
		return nil, errors.Join(l.faults...)
	}
	return r, nil
}

// loader collects faults and knows the line of every table.
type loader struct {
	lines  map[string]int // "item[2]" → line
	faults []error
}

var tableLine = regexp.MustCompile(`^\s*\[\[([a-z]+)\]\]`)

func (l *loader) fault(file, table, format string, args ...any) {
	l.faults = append(l.faults, fault.At(fault.InvalidArgument, fmt.Sprintf("%s line %d", file, max(1, l.lines[table])), format, args...))
}

func (l *loader) decode(fsys fs.FS, name string, into any) {
	text, err := fs.ReadFile(fsys, name)
	switch {
	case err != nil:
		l.fault(name, "", "cannot be read")
		return
	case len(text) > MaxRegister:
		l.fault(name, "", "has more than %d bytes", MaxRegister)
		return
	}
	if l.lines == nil {
		l.lines = map[string]int{}
	}
	counts := map[string]int{}
	for i, line := range strings.Split(string(text), "\n") {
		if m := tableLine.FindStringSubmatch(line); m != nil {
			l.lines[fmt.Sprintf("%s[%d]", m[1], counts[m[1]])] = i + 1
			counts[m[1]]++
		}
	}
	meta, err := toml.Decode(string(text), into)
	if p, ok := errors.AsType[toml.ParseError](err); ok {
		l.lines["parse"] = p.Position.Line
		l.fault(name, "parse", "%s", p.Message)
		return
	}
	if err != nil {
		l.fault(name, "", "cannot be understood: %v", err)
		return
	}
	for _, k := range meta.Undecoded() {
		l.fault(name, "", "the key %s is unknown", k)
	}
}

func (l *loader) check(r *Register) {
	for n, s := range r.Sources {
		at := fmt.Sprintf("source[%d]", n)
		l.named(at, s.ID, s.Name)
		if s.File == "" {
			l.fault("register.toml", at, "a source names its file")
		}
	}
	for n, i := range r.Items {
		l.item(r, fmt.Sprintf("item[%d]", n), i)
	}
	for n, i := range r.Indicators {
		l.indicator(r, fmt.Sprintf("indicator[%d]", n), i)
	}
	for n, s := range r.Supports {
		l.support(r, fmt.Sprintf("support[%d]", n), s)
	}
	l.unique(r)
}

func (l *loader) named(at, id string, texts ...Texts) {
	if id == "" {
		l.fault("register.toml", at, "has no id")
	}
	for _, t := range texts {
		if !t.whole() {
			l.fault("register.toml", at, "a text is not there in all three languages")
		}
	}
}

func (l *loader) item(r *Register, at string, i ItemRule) {
	l.named(at, i.ID, i.Name, i.Ground)
	if _, ok := audit.Register()[i.Purpose]; !ok {
		l.fault("register.toml", at, "the purpose is not in the register of purposes")
	}
	if !slices.ContainsFunc(r.Sources, func(s Source) bool { return s.ID == i.Source }) {
		l.fault("register.toml", at, "the source is not in the register")
	}
	if i.RetentionDays < 1 || i.RetentionDays > maxDays {
		l.fault("register.toml", at, "an item is kept for 1 to %d days", maxDays)
	}
	if len(i.Serves) == 0 {
		l.fault("register.toml", at, "an item that serves no indicator is not taken in")
	}
	for _, s := range i.Serves {
		if _, ok := r.Indicator(s); !ok {
			l.fault("register.toml", at, "it serves an indicator that is not there")
		}
	}
}

func (l *loader) indicator(r *Register, at string, i Indicator) {
	l.named(at, i.ID, i.Name, i.Rule)
	if _, ok := checks[i.ID]; !ok {
		l.fault("register.toml", at, "nothing checks this indicator")
	}
	for _, name := range i.Items {
		if rule, ok := r.Item(name); !ok || !slices.Contains(rule.Serves, i.ID) {
			l.fault("register.toml", at, "the item %s may not be read for it", name)
		}
	}
	for _, name := range i.Needs {
		if !slices.Contains(i.Items, name) {
			l.fault("register.toml", at, "it needs %s and does not read it", name)
		}
	}
	for _, s := range i.Supports {
		if _, ok := r.Support(s); !ok {
			l.fault("register.toml", at, "the support %s is not in the catalogue", s)
		}
	}
	if len(i.Supports) == 0 {
		l.fault("register.toml", at, "an indicator without a support helps nobody")
	}
}

func (l *loader) support(r *Register, at string, s Support) {
	if s.ID == "" {
		l.fault("supports.toml", at, "has no id")
	}
	texts := []Texts{s.Name, s.What, s.From, s.Cost, s.How}
	for _, t := range texts {
		if !t.whole() {
			l.fault("supports.toml", at, "a text is not there in all three languages")
		}
	}
	for _, word := range r.telling() {
		for _, t := range texts {
			if t.holds(word) {
				l.fault("supports.toml", at, "holds a word that tells of an item or an indicator")
			}
		}
	}
}

func (l *loader) unique(r *Register) {
	seen := map[string]bool{}
	once := func(file, table, id string) {
		if seen[id] {
			l.fault(file, table, "the id stands twice")
		}
		seen[id] = true
	}
	for n, s := range r.Sources {
		once("register.toml", fmt.Sprintf("source[%d]", n), s.ID)
	}
	for n, i := range r.Items {
		once("register.toml", fmt.Sprintf("item[%d]", n), i.ID)
	}
	for n, i := range r.Indicators {
		once("register.toml", fmt.Sprintf("indicator[%d]", n), i.ID)
	}
	for n, s := range r.Supports {
		once("supports.toml", fmt.Sprintf("support[%d]", n), s.ID)
	}
}

func (t Texts) whole() bool {
	for _, l := range notice.Languages() {
		if t[l] == "" {
			return false
		}
	}
	return len(t) == len(notice.Languages())
}

func (t Texts) holds(word string) bool {
	for _, s := range t {
		if strings.Contains(strings.ToLower(s), strings.ToLower(word)) {
			return true
		}
	}
	return false
}

// telling gives every word that would say why an offer was made.
func (r *Register) telling() []string {
	var out []string
	add := func(words []string, names Texts) {
		out = append(out, words...)
		for _, n := range names {
			out = append(out, n)
		}
	}
	for _, i := range r.Items {
		add(i.Telling, i.Name)
	}
	for _, i := range r.Indicators {
		add(i.Telling, i.Name)
	}
	return out
}

// Source gives one source.
func (r *Register) Source(id string) (Source, bool) {
	return find(r.Sources, func(s Source) bool { return s.ID == id })
}

// Item gives one item's rule.
func (r *Register) Item(id string) (ItemRule, bool) {
	return find(r.Items, func(i ItemRule) bool { return i.ID == id })
}

// Indicator gives one indicator.
func (r *Register) Indicator(id string) (Indicator, bool) {
	return find(r.Indicators, func(i Indicator) bool { return i.ID == id })
}

// Support gives one entry of the catalogue.
func (r *Register) Support(id string) (Support, bool) {
	return find(r.Supports, func(s Support) bool { return s.ID == id })
}

func find[T any](all []T, ok func(T) bool) (T, bool) {
	if n := slices.IndexFunc(all, ok); n >= 0 {
		return all[n], true
	}
	return *new(T), false
}
