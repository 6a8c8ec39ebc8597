package casebook

import (
	"bytes"
	"hash/maphash"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/jptext"
)

// RowBytes is the size of a Row in memory.
const RowBytes = 80

// Row is what the book remembers of a case without reading it: enough to place it in a list.
// It holds no name and no number. Who filters by a Mark looks at the case itself as well:
// two that differ may have the same one.
type Row struct {
	id        uuid.UUID
	recorded  int64 // microseconds since 1970; zeroTime where there is none
	asked     int64 // as above
	knownEnds int64 // as above: when the last known word expires
	operator  Mark
	person    Mark
	face      Mark
	visit     packedDay
	answered  packedDay // the day of Japan
	state     uint8     // index of states
	route     uint8     // index of routes
	task      uint8     // index of tasks, of a task that is open
	times     uint8     // how often it was asked, at most 255
	flags     flag
}

type flag uint8

const (
	hasNumbers flag = 1 << iota
	isClosed
	owes
	theirsAfter
)

// Mark stands for a text or several in this process's memory; 0 for none.
type Mark uint64

var seed = maphash.MakeSeed()

func markOf(parts ...string) Mark {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, p := range parts {
		_, _ = h.WriteString(strconv.Itoa(len(p)) + ":" + p)
	}
	return max(Mark(h.Sum64()), 1)
}

// OperatorMark stands for an operator: by the ID, or by the name where there is none.
func OperatorMark(id, name string) Mark {
	if id != "" {
		name = ""
	}
	return markOf(id, name)
}

// PersonMark stands for a patient by birth date and kana; 0 where one of them is missing.
func PersonMark(birth civil.Date, kana string) Mark {
	key := jptext.KanaKey(kana)
	if birth.IsZero() || key == "" {
		return 0
	}
	return markOf(birth.String(), key)
}

// FaceMark stands for a file of the face reader; 0 for none.
func FaceMark(file string) Mark {
	if file == "" {
		return 0
	}
	return markOf(file)
}

// The words of which a row keeps the index; one that is not listed reads as "".
var (
	states = []eligibility.State{"", eligibility.Recorded, eligibility.Queued, eligibility.Sent, eligibility.Answered, eligibility.Reviewed, eligibility.Refused, eligibility.Voided}
	routes = []eligibility.Route{"", eligibility.RoutePayer, eligibility.RouteTerminal}
	tasks  = []TaskKind{"", TaskDiffers, TaskRefused, TaskOtherPerson, TaskFailed}
)

func index[T comparable](words []T, word T) uint8 { return uint8(max(slices.Index(words, word), 0)) }

// Row gives the case's row; ok is false where the record ID is not a UUID in lower case.
func (c *Case) Row() (r Row, ok bool) {
	id, ok := parseID(c.RecordID)
	if !ok {
		return Row{}, false
	}
	r = Row{
		id: id, recorded: micros(c.RecordedAt), asked: micros(c.AskedAt), knownEnds: micros(time.Time{}),
		operator: OperatorMark(c.OperatorID, c.Operator), person: PersonMark(c.Inquiry.BirthDate, c.Kana()), face: FaceMark(c.Face),
		visit: packDay(c.VisitDay), answered: packDay(civil.In(c.AnsweredAt)),
		state: index(states, c.State), route: index(routes, c.Route), task: index(tasks, c.OpenTask()), times: uint8(min(max(c.Asked, 0), 255)),
	}
	if c.Known != nil {
		r.knownEnds = micros(c.Known.Expires)
	}
	r.flags = when(c.HasNumbers(), hasNumbers) | when(c.Closed(), isClosed) | when(len(c.Owed) > 0, owes) |
		when(c.Cause == eligibility.CauseTheirsAfter, theirsAfter)
	return r, true
}

func when(holds bool, f flag) flag {
	if holds {
		return f
	}
	return 0
}

func parseID(recordID string) (uuid.UUID, bool) {
	id, err := uuid.Parse(recordID)
	return id, err == nil && id.String() == recordID
}

// RecordID is the case's.
func (r *Row) RecordID() string { return r.id.String() }

// RecordedAt is when the case was recorded, to the microsecond.
func (r *Row) RecordedAt() time.Time { return timeOf(r.recorded) }

// AskedAt is when the clinic's own terminal was last asked; zero: never.
func (r *Row) AskedAt() time.Time { return timeOf(r.asked) }

// KnownExpires is when the last known word on the case expires; ok is false where there is none.
func (r *Row) KnownExpires() (at time.Time, ok bool) {
	return timeOf(r.knownEnds), r.knownEnds != zeroTime
}

// VisitDay is the day of the visit.
func (r *Row) VisitDay() civil.Date { return r.visit.date() }

// Operator stands for who recorded it.
func (r *Row) Operator() Mark { return r.operator }

// Person stands for the patient; 0 where birth date or kana are missing.
func (r *Row) Person() Mark { return r.person }

// Face stands for the face reader's file; 0: none.
func (r *Row) Face() Mark { return r.face }

// State is the case's.
func (r *Row) State() eligibility.State { return states[r.state] }

// Route is the case's.
func (r *Row) Route() eligibility.Route { return routes[r.route] }

// OpenTask is the kind of the task that waits for a person; "" where none does.
func (r *Row) OpenTask() TaskKind { return tasks[r.task] }

// Asked is how often the clinic's own terminal was asked, at most 255.
func (r *Row) Asked() int { return int(r.times) }

// EndedAbnormally tells that the clinic's own terminal took the question and could not
// answer it.
func (r *Row) EndedAbnormally() bool {
	return r.State() == eligibility.Queued && r.times > 0 && r.flags&theirsAfter != 0
}

// HasNumbers is Case.HasNumbers.
func (r *Row) HasNumbers() bool { return r.flags&hasNumbers != 0 }

// Closed is Case.Closed.
func (r *Row) Closed() bool { return r.flags&isClosed != 0 }

// Owes tells that the case owes records to the queue.
func (r *Row) Owes() bool { return r.flags&owes != 0 }

// Waits is Case.Waits.
func (r *Row) Waits() bool { return waits(r.State()) }

// before tells that the case is of the days before day altogether: visited, recorded and
// answered.
func (r *Row) before(day civil.Date) bool {
	limit := packDay(day)
	return r.visit < limit && packDay(civil.In(r.RecordedAt())) < limit && r.answered < limit
}

// packedDay is a date that sorts as the date does.
type packedDay int32

func packDay(d civil.Date) packedDay {
	return packedDay(d.Year*512 + int(d.Month)*32 + d.Day)
}

func (p packedDay) date() civil.Date {
	if p == 0 {
		return civil.Date{}
	}
	return civil.Date{Year: int(p >> 9), Month: time.Month(p >> 5 & 15), Day: int(p & 31)}
}

const zeroTime = -1 << 63

func micros(t time.Time) int64 {
	if t.IsZero() {
		return zeroTime
	}
	return t.UnixMicro()
}

func timeOf(micros int64) time.Time {
	if micros == zeroTime {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// pageRows is how many rows one page of the index holds. A row is mostly put behind all
// others, since record IDs rise with time.
const pageRows = 256

// rows is the index: all rows in order of their IDs, in pages, so that growing copies little
// and leaves no room unused but in pages that were split.
type rows struct{ pages [][]Row }

func compareRow(r Row, id uuid.UUID) int { return bytes.Compare(r.id[:], id[:]) }

// find gives where the row is or belongs.
func (x *rows) find(id uuid.UUID) (page, at int, ok bool) {
	page, ok = slices.BinarySearchFunc(x.pages, id, func(p []Row, id uuid.UUID) int { return compareRow(p[0], id) })
	if ok {
		return page, 0, true
	}
	if page == 0 {
		return 0, 0, false
	}
	at, ok = slices.BinarySearchFunc(x.pages[page-1], id, compareRow)
	return page - 1, at, ok
}

func (x *rows) get(id uuid.UUID) (*Row, bool) {
	page, at, ok := x.find(id)
	if !ok {
		return nil, false
	}
	return &x.pages[page][at], true
}

func (x *rows) put(r Row) {
	page, at, ok := x.find(r.id)
	switch {
	case ok:
		x.pages[page][at] = r
	case len(x.pages) == 0:
		x.pages = [][]Row{append(make([]Row, 0, pageRows), r)}
	case len(x.pages[page]) < pageRows:
		x.pages[page] = slices.Insert(x.pages[page], at, r)
	default:
		half := pageRows / 2
		if page == len(x.pages)-1 && at == pageRows {
			half = pageRows // behind all others: the full page stays full
		}
		upper := append(make([]Row, 0, pageRows), x.pages[page][half:]...)
		x.pages[page] = x.pages[page][:half]
		if len(upper) == 0 {
			upper = append(upper, r)
		}
		x.pages = slices.Insert(x.pages, page+1, upper)
		if half < pageRows {
			x.put(r)
		}
	}
}

func (x *rows) remove(id uuid.UUID) {
	page, at, ok := x.find(id)
	if !ok {
		return
	}
	if x.pages[page] = slices.Delete(x.pages[page], at, at+1); len(x.pages[page]) == 0 {
		x.pages = slices.Delete(x.pages, page, page+1)
	}
}

// each gives every row, the oldest ID first.
func (x *rows) each(visit func(*Row)) {
	for _, page := range x.pages {
		for i := range page {
			visit(&page[i])
		}
	}
}
