package jsonlines

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"madoguchi.example/shared/benefit"
	"madoguchi.example/shared/benefit/rule"
	"madoguchi.example/shared/fault"
)

// The questions that every programme's calendar answers, as endings of its id.
const (
	paymentMonth = "_payment_month"
	startMonth   = "_start_month"
)

// answer is one line out. Result and Steps are null only beside an Error.
type answer struct {
	ID      string         `json:"id"`
	Benefit string         `json:"benefit"`
	Month   benefit.Month  `json:"month"`
	Result  map[string]any `json:"result"`
	Unknown []string       `json:"unknown"`
	Steps   []step         `json:"steps"`
	Error   *failure       `json:"error,omitempty"`
}

type failure struct {
	Code    fault.Code `json:"code"`
	At      string     `json:"at"`    // file:line
	Place   string     `json:"place"` // within the line
	Message string     `json:"message"`
}

type step struct {
	Rule      string         `json:"rule"`
	Version   string         `json:"version"`
	Article   string         `json:"article"`
	Inputs    map[string]any `json:"inputs"`
	Parameter *parameter     `json:"parameter"`
	More      []parameter    `json:"more_parameters,omitempty"`
	Result    any            `json:"result"`
	Text      benefit.Words  `json:"text"`
}

type parameter struct {
	ID     string        `json:"id"`
	From   benefit.Month `json:"valid_from"`
	Source string        `json:"source"`
}

// Run answers every line of in, blank ones aside, each with one line on out. A line that
// cannot be answered gets a line with its error, file:line included; refused counts those.
// Err is a failure to read or write, or the end of ctx; then the lines before it are whole.
func Run(ctx context.Context, e *rule.Engine, file string, in io.Reader, out io.Writer) (refused int, err error) {
	w := bufio.NewWriter(out)
	encode := json.NewEncoder(w)
	encode.SetEscapeHTML(false)
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 1<<16), MaxLine+2)
	number := 0
	for lines.Scan() {
		number++
		if err := ctx.Err(); err != nil {
			return refused, errors.Join(err, w.Flush())
		}
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		a := answerTo(e, line, fmt.Sprintf("%s:%d", file, number))
		if a.Error != nil {
			refused++
		}
		if err := encode.Encode(a); err != nil {
			return refused, fmt.Errorf("cannot write the answers: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return refused, fmt.Errorf("cannot write the answers: %w", err)
	}
	if err := lines.Err(); err != nil {
		return refused, fmt.Errorf("cannot read %s:%d: %w", file, number+1, err)
	}
	return refused, nil
}

// answerTo evaluates one line that stands at the place.
func answerTo(e *rule.Engine, line []byte, at string) answer {
	q, err := Decode(line)
	a := answer{ID: q.ID, Benefit: q.Benefit, Month: q.Month}
	var d benefit.Decision
	if err == nil {
		d, err = decide(e, q)
	}
	if err != nil {
		a.Error = told(err, at)
		return a
	}
	a.Unknown = append([]string{}, d.Unknown...)
	a.Result = result(d)
	if p, err := e.Program(q.Benefit); err == nil && q.Household && d.Amount.Known() {
		a.Result[p.Name.JA] = d.Amount.Native()
	}
	a.Steps = []step{}
	for _, s := range d.Steps {
		a.Steps = append(a.Steps, stepOf(s))
	}
	return a
}

// decide asks for an amount, or for a month of the programme's calendar.
func decide(e *rule.Engine, q Question) (benefit.Decision, error) {
	if slices.Contains(e.Programs(), q.Benefit) {
		return e.Evaluate(q.Request)
	}
	if id, ok := strings.CutSuffix(q.Benefit, paymentMonth); ok {
		m := q.Month
		if v, ok := q.Facts["entitlement_month"]; ok {
			var err error
			if m, err = benefit.ParseMonth(v.String()); err != nil {
				return benefit.Decision{}, fault.At(fault.InvalidArgument, "inputs.entitlement_month", "must be a month written YYYY-MM")
			}
		}
		return e.PaidIn(id, m)
	}
	if id, ok := strings.CutSuffix(q.Benefit, startMonth); ok {
		if q.Event.IsZero() || q.Application.IsZero() {
			return benefit.Decision{}, fault.At(fault.InvalidArgument, "inputs", "the event and the application must be days")
		}
		return e.StartsIn(id, q.Month, q.Event, q.Application)
	}
	return benefit.Decision{}, benefit.ErrNoProgram
}

func told(err error, at string) *failure {
	f := &failure{Code: fault.Internal, At: at, Place: fault.PlaceOf(err), Message: err.Error()}
	switch e, ok := errors.AsType[*fault.Error](err); {
	case ok:
		f.Code, f.Message = e.Code, e.Message
	case errors.Is(err, benefit.ErrNoProgram), errors.Is(err, benefit.ErrNoEdition):
		f.Code = fault.NotFound
	}
	return f
}

func result(d benefit.Decision) map[string]any {
	out := map[string]any{}
	if d.Amount.Known() {
		out["amount"] = d.Amount.Native()
	}
	if d.PerChild != nil {
		children := []map[string]any{}
		for _, c := range d.PerChild {
			one := map[string]any{"birth": nil, "amount": c.Amount.Native()}
			if !c.Birth.IsZero() {
				one["birth"] = c.Birth
			}
			children = append(children, one)
		}
		out["per_child"] = children
	}
	for _, o := range d.Outputs {
		if o.Value.Known() {
			out[o.Name] = o.Value.Native()
		}
	}
	return out
}

func stepOf(s benefit.Step) step {
	out := step{Rule: s.Rule, Version: s.Version, Article: s.Article, Inputs: map[string]any{}, Result: s.Result.Native(), Text: s.Text}
	for _, in := range s.Inputs {
		out.Inputs[in.Name] = in.Value.Native()
	}
	for i, p := range s.Parameters {
		use := parameter(p)
		if i == 0 {
			out.Parameter = &use
		} else {
			out.More = append(out.More, use)
		}
	}
	return out
}
