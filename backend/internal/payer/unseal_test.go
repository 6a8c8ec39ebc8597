package payer

import (
	"bytes"
	"encoding/json"
	"testing"

	"filippo.io/age"

	"madoguchi.example/shared/eligibility"
	"madoguchi.example/shared/fault"
)

// FuzzUnseal seals what the fuzzer makes and opens it, and opens what it makes as it is.
func FuzzUnseal(f *testing.F) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	const id = "01890a5d-ac96-774b-bcce-b302099a8057"
	var q eligibility.Inquiry
	if err := json.Unmarshal([]byte(`{"record_id":"`+id+`","insurer_number":"990119","symbol":"","number":"1","branch":"",`+
		`"birth_date":"1980-04-01","visit_day":"2026-11-21"}`), &q); err != nil {
		f.Fatal(err)
	}
	plain, err := q.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add([]byte("age-encryption.org/v1\n-> X25519 x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Unseal(key, Check{RecordID: id, VisitDay: q.VisitDay, Sealed: b}); err == nil {
			t.Fatal("an unsealed inquiry was read")
		}
		var out bytes.Buffer
		w, err := age.Encrypt(&out, key.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := Unseal(key, Check{RecordID: id, VisitDay: q.VisitDay, Sealed: out.Bytes()})
		switch {
		case err == nil && (got.Validate() != nil || got.RecordID != id || got.VisitDay != q.VisitDay):
			t.Fatal("an inquiry for another record was read")
		case err != nil && fault.CodeOf(err) == fault.Internal:
			t.Fatalf("an error without a code: %v", err)
		}
	})
}
