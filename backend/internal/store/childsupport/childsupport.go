// Package childsupport keeps linked items and cases in the store: the SQL of
// backend/internal/childsupport.
//
// Items are inserted, replaced one by one, and erased; a case changes by an update that
// names the state it leaves.
package childsupport

import (
	"time"

	"madoguchi.example/backend/internal/childsupport"
	"madoguchi.example/backend/internal/store/sqltx"
	"madoguchi.example/shared/civil"
)

// Rows implements childsupport.Rows on both engines. Every read is part of a transaction.
type Rows struct{}

var _ childsupport.Rows = (*Rows)(nil)

// New makes the rows.
func New(*sqltx.Pool) *Rows { return &Rows{} }

// never stands in a time column for what has not happened.
const never = int64(-1)

func micros(at time.Time) int64 {
	if at.IsZero() {
		return never
	}
	return sqltx.Micros(at)
}

func when(at int64) time.Time {
	if at == never {
		return time.Time{}
	}
	return sqltx.Time(at)
}

// days parses days written YYYY-MM-DD or ”.
func days(pairs map[*civil.Date]string) error {
	for to, s := range pairs {
		if s == "" {
			*to = civil.Date{}
			continue
		}
		d, err := civil.Parse(s)
		if err != nil {
			return err
		}
		*to = d
	}
	return nil
}
