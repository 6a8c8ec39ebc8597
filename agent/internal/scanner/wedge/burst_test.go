package wedge_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"madoguchi.example/agent/internal/scanner"
	"madoguchi.example/agent/internal/scanner/wedge"
)

// strokes is one line of a case: a text key by key, one key so many times, or silence.
type strokes struct {
	Text    string `json:"text"`
	Key     string `json:"key"`
	Times   int    `json:"times"`
	After   int64  `json:"after"`
	Every   int64  `json:"every"`
	Repeat  bool   `json:"repeat"`
	Control bool   `json:"control"`
	Silence bool   `json:"silence"`
}

func (s strokes) names() []string {
	if s.Key != "" {
		out := make([]string, max(1, s.Times))
		for i := range out {
			out[i] = s.Key
		}
		return out
	}
	var out []string
	for _, r := range s.Text {
		out = append(out, string(r))
	}
	return out
}

func rule(t testing.TB) wedge.BurstRule {
	t.Helper()
	r, err := wedge.Rule()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheConstantsOfTheRule(t *testing.T) {
	r := rule(t)
	if r.Within.Duration() != 30*time.Millisecond || r.Most != scanner.MaxScanBytes || len(r.Ends) != 2 || r.From < 2 || r.Alone <= r.From {
		t.Errorf("%+v", r)
	}
}

// TestBursts runs the table that the page's own rule is held against too.
func TestBursts(t *testing.T) {
	raw, err := os.ReadFile("testdata/bursts.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name string    `json:"name"`
		Keys []strokes `json:"keys"`
		Acts wedge.Act `json:"acts"` // what the last of them does
		Scan string    `json:"scan"`
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		b := wedge.Burst{Rule: rule(t)}
		var act wedge.Act
		var text string
		at := time.Duration(0)
		for _, s := range c.Keys {
			if s.Silence {
				act, text = b.Silent()
				continue
			}
			for i, name := range s.names() {
				if i == 0 {
					at += time.Duration(s.After) * time.Millisecond
				} else {
					at += time.Duration(s.Every) * time.Millisecond
				}
				act, text = b.Press(wedge.Key{Name: name, At: at, Repeat: s.Repeat, Control: s.Control})
			}
		}
		if act != c.Acts || (c.Scan != "" && text != c.Scan) {
			t.Errorf("%s: %q %.40q", c.Name, act, text)
		}
	}
}

// TestKeysOfAScanDoNothingElse has the keys of a code, from the sixth on, held back.
func TestKeysOfAScanDoNothingElse(t *testing.T) {
	b := wedge.Burst{Rule: rule(t)}
	for i, name := range []string{"1", "2", "3", "4", "5", "6", "F9", "Escape", "F11", "7"} {
		act, _ := b.Press(wedge.Key{Name: name, At: time.Duration(i) * 5 * time.Millisecond})
		if want := map[bool]wedge.Act{true: wedge.Hold, false: wedge.Leave}[i >= 5]; act != want {
			t.Errorf("key %d: %q", i, act)
		}
	}
}
