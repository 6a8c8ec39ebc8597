package stories_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// line is one act or expectation of a story.
type line struct {
	at   string // file and number
	text string
}

// chapter is what happens from one time of day on.
type chapter struct {
	line
	begins time.Time
	lines  []line
}

// japan is where all times of a story are told.
var japan = time.FixedZone("JST", 9*60*60)

// monday is the day that the people of the stories are told as of. It lies years ahead, so
// that a clock which goes forward only can be set to it.
var monday = time.Date(2035, time.June, 4, 0, 0, 0, 0, japan)

// weekdays are the days that headings may name.
var weekdays = map[string]time.Time{
	"前の金曜日": monday.AddDate(0, 0, -3), "月曜日": monday, "火曜日": monday.AddDate(0, 0, 1), "水曜日": monday.AddDate(0, 0, 2),
}

var heading = regexp.MustCompile(`^■ (?:(\S+曜日) )?([0-9]{1,2}):([0-9]{2})$`)

// read reads a story: # begins a remark, ■ a chapter.
func read(t *testing.T, name string) []chapter {
	t.Helper()
	file := filepath.Join("testdata", name)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	chapters, err := parse(file, string(text))
	if err != nil {
		t.Fatal(err)
	}
	return chapters
}

func parse(file, text string) ([]chapter, error) {
	var all []chapter
	var day time.Time
	for i, s := range strings.Split(text, "\n") {
		l := line{at: fmt.Sprintf("%s:%d", file, i+1), text: strings.TrimSpace(s)}
		switch {
		case l.text == "" || strings.HasPrefix(l.text, "#"):
		case strings.HasPrefix(l.text, "■"):
			begins, err := timeOf(l, &day)
			if err != nil {
				return nil, err
			}
			if len(all) > 0 && !begins.After(all[len(all)-1].begins) {
				return nil, fmt.Errorf("%s: a story does not go back in time", l.at)
			}
			all = append(all, chapter{line: l, begins: begins})
		case len(all) == 0:
			return nil, fmt.Errorf("%s: a story begins with a time of day", l.at)
		default:
			last := &all[len(all)-1]
			last.lines = append(last.lines, l)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: nothing happens in this story", file)
	}
	return all, nil
}

// timeOf reads a heading; one without a day is of the day before it.
func timeOf(l line, day *time.Time) (time.Time, error) {
	m := heading.FindStringSubmatch(l.text)
	if m == nil {
		return time.Time{}, fmt.Errorf("%s: no time of day: %s", l.at, l.text)
	}
	if m[1] != "" {
		*day = weekdays[m[1]]
	}
	clock, err := time.Parse("15:04", m[2]+":"+m[3])
	if err != nil || day.IsZero() {
		return time.Time{}, fmt.Errorf("%s: no such day or time: %s", l.at, l.text)
	}
	return day.Add(time.Duration(clock.Hour())*time.Hour + time.Duration(clock.Minute())*time.Minute), nil
}

// phrase is a sentence that a story may use. What stands in its groups is given to do, which
// ends the test when the desk does otherwise.
type phrase struct {
	form *regexp.Regexp
	do   func(s *story, words []string)
}

func say(form string, do func(s *story, words []string)) phrase {
	return phrase{regexp.MustCompile("^" + form + "$"), do}
}

// find gives the one phrase that a line is, and its words.
func find(l line) (phrase, []string, error) {
	var found phrase
	var words []string
	for _, p := range phrases() {
		m := p.form.FindStringSubmatch(l.text)
		switch {
		case m == nil:
		case found.form != nil:
			return phrase{}, nil, fmt.Errorf("%s: two meanings: %s", l.at, l.text)
		default:
			found, words = p, m[1:]
		}
	}
	if found.form == nil {
		return phrase{}, nil, fmt.Errorf("%s: nobody knows what this means: %s", l.at, l.text)
	}
	return found, words, nil
}

// Every line of every story is understood, before anything is started.
func TestEveryLineIsUnderstood(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.story"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d stories: %v", len(files), err)
	}
	used := map[string]bool{}
	for _, file := range files {
		for _, c := range read(t, filepath.Base(file)) {
			for _, l := range c.lines {
				p, _, err := find(l)
				if err != nil {
					t.Error(err)
					continue
				}
				used[p.form.String()] = true
			}
		}
	}
	for _, p := range phrases() {
		if !used[p.form.String()] {
			t.Errorf("no story says %s", p.form)
		}
	}
}

// A line that nobody understands, a time that goes back and a text without a time are told
// with file and line.
func TestAStoryThatIsNotUnderstood(t *testing.T) {
	for text, want := range map[string]string{
		"■ 月曜日 8:50\n\n患者さんが空を飛ぶ": "x.story:3: nobody knows",
		"■ 月曜日 8:50\n■ 8:40":      "x.story:2: a story does not go back",
		"# 朝\n受付をひらく":             "x.story:2: a story begins with a time of day",
		"■ 8:50":                  "x.story:1: no such day",
		"■ 月曜日 25:50":             "x.story:1: no such day",
		"■ 朝はやく":                  "x.story:1: no time of day",
		"# だれも来ない":                "x.story: nothing happens",
	} {
		chapters, err := parse("x.story", text)
		if err == nil {
			for _, l := range chapters[len(chapters)-1].lines {
				_, _, err = find(l)
			}
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
