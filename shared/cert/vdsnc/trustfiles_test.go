package vdsnc_test

import (
	"bytes"
	"encoding/pem"
	"testing"
	"testing/fstest"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/vdsnc"
	"madoguchi.example/shared/trust"
)

// TestTrustFiles has the same authority in the forms in which operators keep certificates.
func TestTrustFiles(t *testing.T) {
	w := newWorld(t)
	text := []byte(w.sign(vaccination, w.bsc))
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	csca := block("CERTIFICATE", w.csca)
	for name, c := range map[string]struct {
		file    []byte
		refused bool
	}{
		"PEM":               {csca, false},
		"lines of CR LF":    {bytes.ReplaceAll(csca, []byte("\n"), []byte("\r\n")), false},
		"byte order mark":   {append([]byte("\ufeff"), csca...), false},
		"words before":      {append([]byte("subject=C = JP\n"), csca...), false},
		"a block before":    {append(block("EC PARAMETERS", []byte{6, 0}), csca...), false},
		"twice":             {append(csca, csca...), false},
		"no certificate":    {block("EC PARAMETERS", []byte{6, 0}), true},
		"the second is cut": {append(csca[:len(csca):len(csca)], csca[:len(csca)-10]...), true},
	} {
		snap, err := trust.Load(fstest.MapFS{"vdsnc/a.pem": {Data: c.file}}, []trust.Section{vdsnc.Section})
		if (err != nil) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
		if v := vdsnc.Verify(text, snap, at); err == nil && v.Outcome != cert.Valid {
			t.Errorf("%s: %s %s", name, v.Outcome, v.Reason)
		}
	}
}
