package award

import (
	"strings"

	"madoguchi.example/backend/internal/citizen"
	"madoguchi.example/shared/benefit"
)

// payeeArticle is the rule that the parent who earns more is the one who provides for the
// child.
const payeeArticle = "児童手当法第4条第3項"

// payee gives the parent who is paid and the step that says why: of the head of the
// household and the spouse, living residents and adults, the one with the higher income of
// the counting year; where the incomes are equal, or one is not known, the head. Nobody is
// nil.
func (x *Office) payee(p pass, f citizen.Family) (*citizen.Relative, Step) {
	var parents []*citizen.Relative
	for i := range f.Members {
		m := &f.Members[i]
		if (m.Relation == citizen.Head || m.Relation == citizen.Spouse) && m.Lives(p.today) &&
			m.Resident.BirthDate.AgeOn(p.today) >= citizen.AdultAge {
			parents = append(parents, m)
		}
	}
	year := p.incomeYear()
	say := func(key string) Step {
		return Step{Rule: "payee", Version: p.edition.Version, Article: payeeArticle, Result: key,
			Text: x.words.say(key, map[string]spoken{"year": number(int64(year))})}
	}
	switch len(parents) {
	case 0:
		return nil, Step{}
	case 1:
		return parents[0], say("payee_only")
	}
	head := parents[0] // members are given with the head first
	best, known := head, true
	for _, m := range parents {
		mine, ok := incomeOf(m, year)
		theirs, _ := incomeOf(best, year)
		if known = known && ok; known && mine.IncomeYen > theirs.IncomeYen {
			best = m
		}
	}
	switch {
	case !known:
		return head, say("payee_unknown")
	case best == head && equalIncomes(parents, year):
		return head, say("payee_equal")
	}
	return best, say("payee_higher")
}

func equalIncomes(parents []*citizen.Relative, year int) bool {
	first, _ := incomeOf(parents[0], year)
	for _, m := range parents[1:] {
		if v, _ := incomeOf(m, year); v.IncomeYen != first.IncomeYen {
			return false
		}
	}
	return true
}

// steps turns the rules' steps into the form that is kept.
func steps(in []benefit.Step) []Step {
	out := make([]Step, len(in))
	for i, s := range in {
		out[i] = Step{Rule: s.Rule, Version: s.Version, Article: s.Article, Result: s.Result.String(), Text: s.Text}
		if len(s.Inputs) > 0 {
			out[i].Inputs = map[string]string{}
		}
		for _, in := range s.Inputs {
			out[i].Inputs[in.Name] = in.Value.String()
		}
		for _, p := range s.Parameters {
			out[i].Parameters = append(out[i].Parameters, Parameter{ID: p.ID, From: p.From, Source: p.Source})
		}
	}
	return out
}

// needs says in words which facts are missing, each once.
func needs(e *benefit.Edition, unknown []string) []Need {
	var out []Need
	seen := map[string]bool{}
	for _, place := range unknown {
		name := place[strings.LastIndex(place, ".")+1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		n := Need{Fact: name, Text: birthLabel}
		for _, d := range e.Facts {
			if d.Name == name {
				n.Text = d.Label
			}
		}
		out = append(out, n)
	}
	return out
}
