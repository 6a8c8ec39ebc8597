package check

import (
	"context"
	"time"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/shared/eligibility"
)

// Why says what keeps a case from being resolved.
type Why string

// The reasons, in the order in which Month counts them.
const (
	WhyOtherPerson Why = "other_person" // 別人の可能性
	WhyDiffers     Why = "differs"      // the answer differs from what was assumed
	WhyFailed      Why = "failed"       // the check ended with an error
	WhyRefused     Why = "refused"      // it cannot be asked as it is
	WhyNoNumber    Why = "no_number"    // recorded, numbers are missing
	WhyQueued      Why = "queued"       // waits to be asked
	WhySent        Why = "sent"         // asked, no answer yet
)

// Month is everything unresolved among the visits of one month of Japan.
type Month struct {
	Year   int
	Month  time.Month
	Rows   []View // oldest visit first, at most MaxMonthRows
	More   int    // rows beside these
	Counts []Count
	Total  int // cases of the month, resolved or not, the voided ones left out
}

// Count is how many cases are unresolved for one reason.
type Count struct {
	Why Why
	N   int
}

// MaxMonthRows is how many rows Month gives at once.
const MaxMonthRows = 1000

// whys in the order in which they are counted.
var whys = []Why{WhyOtherPerson, WhyDiffers, WhyFailed, WhyRefused, WhyNoNumber, WhyQueued, WhySent}

// Month lists everything unresolved among the visits of that month, by Japan's days: what
// must be settled before the month's claims go out.
func (d *Desk) Month(ctx context.Context, year int, month time.Month) (Month, error) {
	m := Month{Year: year, Month: month}
	counts := map[Why]int{}
	cases, more, err := d.Book.Top(ctx, MaxMonthRows, func(r *casebook.Row) int {
		day := r.VisitDay()
		if day.Year != year || day.Month != month || r.State() == eligibility.Voided {
			return -1
		}
		m.Total++
		reason := why(r.OpenTask(), r.State())
		if reason == "" {
			return -1
		}
		counts[reason]++
		return day.Day
	})
	if err != nil {
		return Month{}, err
	}
	m.Rows, m.More = d.views(cases), more
	for _, w := range whys {
		if counts[w] > 0 {
			m.Counts = append(m.Counts, Count{w, counts[w]})
		}
	}
	return m, nil
}
