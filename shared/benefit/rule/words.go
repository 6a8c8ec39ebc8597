package rule

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"madoguchi.example/shared/benefit"
)

// wording is the text of a rule in the three languages, ready to be filled from a step.
type wording struct {
	unit  benefit.Unit // of the step's result
	langs [3]phrase
}

var languages = [3]benefit.Language{benefit.JA, benefit.JAEasy, benefit.EN}

// phrase is a text in one language.
type phrase struct {
	text  benefit.Template
	parts []part // one for each name in the text
}

// part is a name in a text, and the unit in which its value is written.
type part struct {
	name string
	unit benefit.Unit
}

func (w wording) names() []string {
	var names []string
	for _, p := range w.langs {
		names = append(names, p.text.Names()...)
	}
	return names
}

// wording compiles a text and checks the names in it.
func (c *compiler) wording(at benefit.Place, in benefit.Words, s benefit.Scope, unit benefit.Unit, more ...string) wording {
	out := wording{unit: unit}
	for i, text := range []string{in.JA, in.JAEasy, in.EN} {
		parsed, err := benefit.ParseTemplate(text)
		if err != nil {
			c.fault(at, "text: %v", err)
			continue
		}
		p := phrase{text: parsed}
		for _, name := range parsed.Names() {
			if !c.known(name, s) && !slices.Contains(more, name) {
				c.fault(at, "text: there is no %s to write", name)
			}
			p.parts = append(p.parts, part{name, c.out.units[name]})
		}
		out.langs[i] = p
	}
	return out
}

func (c *compiler) known(name string, s benefit.Scope) bool {
	if id, ok := strings.CutPrefix(name, "param."); ok {
		return c.program.Covers(id, c.edition.From, c.edition.To)
	}
	switch name {
	case "value", "month":
		return true
	case "birth":
		return s == benefit.PerChild
	}
	return c.defined[name] && (s == benefit.PerChild || c.out.slots[name].of == ofHousehold)
}

// Explain fills the texts of a decision of Decide or Evaluate from its steps. The edition
// that decided must be among those that the engine has, else it is benefit.ErrNoEdition.
func (e *Engine) Explain(d *benefit.Decision) error {
	c, err := e.program(d.Benefit)
	if err != nil {
		return err
	}
	data, ed, err := c.edition(d.Month)
	if err != nil {
		return err
	}
	if data.Version != d.Version {
		return fmt.Errorf("cannot explain a decision of %s: %w", c.ID, benefit.ErrNoEdition)
	}
	return ed.explain(d)
}

// speech is where the texts of one decision are written, one after the other.
type speech struct {
	text []byte
	ends []int
}

var speeches = sync.Pool{New: func() any { return new(speech) }}

func (ed *edition) explain(d *benefit.Decision) error {
	out := speeches.Get().(*speech)
	defer speeches.Put(out)
	out.text, out.ends = out.text[:0], out.ends[:0]
	for i := range d.Steps {
		step := &d.Steps[i]
		w, ok := ed.words[step.Rule]
		switch {
		case !ok:
			return fmt.Errorf("cannot explain a decision of %s: %w", d.Benefit, benefit.ErrNoEdition)
		case len(step.Needs) > 0:
			out.add(ed.cannotTell(step.Needs))
		default:
			out.fill(w, step, d.Month)
		}
	}
	whole, from := string(out.text), 0
	next := func() string {
		to := out.ends[0]
		text := whole[from:to]
		from, out.ends = to, out.ends[1:]
		return text
	}
	ends := out.ends
	for i := range d.Steps {
		d.Steps[i].Text = benefit.Words{JA: next(), JAEasy: next(), EN: next()}
	}
	out.ends = ends
	return nil
}

func (out *speech) add(w benefit.Words) {
	for _, text := range []string{w.JA, w.JAEasy, w.EN} {
		out.text = append(out.text, text...)
		out.ends = append(out.ends, len(out.text))
	}
}

func (out *speech) fill(w *wording, step *benefit.Step, month benefit.Month) {
	for l := range w.langs {
		lang, parts := languages[l], w.langs[l].parts
		out.text = w.langs[l].text.Append(out.text, func(dst []byte, i int) []byte {
			switch p := &parts[i]; p.name {
			case "value":
				return benefit.Say(dst, lang, step.Result, w.unit)
			case "month":
				return month.Say(dst, lang)
			default:
				return benefit.Say(dst, lang, step.Inputs.Get(p.name), p.unit)
			}
		})
		out.ends = append(out.ends, len(out.text))
	}
}

var birthLabel = benefit.Words{JA: "生年月日", JAEasy: "うまれた 日", EN: "the date of birth"}

// cannotTell says in words which facts are missing.
func (ed *edition) cannotTell(needs []string) benefit.Words {
	var ja, easy, en []string
	for _, need := range needs {
		w, ok := ed.labels[need[strings.LastIndex(need, ".")+1:]]
		if !ok {
			w = birthLabel
		}
		if !slices.Contains(ja, w.JA) {
			ja, easy, en = append(ja, w.JA), append(easy, w.JAEasy), append(en, w.EN)
		}
	}
	return benefit.Words{
		JA:     "まだ判断できません。必要なもの：" + strings.Join(ja, "、"),
		JAEasy: "まだ わかりません。これを おしえて ください：" + strings.Join(easy, "、"),
		EN:     "Cannot tell yet. Needed: " + strings.Join(en, ", "),
	}
}
