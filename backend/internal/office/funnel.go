package office

import (
	"strconv"
	"time"
)

// progress is how far a run has come and what its funnel shows.
type progress struct {
	Working bool
	Percent int    // of the households, looked at
	Minutes int    // about how many are left, 0 when it cannot be told
	Said    string // what a screen reader is told, as a step: it changes rarely
	Spoken  bool   // the words go along with the fragment
	Total   Tally
	Funnel  []stage
	Aside   []states // what left the way of silence
	Height  int
}

// stage is one bar of the funnel: how many awards came at least this far.
type stage struct {
	Key   string // word "funnel.<key>"
	State AwardState
	Tally Tally
	X, Y  int // of the bar
	W     int
	Share int    // of the first stage, in hundredths
	Link  string // points of the slope to the next bar
}

// The funnel's drawing, in the SVG's own units.
const (
	funnelWidth = 360
	labelWidth  = 110 // left of the bars
	barHeight   = 34
	slopeHeight = 14
	thinnest    = 2 // a bar of nothing can still be seen
)

// way is what an award passes in order, and which states count as having passed it.
var way = []struct {
	key    string
	states []AwardState
}{
	{"noticed", []AwardState{Noticed, Proven, Silent, Refused, Listed, Approved}},
	{"proven", []AwardState{Proven, Silent, Listed, Approved}},
	{"silent", []AwardState{Silent, Listed, Approved}},
	{"listed", []AwardState{Listed, Approved}},
	{"approved", []AwardState{Approved}},
}

func progressOf(d RunDetail, now time.Time) progress {
	p := progress{Working: d.State == RunCounting || d.State == RunRunning, Total: allOf(d.ByState)}
	if d.All > 0 {
		p.Percent = min(100, d.Seen*100/d.All)
	}
	if spent := now.Sub(d.WorkingSince); p.Working && !d.WorkingSince.IsZero() && d.Seen > 0 && d.All > d.Seen && spent > 0 {
		left := time.Duration(float64(spent) / float64(d.Seen) * float64(d.All-d.Seen))
		p.Minutes = int((left + time.Minute - 1) / time.Minute)
	}
	p.Said = string(d.State)
	if p.Working {
		p.Said += "-" + strconv.Itoa(p.Percent/10*10)
	}
	p.draw(d.ByState)
	for _, s := range []AwardState{OpenQuestion, MustApply, Refused} {
		if d.ByState[s].Awards > 0 {
			p.Aside = append(p.Aside, states{State: s, Tally: d.ByState[s]})
		}
	}
	return p
}

// SaidPercent is the progress in whole tens, as it is spoken.
func (p progress) SaidPercent() int { return p.Percent / 10 * 10 }

func (p *progress) draw(by map[AwardState]Tally) {
	for i, step := range way {
		s := stage{Key: step.key, State: step.states[0], Y: i * (barHeight + slopeHeight)}
		for _, state := range step.states {
			s.Tally.Awards += by[state].Awards
			s.Tally.Yen += by[state].Yen
		}
		p.Funnel = append(p.Funnel, s)
	}
	widest := p.Funnel[0].Tally.Awards
	for i := range p.Funnel {
		s := &p.Funnel[i]
		s.W = thinnest
		if widest > 0 {
			s.W = max(thinnest, s.Tally.Awards*funnelWidth/widest)
			s.Share = s.Tally.Awards * 100 / widest
		}
		s.X = labelWidth + (funnelWidth-s.W)/2
	}
	for i := range p.Funnel[:len(p.Funnel)-1] {
		p.Funnel[i].Link = slope(p.Funnel[i], p.Funnel[i+1])
	}
	p.Height = len(way)*(barHeight+slopeHeight) - slopeHeight
}

// slope joins the foot of one bar with the head of the next.
func slope(from, to stage) string {
	foot := from.Y + barHeight
	point := func(x, y int) string { return strconv.Itoa(x) + "," + strconv.Itoa(y) }
	return point(from.X, foot) + " " + point(from.X+from.W, foot) + " " + point(to.X+to.W, to.Y) + " " + point(to.X, to.Y)
}

// Width is the drawing's width.
func (p progress) Width() int { return labelWidth + funnelWidth }

// LabelEnd is where the labels end.
func (p progress) LabelEnd() int { return labelWidth - 12 }

// Middle is where a bar's number stands.
func (s stage) Middle() int { return s.Y + barHeight/2 }

// Wide tells whether the number has room inside the bar.
func (s stage) Wide() bool { return s.W > funnelWidth/4 }

// End is right of the bar.
func (s stage) End() int { return s.X + s.W + 8 }

// Centre is the middle of the bars.
func (s stage) Centre() int { return labelWidth + funnelWidth/2 }
