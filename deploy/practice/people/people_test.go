package people_test

import (
	"encoding/json"
	"strings"
	"testing"

	"madoguchi.example/deploy/practice/people"
)

const one = `{"sub":"c-1","label":"","client":"citizen","name":"佐藤 恵","address":"架空県","birthdate":"1988-10-21","gender":"female"}`

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, text, fault string }{
		{"one", "[" + one + "]", ""},
		{"none", "[]", ""},
		{"no list", one, "not a JSON list"},
		{"unknown key", `[{"my_number":"1"}]`, "known keys"},
		{"more after it", "[]]", "more after"},
		{"twice", "[" + one + "," + one + "]", "person 2: sub stands there twice"},
		{"bad day", "[" + strings.Replace(one, "1988-10-21", "1988-13-21", 1) + "]", "person 1: birthdate"},
		{"bad gender", "[" + strings.Replace(one, "female", "女", 1) + "]", "person 1: gender"},
		{"bad client", "[" + strings.Replace(one, "citizen", "robot", 1) + "]", "person 1: client"},
		{"bad sub", "[" + strings.Replace(one, "c-1", "c 1", 1) + "]", "person 1: sub"},
		{"no name", "[" + strings.Replace(one, "佐藤 恵", "", 1) + "]", "person 1: name"},
		{"no address", "[" + strings.Replace(one, "架空県", "", 1) + "]", "person 1: address"},
	} {
		_, err := people.Parse([]byte(c.text))
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "佐藤") {
			t.Errorf("%s: the error repeats a name", c.name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[" + one + "]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := people.Parse(raw)
		if err != nil {
			return
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := people.Parse(again); err != nil {
			t.Fatal(err)
		}
	})
}
