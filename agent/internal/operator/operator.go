// Package operator is who stands at the desk: names with a PIN each, on this terminal alone.
//
// A PIN tells colleagues apart quickly; it does not protect the terminal's file, which the
// vault does. So a PIN has few digits, and guessing is bounded instead: after MaxWrong wrong
// ones in a row the operator waits, longer each time, and the count survives a restart. An
// operator's id is never given to another person, so that old records keep their meaning.
package operator

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/jptext"
)

// ShelfName is the shelf of the vault that holds the operators.
const ShelfName = "operator"

// Limits.
const (
	MinPIN       = 4 // digits
	MaxPIN       = 8
	MaxName      = 40 // characters
	MaxOperators = 100
	// MaxWrong is how many wrong PINs in a row are free of a wait.
	MaxWrong = 5
	// FirstWait follows the MaxWrong-th wrong PIN and doubles with each further one up to
	// LongestWait.
	FirstWait   = 30 * time.Second
	LongestWait = 15 * time.Minute
	// Rounds of PBKDF2 that a PIN is hashed with unless Config says otherwise.
	Rounds = 200_000
)

// Places and messages of the faults that a form shows. Messages are words of a list, for a
// face to translate.
const (
	PlacePIN      = "pin"
	PlaceName     = "name"
	PlaceOperator = "operator"

	PINWrong = "pin_wrong" // Unauthenticated
	PINWait  = "pin_wait"  // RateLimited; Waits says how long
	PINUnset = "pin_unset" // Conflict: the first sign-in sets it
	PINSet   = "pin_set"   // Conflict: it is set already
	PINForm  = "pin_form"  // InvalidArgument: not MinPIN to MaxPIN digits
	PINWeak  = "pin_weak"  // InvalidArgument: one digit repeated, or digits in a row
	NameForm = "name_form" // InvalidArgument: empty, too long, or with control characters
	// NameMyNumber is MyNumberRefused: a My Number was typed as the name.
	NameMyNumber = "my_number"
	NameTaken    = "name_taken"  // Conflict
	TooMany      = "too_many"    // Conflict: MaxOperators are there
	LastLead     = "last_lead"   // Conflict: somebody must be able to add operators
	NotLead      = "not_lead"    // Forbidden: only a lead may
	NoOperator   = "no_operator" // NotFound
)

// Shelf is encrypted storage by opaque key. The vault's shelves are one.
type Shelf interface {
	Each(ctx context.Context, visit func(key string, value []byte) error) error
	PutAll(ctx context.Context, values map[string][]byte) error
}

// Operator is one person at the desk. The zero value is nobody.
type Operator struct {
	ID     string // "op_1"
	Name   string
	Lead   bool // may add, remove and reset operators, and pair devices
	HasPIN bool // false: the next sign-in sets it
}

// LogValue gives the id alone: a name is a person's.
func (o Operator) LogValue() slog.Value { return slog.StringValue(o.ID) }

// Config is what a Book is made of. Shelf, Now and Rand must be set.
type Config struct {
	Shelf Shelf
	Now   func() time.Time
	Rand  io.Reader
	// First are the names that exist at the first start; the first of them leads.
	First  []string
	Rounds int // 0: Rounds
}

// row is an operator as it lies on the shelf. A removed one stays as a row, so that its id
// is not given again.
type row struct {
	Number  int       `json:"number"`
	Name    string    `json:"name"`
	Lead    bool      `json:"lead,omitempty"`
	Salt    []byte    `json:"salt,omitempty"`
	Hash    []byte    `json:"hash,omitempty"`
	Rounds  int       `json:"rounds,omitempty"`
	Wrong   int       `json:"wrong,omitempty"`
	Until   time.Time `json:"until,omitzero"`
	Removed time.Time `json:"removed,omitzero"`
}

func (r row) id() string { return "op_" + strconv.Itoa(r.Number) }

func (r row) public() Operator {
	return Operator{ID: r.id(), Name: r.Name, Lead: r.Lead, HasPIN: len(r.Hash) > 0}
}

// Book holds the operators of one terminal. It is safe for concurrent use; PINs are tried
// one after the other.
type Book struct {
	c      Config
	trying sync.Mutex // one PIN is hashed at a time

	mu         sync.Mutex
	rows       map[string]row
	unreadable int // fixed by Open
}

// Open reads the operators, and makes the first ones where there is none. One that cannot be
// read is gone, and its id with it; where no lead is left, the eldest leads.
func Open(ctx context.Context, c Config) (*Book, error) {
	if c.Rounds == 0 {
		c.Rounds = Rounds
	}
	b := &Book{c: c, rows: map[string]row{}}
	err := c.Shelf.Each(ctx, func(key string, value []byte) error {
		var r row
		if json.Unmarshal(value, &r) != nil || r.id() != key {
			number, _ := strconv.Atoi(strings.TrimPrefix(key, "op_"))
			r = row{Number: number, Removed: c.Now().UTC()}
			b.unreadable++
		}
		b.rows[key] = r
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the operators: %w", err)
	}
	if err := b.first(ctx); err != nil {
		return nil, fmt.Errorf("cannot make the first operators: %w", err)
	}
	return b, nil
}

// first makes the first operators or, where a lead was lost, the eldest a lead.
func (b *Book) first(ctx context.Context) error {
	number := 0
	for _, r := range b.rows {
		number = max(number, r.Number)
	}
	if all := b.All(); len(all) > 0 {
		if slices.ContainsFunc(all, func(o Operator) bool { return o.Lead }) {
			return nil
		}
		r := b.rows[all[0].ID]
		r.Lead = true
		return b.put(ctx, r)
	}
	var first []row
	for i, name := range b.c.First {
		name, err := CleanName(name)
		if err != nil {
			return err
		}
		first = append(first, row{Number: number + i + 1, Name: name, Lead: i == 0})
	}
	return b.put(ctx, first...)
}

// Unreadable tells how many operators could not be read when the book was opened.
func (b *Book) Unreadable() int { return b.unreadable }

// put stores rows and then takes them over. The caller holds mu, or is Open.
func (b *Book) put(ctx context.Context, rows ...row) error {
	values := map[string][]byte{}
	for _, r := range rows {
		text, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("cannot encode an operator: %w", err)
		}
		values[r.id()] = text
	}
	if err := b.c.Shelf.PutAll(ctx, values); err != nil {
		return fmt.Errorf("cannot store an operator: %w", err)
	}
	for _, r := range rows {
		b.rows[r.id()] = r
	}
	return nil
}

// Keep stores all operators anew, as they are in memory: for a shelf that was replaced by what
// could be salvaged of it.
func (b *Book) Keep(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.put(ctx, slices.Collect(maps.Values(b.rows))...)
}

// All lists the operators in the order in which they came.
func (b *Book) All() []Operator {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []row
	for _, r := range b.rows {
		if r.Removed.IsZero() {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(x, y row) int { return x.Number - y.Number })
	out := make([]Operator, len(all))
	for i, r := range all {
		out[i] = r.public()
	}
	return out
}

// Find gives the operator of that id; a removed one is not found.
func (b *Book) Find(id string) (Operator, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.find(id)
	return r.public(), ok
}

func (b *Book) find(id string) (row, bool) {
	r, ok := b.rows[id]
	if !ok || !r.Removed.IsZero() {
		return row{}, false
	}
	return r, true
}

// Waits tells how long the operator has to wait before the next PIN is tried.
func (b *Book) Waits(id string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, _ := b.find(id)
	return b.waits(r)
}

// waits never exceeds LongestWait, so that a clock that was set back locks nobody out.
func (b *Book) waits(r row) time.Duration {
	return min(max(r.Until.Sub(b.c.Now()), 0), LongestWait)
}

// SignIn gives the operator whose PIN it is. A wrong PIN is counted, durably, before the
// answer is given.
func (b *Book) SignIn(ctx context.Context, id, pin string) (Operator, error) {
	b.trying.Lock()
	defer b.trying.Unlock()
	b.mu.Lock()
	r, ok := b.find(id)
	wait := b.waits(r)
	b.mu.Unlock()
	switch {
	case !ok:
		return Operator{}, fault.At(fault.NotFound, PlaceOperator, NoOperator)
	case len(r.Hash) == 0:
		return Operator{}, fault.At(fault.Conflict, PlacePIN, PINUnset)
	case wait > 0:
		return Operator{}, fault.At(fault.RateLimited, PlacePIN, PINWait)
	}
	right := false
	if pin, err := cleanPIN(pin); err == nil {
		hash, err := pbkdf2.Key(sha256.New, pin, r.Salt, r.Rounds, sha256.Size)
		if err != nil {
			return Operator{}, fmt.Errorf("cannot try a PIN: %w", err)
		}
		right = subtle.ConstantTimeCompare(hash, r.Hash) == 1
	}
	return b.tried(ctx, r, right)
}

// tried counts a wrong PIN or forgets the ones before a right one.
func (b *Book) tried(ctx context.Context, before row, right bool) (Operator, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.find(before.id())
	if !ok || !slices.Equal(r.Hash, before.Hash) { // removed or reset meanwhile
		return Operator{}, fault.At(fault.Unauthenticated, PlacePIN, PINWrong)
	}
	if right {
		if r.Wrong == 0 {
			return r.public(), nil
		}
		r.Wrong, r.Until = 0, time.Time{}
		return r.public(), b.put(ctx, r)
	}
	r.Wrong++
	fails := fault.At(fault.Unauthenticated, PlacePIN, PINWrong)
	if r.Wrong >= MaxWrong {
		wait := LongestWait
		if steps := r.Wrong - MaxWrong; steps < 5 {
			wait = min(FirstWait<<steps, LongestWait)
		}
		r.Until = b.c.Now().Add(wait)
		fails = fault.At(fault.RateLimited, PlacePIN, PINWait)
	}
	if err := b.put(ctx, r); err != nil {
		return Operator{}, err
	}
	return Operator{}, fails
}

// SetFirst sets the PIN of an operator who has none and gives the operator.
func (b *Book) SetFirst(ctx context.Context, id, pin string) (Operator, error) {
	return b.set(ctx, id, pin, func(r row) error {
		if len(r.Hash) > 0 {
			return fault.At(fault.Conflict, PlacePIN, PINSet)
		}
		return nil
	})
}

func (b *Book) set(ctx context.Context, id, pin string, may func(row) error) (Operator, error) {
	b.trying.Lock()
	defer b.trying.Unlock()
	pin, err := cleanPIN(pin)
	if err != nil {
		return Operator{}, err
	}
	if weak(pin) {
		return Operator{}, fault.At(fault.InvalidArgument, PlacePIN, PINWeak)
	}
	salt := make([]byte, 16)
	if _, err := io.ReadFull(b.c.Rand, salt); err != nil {
		return Operator{}, fmt.Errorf("cannot make a salt: %w", err)
	}
	hash, err := pbkdf2.Key(sha256.New, pin, salt, b.c.Rounds, sha256.Size)
	if err != nil {
		return Operator{}, fmt.Errorf("cannot hash a PIN: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.find(id)
	if !ok {
		return Operator{}, fault.At(fault.NotFound, PlaceOperator, NoOperator)
	}
	if err := may(r); err != nil {
		return Operator{}, err
	}
	r.Salt, r.Hash, r.Rounds, r.Wrong, r.Until = salt, hash, b.c.Rounds, 0, time.Time{}
	return r.public(), b.put(ctx, r)
}

// lead tells whether the operator may change the others. The caller holds mu.
func (b *Book) lead(by string) error {
	if r, ok := b.find(by); !ok || !r.Lead {
		return fault.At(fault.Forbidden, "", NotLead)
	}
	return nil
}

// Add makes an operator without a PIN. Only a lead may.
func (b *Book) Add(ctx context.Context, by, name string) (Operator, error) {
	name, err := CleanName(name)
	if err != nil {
		return Operator{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.lead(by); err != nil {
		return Operator{}, err
	}
	number, here := 1, 0
	for _, r := range b.rows {
		number = max(number, r.Number+1)
		if !r.Removed.IsZero() {
			continue
		}
		here++
		if r.Name == name {
			return Operator{}, fault.At(fault.Conflict, PlaceName, NameTaken)
		}
	}
	if here >= MaxOperators {
		return Operator{}, fault.At(fault.Conflict, PlaceName, TooMany)
	}
	r := row{Number: number, Name: name}
	return r.public(), b.put(ctx, r)
}

// Remove takes an operator out. Only a lead may, and not the last lead.
func (b *Book) Remove(ctx context.Context, by, id string) error {
	return b.change(ctx, by, id, func(r *row) {
		r.Removed, r.Lead, r.Salt, r.Hash = b.c.Now().UTC(), false, nil, nil
	})
}

// Reset takes an operator's PIN away; the next sign-in sets a new one. Only a lead may.
func (b *Book) Reset(ctx context.Context, by, id string) error {
	return b.change(ctx, by, id, clearPIN)
}

func clearPIN(r *row) { r.Salt, r.Hash, r.Wrong, r.Until = nil, nil, 0, time.Time{} }

// ResetByOwner takes an operator's PIN away by the word of whoever owns the terminal, for
// the day on which the only lead has forgotten theirs.
func (b *Book) ResetByOwner(ctx context.Context, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.find(id)
	if !ok {
		return fault.At(fault.NotFound, PlaceOperator, NoOperator)
	}
	clearPIN(&r)
	return b.put(ctx, r)
}

// SetLead makes an operator a lead or no longer one. Only a lead may, and one stays.
func (b *Book) SetLead(ctx context.Context, by, id string, lead bool) error {
	return b.change(ctx, by, id, func(r *row) { r.Lead = lead })
}

func (b *Book) change(ctx context.Context, by, id string, do func(*row)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.lead(by); err != nil {
		return err
	}
	r, ok := b.find(id)
	if !ok {
		return fault.At(fault.NotFound, PlaceOperator, NoOperator)
	}
	do(&r)
	leads := 0
	for key, other := range b.rows {
		if key == id {
			other = r
		}
		if other.Lead && other.Removed.IsZero() {
			leads++
		}
	}
	if leads == 0 {
		return fault.At(fault.Conflict, PlaceOperator, LastLead)
	}
	return b.put(ctx, r)
}

// cleanPIN folds full-width digits and drops spaces.
func cleanPIN(pin string) (string, error) {
	if len(pin) > 8*MaxPIN {
		return "", fault.At(fault.InvalidArgument, PlacePIN, PINForm)
	}
	pin = strings.Map(func(c rune) rune {
		switch {
		case c >= '０' && c <= '９':
			return c - '０' + '0'
		case unicode.IsSpace(c):
			return -1
		}
		return c
	}, pin)
	digits := !strings.ContainsFunc(pin, func(c rune) bool { return c < '0' || c > '9' })
	if !digits || len(pin) < MinPIN || len(pin) > MaxPIN {
		return "", fault.At(fault.InvalidArgument, PlacePIN, PINForm)
	}
	return pin, nil
}

// weak tells a PIN that a person at the desk would try first.
func weak(pin string) bool {
	for _, step := range []int{0, 1, -1} {
		even := true
		for i := 1; i < len(pin); i++ {
			even = even && int(pin[i])-int(pin[i-1]) == step
		}
		if even {
			return true
		}
	}
	return false
}

// CleanName gives the name of an operator, or of a PC, with single blanks. The faults are
// NameForm and NameMyNumber at PlaceName.
func CleanName(name string) (string, error) {
	name = strings.Join(strings.Fields(name), " ")
	switch {
	case jptext.HoldsMyNumber(name):
		return "", fault.At(fault.MyNumberRefused, PlaceName, NameMyNumber)
	case name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > MaxName || strings.ContainsFunc(name, unseen):
		return "", fault.At(fault.InvalidArgument, PlaceName, NameForm)
	}
	return name, nil
}

// unseen tells characters that have no look of their own, or change that of others.
func unseen(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
