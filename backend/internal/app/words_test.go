package app

import (
	"encoding/json"
	"os"
	"testing"

	"madoguchi.example/backend/internal/award"
	"madoguchi.example/backend/internal/childsupport"
)

// The console has words of its own for all that the use cases name by a key: an officer is
// never told that the reason is "other". That the languages have the same keys is office's
// test.
func TestTheConsoleHasWordsForEveryKey(t *testing.T) {
	raw, err := os.ReadFile("../office/words/ja.json")
	if err != nil {
		t.Fatal(err)
	}
	var words map[string]string
	if err := json.Unmarshal(raw, &words); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, s := range award.States() {
		keys = append(keys, "award."+string(s), "award.next."+string(s))
	}
	for _, c := range award.Troubles() {
		keys = append(keys, "trouble."+string(c))
	}
	for _, w := range []childsupport.Why{childsupport.PastRetention, childsupport.Superseded, childsupport.Lapsed} {
		keys = append(keys, "erased."+string(w))
	}
	for _, key := range keys {
		if words[key] == "" {
			t.Errorf("no word for %s", key)
		}
	}
}
