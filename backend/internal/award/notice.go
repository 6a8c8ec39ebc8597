package award

import (
	"slices"
	"strings"
	"unicode/utf8"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/backend/internal/mailbox"
	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/identity"
	"madoguchi.example/shared/notice"
)

// afterSteps is the room in code points that is kept for what stands after the reasons.
const afterSteps = 900

// letter makes the notice of one award. It is about whom the award is for, and about the
// others of the household, the head and the spouse before the rest, as far as a letter
// names people: a protection of any of them withholds it.
func (x *Office) letter(p pass, m citizen.Municipality, a Award, household []identity.CitizenID) mailbox.Letter {
	about := a.people()
	for _, id := range household {
		if !slices.Contains(about, id) && len(about) < mailbox.MaxAbout {
			about = append(about, id)
		}
	}
	return mailbox.Letter{To: a.Payee, About: about, Municipality: a.Municipality, Kind: notice.Action, Deadline: a.Deadline,
		Texts: x.texts(p, m, a), Subject: notice.Subject{Kind: notice.Benefit, ID: a.ID}, Once: a.ID}
}

// texts writes the notice in the three languages: what, how much, when, what to do and by
// when, why, how to refuse, how to object, whom to call.
func (x *Office) texts(p pass, m citizen.Municipality, a Award) map[notice.Language]notice.Text {
	out := map[notice.Language]notice.Text{}
	for to, l := range languages {
		w := writer{words: x.words, l: l, values: x.values(p, m, a)}
		switch a.State {
		case OpenQuestion:
			w.question(a)
		case MustApply:
			w.apply(p, a)
		default:
			w.award(a)
		}
		w.why(a)
		w.put("basis")
		w.put("objection")
		w.put("call")
		out[to] = notice.Text{Title: w.title(a.State), Body: w.body.String()}
	}
	return out
}

// values gives what the names in the sentences stand for.
func (x *Office) values(p pass, m citizen.Municipality, a Award) map[string]spoken {
	place := spoken{JA: m.NameJA, JAEasy: m.NameEasy, EN: m.NameEN}
	office := spoken{JA: place.JA + " " + m.Counter.Name, JAEasy: place.JAEasy + " " + m.Counter.Name, EN: place.EN + ", " + m.Counter.Name}
	return map[string]spoken{
		"name": spoken(p.program.Name), "month": inMonth(a.Month), "amount": yen(a.Amount), "pay_on": onDay(a.PayOn),
		"deadline": onDay(a.Deadline), "days": number(AnswerDays), "basis": same(p.program.Basis),
		"office": office, "phone": same(m.Counter.Phone),
	}
}

// writer writes one notice in one language.
type writer struct {
	words  catalogue
	l      benefit.Language
	values map[string]spoken
	body   strings.Builder
	runes  int
}

// put adds a sentence on a line of its own.
func (w *writer) put(key string) { w.line(w.words.fill(w.l, key, w.values)) }

// with adds a sentence with a value of its own.
func (w *writer) with(key, name string, v spoken) {
	w.values[name] = v
	w.put(key)
}

func (w *writer) line(s string) {
	if w.runes > 0 {
		w.body.WriteString("\n")
		w.runes++
	}
	w.body.WriteString(s)
	w.runes += utf8.RuneCountInString(s)
}

func (w *writer) award(a Award) {
	w.put("award_what")
	total := w.values["amount"]
	if len(a.Lines) > 1 {
		for _, l := range a.Lines {
			w.values["birth"] = born(l.Birth)
			w.with("award_child", "amount", yen(l.Amount))
		}
	}
	w.values["amount"] = total
	w.put("award_when")
	w.put("award_nothing_to_do")
	w.put("award_refuse")
	w.put("award_seven_days")
	w.put("award_silence")
}

func (w *writer) question(a Award) {
	w.put("question_what")
	for _, n := range a.Needs {
		w.with("question_need", "need", spoken(n.Text))
	}
	w.put("question_how")
	w.put("question_late")
}

// apply also tells the programme's own deadlines that count from an event.
func (w *writer) apply(p pass, a Award) {
	w.put("apply_what")
	w.put("apply_amount")
	w.put("apply_how")
	for _, d := range p.program.Deadlines {
		if d.On.IsZero() {
			w.line(in(w.l, d.Text))
		}
	}
}

// why writes the steps, whole sentences only, as many as there is room for.
func (w *writer) why(a Award) {
	w.put("why")
	for _, s := range a.Steps {
		text := w.words.fill(w.l, "why_step", map[string]spoken{"text": spoken(s.Text), "article": same(s.Article)})
		if w.runes+utf8.RuneCountInString(text)+afterSteps > notice.MaxBody {
			w.put("why_more")
			return
		}
		w.line(text)
	}
}

// title names the benefit, or not where its name is too long for a title.
func (w *writer) title(s State) string {
	key := map[State]string{OpenQuestion: "title_question", MustApply: "title_apply"}[s]
	if key == "" {
		key = "title_award"
	}
	t := w.words.fill(w.l, key, w.values)
	if utf8.RuneCountInString(t) > notice.MaxTitle {
		t = w.words.fill(w.l, key+"_short", w.values)
	}
	return t
}
