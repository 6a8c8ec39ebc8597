package doctor

import (
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"madoguchi.example/shared/notice"
)

//go:embed words/*.json
var wordFiles embed.FS

// catalogues are read once; a file that cannot be read shows itself as keys in brackets, and
// in the tests.
var catalogues = sync.OnceValue(func() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, lang := range notice.Languages() {
		text := map[string]string{}
		raw, err := wordFiles.ReadFile("words/" + string(lang) + ".json")
		if err != nil || json.Unmarshal(raw, &text) != nil {
			text = nil
		}
		all[string(lang)] = text
	}
	return all
})

// Catalogue gives the words in one language as they are written, nil for a language that
// there is none of. Furigana are written {漢字|かんじ}. Keys are part.name, part.ok,
// part.word.said and part.word.mend; those of the part "scan" are for the faults of one scan
// (scanner.Scan.Faults).
func Catalogue(lang string) map[string]string { return catalogues()[lang] }

func written(lang, key string, args []string) string {
	text, ok := Catalogue(lang)[key]
	if !ok {
		return "[" + key + "]"
	}
	if !strings.Contains(text, "%[") {
		return text
	}
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a
	}
	return fmt.Sprintf(text, values...)
}

// word is the key of what was found, "" where there is nothing to say.
func (f Finding) word() string {
	if f.Fault != "" {
		return string(f.Part) + "." + f.Fault
	}
	if f.Hint != "" {
		return string(f.Part) + "." + f.Hint
	}
	return ""
}

// Name is what the part is called, with furigana as Catalogue writes them.
func (p Part) Name(lang string) string { return written(lang, string(p)+".name", nil) }

// Said tells what was found, with furigana as Catalogue writes them.
func (f Finding) Said(lang string) string {
	if f.word() == "" {
		return written(lang, string(f.Part)+".ok", nil)
	}
	return written(lang, f.word()+".said", f.Args)
}

// Mend tells what to do next; "" where there is nothing to do.
func (f Finding) Mend(lang string) string {
	if f.word() == "" {
		return ""
	}
	return written(lang, f.word()+".mend", f.Args)
}

var ruby = regexp.MustCompile(`\{([^{|}]+)\|([^{|}]+)\}`)

// Plain takes the furigana out of words, for where they cannot be shown.
func Plain(text string) string { return ruby.ReplaceAllString(text, "$1") }

// finding is a Finding as JSON. Said and mend are for whoever reads it; they are worked out
// again from the word when a Finding is read back.
type finding struct {
	Part  Part              `json:"part"`
	OK    bool              `json:"ok"`
	Code  int               `json:"code"`
	Fault string            `json:"fault"`
	Hint  string            `json:"hint,omitempty"`
	Args  []string          `json:"args,omitempty"`
	Since time.Time         `json:"since,omitzero"`
	Said  map[string]string `json:"said"`
	Mend  map[string]string `json:"mend"`
}

// MarshalJSON writes {"part","ok","code","fault","said":{"ja",…},"mend":{"ja",…}} and, where
// they say something, "hint", "args" and "since".
func (f Finding) MarshalJSON() ([]byte, error) {
	out := finding{
		Part: f.Part, OK: f.OK(), Code: f.Code(), Fault: f.Fault, Hint: f.Hint, Args: f.Args, Since: f.Since,
		Said: map[string]string{}, Mend: map[string]string{},
	}
	for lang := range catalogues() {
		out.Said[lang] = Plain(f.Said(lang))
		if mend := f.Mend(lang); mend != "" {
			out.Mend[lang] = Plain(mend)
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (f *Finding) UnmarshalJSON(text []byte) error {
	var in finding
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*f = Finding{Part: in.Part, Fault: in.Fault, Hint: in.Hint, Args: in.Args, Since: in.Since}
	return nil
}
