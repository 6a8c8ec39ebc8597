// Package people holds the synthetic people who can sign in at the practice OpenID
// provider, and reads them strictly from practice-people.json.
//
// Nobody in such a file is a real person.
package people

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// MaxFileBytes is the largest practice-people.json that is read.
const MaxFileBytes = 16 << 20

// Client is the kind of relying party at which a person may sign in.
type Client string

// The kinds.
const (
	Citizen Client = "citizen"
	Staff   Client = "staff"
)

// Person is one synthetic person. Name is family name, a blank, given name; Address is
// one line; BirthDate is YYYY-MM-DD; Gender is male, female or other.
type Person struct {
	Sub       string `json:"sub"`
	Label     string `json:"label"`
	Client    Client `json:"client"`
	Name      string `json:"name"`
	Address   string `json:"address"`
	BirthDate string `json:"birthdate"`
	Gender    string `json:"gender"`
}

// Load reads and checks the file at path.
func Load(path string) ([]Person, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the practice people: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the practice people: %w", err)
	}
	return Parse(raw)
}

// Parse reads a practice-people.json: a list, no unknown keys, every person complete, no
// two with one sub. Errors name the entry by its position, never by what it holds.
func Parse(raw []byte) ([]Person, error) {
	if len(raw) > MaxFileBytes {
		return nil, fmt.Errorf("cannot read the practice people: more than %d bytes", MaxFileBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var all []Person
	if err := dec.Decode(&all); err != nil {
		return nil, errors.New("cannot read the practice people: not a JSON list of persons with the known keys")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("cannot read the practice people: there is more after the list")
	}
	return all, check(all)
}

func check(all []Person) error {
	var faults []error
	seen := make(map[string]bool, len(all))
	for i, p := range all {
		if place := p.fault(); place != "" {
			faults = append(faults, fmt.Errorf("person %d: %s is missing or malformed", i+1, place))
		}
		if seen[p.Sub] {
			faults = append(faults, fmt.Errorf("person %d: sub stands there twice", i+1))
		}
		seen[p.Sub] = true
	}
	return errors.Join(faults...)
}

// fault names the first field that is wrong, or gives "".
func (p Person) fault() string {
	switch {
	case p.Sub == "" || len(p.Sub) > 255 || strings.ContainsFunc(p.Sub, notPlain):
		return "sub"
	case p.Client != Citizen && p.Client != Staff:
		return "client"
	case p.Name == "":
		return "name"
	case p.Address == "":
		return "address"
	case p.Gender != "male" && p.Gender != "female" && p.Gender != "other":
		return "gender"
	}
	if _, err := time.Parse(time.DateOnly, p.BirthDate); err != nil {
		return "birthdate"
	}
	return ""
}

func notPlain(r rune) bool { return r <= ' ' || r > '~' }
