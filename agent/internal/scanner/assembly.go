package scanner

import (
	"slices"
	"strings"

	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/fault"
)

// Assembly puts the codes of one split card together as they are scanned, in any order.
// The zero value is ready. It is not safe for concurrent use.
type Assembly struct {
	parts []string // by index, "" where not read yet
}

// State tells how far an Assembly is: "1/3 読み取り済み".
type State struct {
	Read, Total int
	Missing     []int  // numbers from 1, in order
	Text        string // complete: the codes one a line, for verify; else ""
}

// Complete tells whether every part has been read.
func (s State) Complete() bool { return s.Total > 0 && s.Read == s.Total }

// Add takes the text of one scanned code, or of several parts, one a line. A code that is not split, or not of this form
// at all, is complete by itself and ends what was begun; the same part again changes
// nothing. Faults: InvalidArgument for a broken part, Conflict for a part of another card
// (what was read stays; Reset begins anew).
func (a *Assembly) Add(text string) (State, error) {
	text = strings.TrimSpace(text)
	lines := strings.Fields(text)
	if len(lines) < 2 || slices.ContainsFunc(lines, func(line string) bool { return !isPart(line) }) {
		return a.add(text)
	}
	for _, line := range lines {
		if s, err := a.add(line); err != nil {
			return s, err
		}
	}
	return a.State(), nil
}

func isPart(text string) bool {
	return strings.HasPrefix(text, "shc:/") && strings.Count(text, "/") > 1
}

func (a *Assembly) add(text string) (State, error) {
	if !isPart(text) {
		a.Reset()
		return State{Read: 1, Total: 1, Text: text}, nil
	}
	part, err := shc.ParsePart(text)
	if err != nil {
		return a.State(), fault.Wrap(fault.InvalidArgument, err, "this code cannot be read")
	}
	if len(a.parts) == 0 {
		a.parts = make([]string, part.Total)
	}
	if len(a.parts) != part.Total || (a.parts[part.Index-1] != "" && a.parts[part.Index-1] != text) {
		return a.State(), fault.New(fault.Conflict, "this code is a part of another card")
	}
	a.parts[part.Index-1] = text
	return a.State(), nil
}

// State gives how far the assembly is.
func (a *Assembly) State() State {
	s := State{Total: len(a.parts)}
	for i, part := range a.parts {
		if part == "" {
			s.Missing = append(s.Missing, i+1)
			continue
		}
		s.Read++
	}
	if s.Complete() {
		s.Text = strings.Join(a.parts, "\n")
	}
	return s
}

// Reset forgets what was read.
func (a *Assembly) Reset() { a.parts = nil }
