package office

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"madoguchi.example/shared/civil"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/jptext"
)

// Limits of what an officer types into a form of these pages, in Unicode code points.
const (
	MinReason = 4
	MaxReason = 1000
	// MaxSheet is how many bytes one of these forms may have.
	MaxSheet = 32 << 10
)

// whole is the place of a fault that is of no single field.
const whole = "whole"

// sheet is one form of a page with what is in it and what is wrong with it. A page with
// several forms says by Act which of them was sent.
type sheet struct {
	Act    string
	Form   url.Values
	Faults map[string]string // field → key of the catalogue under "fault."
	Order  []string          // of the fields with faults, as they stand on the page
}

func newSheet(act string, form url.Values) sheet {
	return sheet{Act: act, Form: form, Faults: map[string]string{}}
}

// Sheet gives the form to the templates.
func (s sheet) Sheet() sheet { return s }

func (s *sheet) ok() bool { return len(s.Faults) == 0 }

// blame notes the first fault of a field. What may be a My Number is not kept.
func (s *sheet) blame(field, key string) {
	if key == string(fault.MyNumberRefused) {
		s.Form.Set(field, "")
	}
	if s.Faults[field] == "" {
		s.Faults[field], s.Order = key, append(s.Order, field)
	}
}

// words reads a text of the given length in code points; lowest 0 may be left out.
func (s *sheet) words(field string, lowest, most int) string {
	text := strings.TrimSpace(strings.ReplaceAll(s.Form.Get(field), "\r\n", "\n"))
	n := utf8.RuneCountInString(text)
	switch {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, notText):
		s.Form.Set(field, "")
		s.blame(field, "invalid")
	case jptext.HoldsMyNumber(text):
		s.blame(field, string(fault.MyNumberRefused))
	case n == 0 && lowest > 0:
		s.blame(field, "required")
	case n < lowest:
		s.blame(field, "too_short")
	case n > most:
		s.blame(field, "too_long")
	}
	return text
}

func (s *sheet) reason(field string) string { return s.words(field, MinReason, MaxReason) }

// day reads a day as a date field or a person writes it.
func (s *sheet) day(field string, needed bool) civil.Date {
	text := strings.TrimSpace(s.Form.Get(field))
	if text == "" {
		if needed {
			s.blame(field, "day")
		}
		return civil.Date{}
	}
	d, _, err := jptext.ParseDate(text)
	if err != nil {
		s.blame(field, "day")
		return civil.Date{}
	}
	s.Form.Set(field, d.String())
	return d
}

// month reads a month as a month field gives it, or "2026/1", and gives its first day.
func (s *sheet) month(field string) civil.Date {
	text := strings.NewReplacer("/", "-", "年", "-", "月", "").Replace(jptext.NoBlanks(jptext.Fold(s.Form.Get(field))))
	year, month, cut := strings.Cut(text, "-")
	if cut && len(month) == 1 {
		month = "0" + month
	}
	d, err := civil.Parse(year + "-" + month + "-01")
	if err != nil {
		s.blame(field, "month")
		return civil.Date{}
	}
	return d
}

// number reads a whole number as people write it: full width, in groups, with its unit.
func (s *sheet) number(field string) int64 {
	text := strings.NewReplacer(",", "", "、", "", "，", "", "円", "", "¥", "", "\\", "", "件", "", "人", "").
		Replace(jptext.NoBlanks(jptext.Fold(s.Form.Get(field))))
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case text == "":
		s.blame(field, "required")
	case err != nil || n < 0:
		s.blame(field, "number")
	}
	return n
}

// oneOf reads a choice.
func (s *sheet) oneOf(field string, all ...string) string {
	got := s.Form.Get(field)
	for _, one := range all {
		if got == one && got != "" {
			return got
		}
	}
	s.blame(field, "choose")
	return ""
}

// chosen reads a choice of which the use case knows what is offered.
func (s *sheet) chosen(field string) string {
	got := s.Form.Get(field)
	if got == "" || len(got) > maxRefBytes {
		s.blame(field, "choose")
	}
	return got
}

// take tells a fault of what was typed at its field, and one's own work or a state that
// forbids the act above the form. Every other error comes back.
func (s *sheet) take(err error, fields ...string) error {
	field := whole
	place := fault.PlaceOf(err)
	for _, f := range fields {
		if strings.Contains(place, f) {
			field = f
			break
		}
	}
	switch code := fault.CodeOf(err); {
	case code == fault.MyNumberRefused && field == whole && len(fields) > 0:
		s.blame(fields[len(fields)-1], string(code))
	case code == fault.MyNumberRefused:
		s.blame(field, string(code))
	case code == fault.TooLarge:
		s.blame(field, "too_long")
	case code == fault.InvalidArgument, code == fault.NotFound && field != whole:
		s.blame(field, "invalid")
	case code == fault.Conflict:
		s.blame(field, s.conflict(place))
	case code == fault.Forbidden && place == "own_work":
		s.blame(whole, "own_work")
	default:
		return err
	}
	return nil
}

// conflict gives the words for a state that forbids the act, by the fault's place.
func (s *sheet) conflict(place string) string {
	switch {
	case place == "deadline" && s.Act == "act":
		return "late_start"
	case place == "deadline":
		return "late"
	case place == "run":
		return "nobody_ready"
	case place == "list":
		return "refused_since"
	case place == "contact":
		return "no_guardian"
	case place == "count", place == "total":
		return "differs"
	}
	return "conflict"
}

// fieldView is one field of a form as a template draws it.
type fieldView struct {
	ID, Name, Value           string
	Label, Hint, Fault        string
	DescribedBy, Autocomplete string
}

// Field gives a field of a form: its label and hint are the words "form.<form>.<name>" and
// "form.<form>.<name>.hint".
func (v view) Field(form, name string) fieldView {
	key := "form." + form + "." + name
	f := fieldView{ID: form + "-" + name, Name: name, Label: v.T(key), Autocomplete: "off"}
	if v.office.words.has(key + ".hint") {
		f.Hint = v.T(key + ".hint")
		f.DescribedBy = f.ID + "-hint"
	}
	if s, ok := v.Body.(interface{ Sheet() sheet }); ok && s.Sheet().Act == form {
		f.Value = s.Sheet().Form.Get(name)
		if key := s.Sheet().Faults[name]; key != "" {
			f.Fault = v.Fault(key)
			f.DescribedBy = strings.TrimSpace(f.DescribedBy + " " + f.ID + "-fault")
		}
	}
	return f
}

// FieldWith gives a field whose hint has something filled in.
func (v view) FieldWith(form, name string, with ...any) fieldView {
	f := v.Field(form, name)
	f.Hint = v.Fill("form."+form+"."+name+".hint", with...)
	return f
}

// mend is one line of the list of what has to be mended.
type mend struct{ To, Label, Fault string }

// Mends lists what is wrong with the form that was sent.
func (v view) Mends() []mend {
	s, ok := v.Body.(interface{ Sheet() sheet })
	if !ok {
		return nil
	}
	var out []mend
	form := s.Sheet()
	for _, field := range form.Order {
		m := mend{Fault: v.Fault(form.Faults[field])}
		if field != whole {
			m.To, m.Label = form.Act+"-"+field, v.T("form."+form.Act+"."+field)
		}
		out = append(out, m)
	}
	return out
}
