// Package charge tells which share a patient pays for now while their insurance cannot be
// checked, and by which rule: the outage circular's shares (保発0710第1号, 2023-07-10) as a
// table of data, dated and signed (FORMAT.md beside this file).
//
// It promises that the same facts and the same table always give the same share, that ages
// are Japan's law's and counted on the visit day, and that a table which is not whole, not
// understood in every part, or not signed by a given key is refused.
package charge

import (
	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
)

// Table is one edition of the rules.
type Table struct {
	Schema  int        `json:"schema"` // Schema
	Version string     `json:"version"`
	Issued  civil.Date `json:"issued"`
	Rules   []Rule     `json:"rules"` // the first that applies is used
}

// Rule is one share with its source.
type Rule struct {
	ID        string     `json:"id"`
	Title     Words      `json:"title"`
	Source    string     `json:"source"` // the document and its date, as people cite it
	ValidFrom civil.Date `json:"valid_from"`
	ValidTo   civil.Date `json:"valid_to"` // the last day; none: no end is known
	When      When       `json:"when"`
	Percent   int        `json:"percent"` // what holds where nothing better is known: 10, 20 or 30
	// Stated lists the shares that the patient's own word may set in its place.
	Stated []int `json:"stated,omitempty"`
}

// Words is a text in the desk's languages.
type Words struct {
	JA     string `json:"ja"`
	JAEasy string `json:"ja_easy"`
	EN     string `json:"en"`
}

// When says to whom a rule applies. An empty list applies to all.
type When struct {
	Bands    []Band                 `json:"bands,omitempty"`
	Evidence []eligibility.Evidence `json:"evidence,omitempty"`
}

// Facts are what is known of a visit.
type Facts struct {
	VisitDay  civil.Date
	BirthDate civil.Date
	Evidence  eligibility.Evidence
	Stated    int // the share that a paper, a screen or the patient tells; 0: none
}

// Charge is the share to charge and the rule that says so.
type Charge struct {
	Percent int
	Rule    Rule
	// Asked tells that the rule lets the patient's word set the share and that no word was
	// given: ask for it.
	Asked bool
}
