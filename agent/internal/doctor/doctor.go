// Package doctor promises to name what keeps a terminal from its work, and the mend, in
// words that a receptionist can act on; the same for the desk and for `madoguchi-agent
// doctor`. It looks and changes nothing but for a file of its own that it writes into the
// terminal's folder and the request folder and takes away again.
//
// The command ends with the code of the first fault in this order, most fundamental first:
//
//	 0  nothing keeps the terminal from its work
//	 1  the doctor itself could not work
//	 2  it was called wrongly
//	10  configuration  the file cannot be read or holds faults
//	11  enrolment      the terminal is not enrolled, not let in any more, or has a double
//	12  store          the terminal's own file cannot be used or is full
//	13  disk           full, nearly full, or not writable
//	14  clock          set back, or far from the backend's
//	15  backend        cannot be reached, or cannot be trusted
//	16  trust          no trust list, or an old one
//	17  pcscd          the service of card readers does not answer
//	18  reader         no card reader, or one that does not work
//	19  scanner        the code scanner cannot be used
//	20  folder         the exchange with the 資格確認端末 cannot be used
//	21  operators      nobody can sign in
package doctor

import (
	"context"
	"sync"
	"time"

	"madoguchi.example/agent/internal/card/counter"
	"madoguchi.example/agent/internal/operator"
	"madoguchi.example/agent/internal/oqsfolder"
	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/uplink"
	"madoguchi.example/shared/trust"
)

// Part is what a finding is about.
type Part string

// The parts, in the order in which they are looked at and told.
const (
	Configuration Part = "configuration"
	Enrolment     Part = "enrolment"
	Storage       Part = "store"
	Disk          Part = "disk"
	Clock         Part = "clock"
	Backend       Part = "backend"
	Trust         Part = "trust"
	PCSCD         Part = "pcscd"
	Reader        Part = "reader"
	Scanner       Part = "scanner"
	Folder        Part = "folder"
	Operators     Part = "operators"
)

var order = []Part{Configuration, Enrolment, Storage, Disk, Clock, Backend, Trust, PCSCD, Reader, Scanner, Folder, Operators}

// Exit codes besides those of the parts.
const (
	ExitWell   = 0
	ExitFailed = 1
	ExitUsage  = 2
	firstCode  = 10
)

// ExitCode is the part's own.
func (p Part) ExitCode() int {
	for i, part := range order {
		if part == p {
			return firstCode + i
		}
	}
	return ExitFailed
}

// Finding is one thing that was found of a part. A part of which several were found has a
// Finding for each, the worst first.
type Finding struct {
	Part Part
	// Fault names what keeps the part from its work: a word of the catalogue. "" where this
	// does not.
	Fault string
	// Hint names what is worth knowing and keeps the part from nothing; "" for nothing.
	Hint string
	// Args are put into the words in their places. They never hold personal data.
	Args  []string
	Since time.Time // when it came to be so; zero where that is not known
}

// OK tells whether the part does its work, as far as this finding goes.
func (f Finding) OK() bool { return f.Fault == "" }

// Code is the part's exit code where this keeps it from its work, else ExitWell.
func (f Finding) Code() int {
	if f.OK() {
		return ExitWell
	}
	return f.Part.ExitCode()
}

// ExitCode is that of the first finding that is not OK.
func ExitCode(findings []Finding) int {
	for _, f := range findings {
		if !f.OK() {
			return f.Code()
		}
	}
	return ExitWell
}

// Parts are how the parts of a terminal are asked. One that is nil is not looked at. Each is
// called once, several at a time, and is given up after Patience.
type Parts struct {
	Now      func() time.Time // required
	Patience time.Duration    // 0: DefaultPatience

	Configuration func() error
	Enrolment     func(context.Context) error
	Line          func() uplink.Line // of a running agent: whether the backend still lets it in
	Store         func(context.Context) (Store, error)
	Disk          func() (Space, error)
	Clock         func(context.Context) Time
	Backend       func(context.Context) error // Probe.Reach is one
	Trust         func(context.Context) (trust.Snapshot, error)
	Card          func(context.Context) counter.Status
	Scanners      []func(context.Context) scanner.Health
	Folder        func(context.Context) oqsfolder.Health
	Operators     func(context.Context) ([]operator.Operator, error)
}

// DefaultPatience is how long one part is waited for: a file system or a service that does
// not answer must not keep the others from being told.
const DefaultPatience = 12 * time.Second

// silent is the fault of a part that did not answer in time.
const silent = "silent"

// Examine looks at every part there is and tells what it found, in the order of the parts.
func Examine(ctx context.Context, p Parts) []Finding { return examine(ctx, p, &stuck{}) }

func examine(ctx context.Context, p Parts, s *stuck) []Finding {
	if p.Patience <= 0 {
		p.Patience = DefaultPatience
	}
	ctx, cancel := context.WithTimeout(ctx, p.Patience)
	defer cancel()
	looks := p.looks()
	found := make([][]Finding, len(looks))
	var work sync.WaitGroup
	for i, l := range looks {
		work.Go(func() { found[i] = s.inTime(ctx, l) })
	}
	work.Wait()
	var all []Finding
	for _, f := range found {
		all = append(all, f...)
	}
	return clockOfCertificate(all)
}

// look asks one part.
type look struct {
	part Part
	ask  func(context.Context) []Finding
}

// stuck knows the parts that were given up and have not come back.
type stuck struct {
	mu    sync.Mutex
	parts map[Part]bool
}

// begin notes that a part is asked; false where it still has not come back from before.
func (s *stuck) begin(p Part) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parts[p] {
		return false
	}
	if s.parts == nil {
		s.parts = map[Part]bool{}
	}
	s.parts[p] = true
	return true
}

func (s *stuck) end(p Part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.parts, p)
}

// inTime gives up a part that does not answer. What it is stuck in cannot be ended; it ends
// by itself or with the program, and is not asked again before.
func (s *stuck) inTime(ctx context.Context, l look) []Finding {
	given := []Finding{{Part: l.part, Fault: silent}}
	if !s.begin(l.part) {
		return given
	}
	answer := make(chan []Finding, 1)
	go func() {
		f := l.ask(ctx)
		s.end(l.part)
		answer <- f
	}()
	select {
	case f := <-answer:
		return f
	case <-ctx.Done():
	}
	select {
	case f := <-answer: // it was told to end, and did
		return f
	default:
		return given
	}
}

// looks lists what there is to ask.
func (p Parts) looks() []look {
	var all []look
	add := func(there bool, part Part, ask func(context.Context) []Finding) {
		if there {
			all = append(all, look{part, ask})
		}
	}
	several := func(part Part, ask func(context.Context) []Finding) func(context.Context) []Finding {
		return func(ctx context.Context) []Finding {
			found := ask(ctx)
			if len(found) == 0 {
				return []Finding{{Part: part}}
			}
			for i := range found {
				found[i].Part = part
			}
			return found
		}
	}
	one := func(part Part, ask func(context.Context) Finding) func(context.Context) []Finding {
		return several(part, func(ctx context.Context) []Finding { return []Finding{ask(ctx)} })
	}
	add(p.Configuration != nil, Configuration, one(Configuration, p.configuration))
	add(p.Enrolment != nil, Enrolment, several(Enrolment, p.enrolment))
	add(p.Store != nil, Storage, several(Storage, p.store))
	add(p.Disk != nil, Disk, several(Disk, p.disk))
	add(p.Clock != nil, Clock, one(Clock, p.clock))
	add(p.Backend != nil, Backend, one(Backend, p.backend))
	add(p.Trust != nil, Trust, several(Trust, p.trust))
	add(p.Card != nil, PCSCD, p.card)
	add(len(p.Scanners) > 0, Scanner, one(Scanner, p.scanner))
	add(p.Folder != nil, Folder, one(Folder, p.folder))
	add(p.Operators != nil, Operators, one(Operators, p.operators))
	return all
}

// clockOfCertificate blames the clock where the backend's certificate is not valid yet and
// nothing else speaks of the clock: a certificate from the future is a clock from the past.
func clockOfCertificate(all []Finding) []Finding {
	early := false
	for _, f := range all {
		early = early || (f.Part == Backend && f.Fault == TLSNotYetValid)
	}
	for i, f := range all {
		if early && f.Part == Clock && f.OK() {
			all[i] = Finding{Part: Clock, Fault: beforeCertificate}
		}
	}
	return all
}
