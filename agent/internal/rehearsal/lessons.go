package rehearsal

import (
	"context"
	"encoding/json"
	"slices"

	"madoguchi.example/agent/internal/casebook"
	"madoguchi.example/agent/internal/check"
	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/wire"
)

// Lesson is one thing to practise. Its words stand in the desk's catalogue under
// "practice.<ID>.do" and "practice.<ID>.see".
type Lesson struct {
	ID   string
	Done bool
}

// The lessons.
const (
	LessonNumbers   = "numbers"     // type 資格確認書 and see 有効
	LessonFamily    = "family"      // the same family's next child
	LessonNewer     = "newer"       // an answer that differs, and the task that it raises
	LessonLine      = "line"        // the line is cut and comes back
	LessonDeclare   = "declare"     // 被保険者資格申立書
	LessonCorrect   = "correct"     // wrong patient: take a record back
	LessonUndo      = "undo"        // the last entry back
	LessonGenuine   = "genuine"     // verify a certificate
	LessonAltered   = "altered"     // verify one that was changed
	LessonIdentity  = "identity"    // who a card names, by its PIN
	LessonNobodyAsk = "nobody_asks" // counters and shelters: no insurance is asked for
)

// lessonsOf is the walk-through of a class.
func lessonsOf(c profile.Class) []string {
	if c.MayCheckInsurance() {
		return []string{
			LessonNumbers, LessonFamily, LessonNewer, LessonLine, LessonDeclare, LessonCorrect, LessonUndo, LessonIdentity, LessonGenuine, LessonAltered,
		}
	}
	return []string{LessonNobodyAsk, LessonIdentity, LessonGenuine, LessonAltered}
}

// Lessons gives the walk-through of the room's class, each with whether it was done.
func (r *Room) Lessons(ctx context.Context) ([]Lesson, error) {
	rows, _, err := r.desk.Today(ctx)
	if err != nil {
		return nil, err
	}
	outcomes := r.memory.outcomes()
	var all []Lesson
	for _, id := range lessonsOf(r.config.Class) {
		all = append(all, Lesson{ID: id, Done: done(id, rows, outcomes) || id == LessonIdentity && r.cards.wasRead()})
	}
	return all, nil
}

func done(id string, rows []check.View, outcomes []cert.Outcome) bool {
	people := patients()
	some := func(keep func(check.View) bool) bool { return slices.ContainsFunc(rows, keep) }
	of := func(v check.View, p patient) bool {
		return v.Inquiry.InsurerNumber == p.Insurer && v.Inquiry.Number == p.Number && v.Inquiry.Branch == p.Branch
	}
	switch id {
	case LessonNumbers:
		return some(func(v check.View) bool { return of(v, people[0]) && v.Answer != nil })
	case LessonFamily:
		return some(func(v check.View) bool { return of(v, people[1]) && v.Family != "" })
	case LessonNewer:
		return some(func(v check.View) bool { return of(v, people[2]) && v.State == eligibility.Reviewed })
	case LessonLine:
		return some(func(v check.View) bool { return v.Cause != eligibility.CauseNone && v.Answer != nil })
	case LessonDeclare:
		return some(func(v check.View) bool { return v.Evidence == eligibility.EvidenceSelfDeclaration })
	case LessonCorrect:
		return some(func(v check.View) bool { return takenBack(v.Case) && v.VoidReason != eligibility.Undone })
	case LessonUndo:
		return some(func(v check.View) bool { return takenBack(v.Case) && v.VoidReason == eligibility.Undone })
	case LessonGenuine, LessonNobodyAsk:
		return slices.Contains(outcomes, cert.Valid)
	case LessonAltered:
		return slices.Contains(outcomes, cert.BadSignature)
	}
	return false
}

func takenBack(c casebook.Case) bool { return c.State == eligibility.Voided }

// outcomes are those of the certificates that were verified.
func (m *memory) outcomes() []cert.Outcome {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []cert.Outcome
	for _, r := range m.records {
		var v wire.CertificateVerification
		if r.Kind == wire.KindCertificateVerification && json.Unmarshal(r.Body, &v) == nil {
			all = append(all, cert.Outcome(v.Outcome))
		}
	}
	return all
}
