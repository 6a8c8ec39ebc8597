package strictjson_test

import (
	"encoding/json"
	"errors"
	"testing"

	"madoguchi.example/shared/internal/strictjson"
)

type sample struct {
	Bank  string          `json:"bank"`
	Count int             `json:"count"`
	Body  json.RawMessage `json:"body"`
	List  []sample        `json:"list"`
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"whole", `{"bank":"a","count":1,"body":{"x":[1,{"y":"}"}]},"list":[{"bank":"b"},{"bank":"c"}]}`, nil},
		{"blanks", " {\n\"bank\" : \"a\" }\n", nil},
		{"escapes in values", `{"bank":"\"{,\\","count":2}`, nil},
		{"unknown member", `{"branch":"a"}`, strictjson.ErrMalformed},
		{"other spelling", `{"bank":"a","BANK":"b"}`, strictjson.ErrNames},
		{"other spelling alone", `{"Bank":"a"}`, strictjson.ErrNames},
		{"escaped name", `{"b\u0061nk":"a"}`, strictjson.ErrNames},
		{"twice", `{"bank":"a","bank":"b"}`, strictjson.ErrNames},
		{"twice inside raw", `{"body":{"x":1,"x":2}}`, strictjson.ErrNames},
		{"twice in a list's object", `{"list":[{"count":1,"count":1}]}`, strictjson.ErrNames},
		{"trailing value", `{} {}`, strictjson.ErrTrailing},
		{"trailing bytes", `{}x`, strictjson.ErrTrailing},
		{"truncated", `{"bank":"a"`, strictjson.ErrMalformed},
		{"wrong type", `{"count":"1"}`, strictjson.ErrMalformed},
		{"empty", ``, strictjson.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s sample
			if err := strictjson.Decode([]byte(c.in), &s); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"bank":"a","body":{"x":[1,{"y":"}"}]},"list":[{}]}`))
	f.Add([]byte(`{"bank":"\\"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var s sample
		if strictjson.Decode(in, &s) != nil {
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("accepted what cannot be written: %v", err)
		}
		if len(s.Body) == 0 {
			return
		}
		if err := strictjson.Decode(again, &sample{}); err != nil {
			t.Fatalf("own output is refused: %v", err)
		}
	})
}
