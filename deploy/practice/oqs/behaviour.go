package oqs

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Behaviour is how the terminal answers from now on. The zero value answers at once, whole
// and well; each part is one thing that real terminals were seen to do.
type Behaviour struct {
	DelayMS int `json:"delay_ms,omitempty" toml:"delay_ms"` // until the answer is written
	// Silent takes requests and never answers.
	Silent bool `json:"silent,omitempty" toml:"silent"`
	// LineCut answers at once that the system cannot be reached.
	LineCut bool `json:"line_cut,omitempty" toml:"line_cut"`
	// HalfMS writes half of an answer and the other half so much later.
	HalfMS int `json:"half_ms,omitempty" toml:"half_ms"`
	// Encoding of answers; empty is that of the configuration.
	Encoding Encoding `json:"encoding,omitempty" toml:"encoding"`
	// InProgress is how often 処理中 comes before a single answer, written one after the
	// other into the same file, or before a bulk answer, one for each time it is asked for.
	InProgress int `json:"in_progress,omitempty" toml:"in_progress"`
	// Abnormal ends with this code instead of an answer.
	Abnormal Code `json:"abnormal,omitempty" toml:"abnormal"`
	// Omit leaves elements of these names out of answers.
	Omit []string `json:"omit,omitempty" toml:"omit"`
	// Reorder turns the order of elements round.
	Reorder bool `json:"reorder,omitempty" toml:"reorder"`
	// Rare puts ● for kanji outside JIS X 0208.
	Rare bool `json:"rare,omitempty" toml:"rare"`
	// ZIP packs answers.
	ZIP bool `json:"zip,omitempty" toml:"zip"`
	// Leave lets requests lie in req; else they are moved away once they are read.
	Leave bool `json:"leave,omitempty" toml:"leave"`
	// Remark comes with good answers: a certificate that ends soon, say.
	Remark string `json:"remark,omitempty" toml:"remark"`
	// Times is how many requests this holds for; 0 is until it is changed.
	Times int `json:"times,omitempty" toml:"times"`
}

// maxWait bounds what a behaviour delays, in milliseconds.
const maxWait = 24 * 60 * 60 * 1000

func (b Behaviour) validate() error {
	if b.DelayMS < 0 || b.DelayMS > maxWait || b.HalfMS < 0 || b.HalfMS > maxWait {
		return fmt.Errorf("delays must be between 0 and %d ms", maxWait)
	}
	if b.InProgress < 0 || b.InProgress > 100 || b.Times < 0 {
		return errors.New("in_progress must be between 0 and 100, times not negative")
	}
	if b.Encoding != "" && !b.Encoding.known() {
		return errors.New("encoding must be one of the four")
	}
	if len(b.Remark) > 1000 || len(b.Abnormal) > 100 || len(b.Omit) > 100 {
		return errors.New("a text is too long")
	}
	return nil
}

func (b Behaviour) delay() time.Duration { return time.Duration(b.DelayMS) * time.Millisecond }
func (b Behaviour) half() time.Duration  { return time.Duration(b.HalfMS) * time.Millisecond }

// Set changes the behaviour. Answers that are already on their way stay as they are.
func (t *Terminal) Set(b Behaviour) error {
	if err := b.validate(); err != nil {
		return fmt.Errorf("cannot take the behaviour: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	b.Omit = slices.Clone(b.Omit)
	t.behaviour, t.used = b, 0
	return nil
}

// next gives the behaviour for one more request.
func (t *Terminal) next() Behaviour {
	b := t.behaviour
	t.used++
	if b.Times > 0 && t.used >= b.Times {
		t.behaviour, t.used = Behaviour{}, 0
	}
	if b.Encoding == "" {
		b.Encoding = t.Encoding
	}
	return b
}
