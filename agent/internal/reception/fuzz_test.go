package reception_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"madoguchi.example/agent/internal/reception"
	"madoguchi.example/shared/cert"
)

// FuzzForms posts anything to every form of the desk: it is answered, never with a fault of
// ours, and the page is whole.
func FuzzForms(f *testing.F) {
	s := open(f)
	s.reader.verdict = cert.Verdict{Outcome: cert.Malformed}
	f.Add(0, "application/x-www-form-urlencoded", []byte(typed.Encode()), "lang=en", "operator=1")
	f.Add(1, "multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc\r\n--x--\r\n"), "", "")
	f.Add(2, "application/x-www-form-urlencoded", []byte("operator=%zz"), "case=valid", "lang=en; operator=99")
	f.Add(3, "text/plain", []byte("override=1&copayment=9999999999999999999999"), "tab=scan", "")
	paths := []string{"/checks", "/verify", "/park", "/cases/differs/close", "/", "/cases/differs/void", "/undo", "/bookings", "/past", "/checks/kind", "/card"}
	f.Fuzz(func(t *testing.T, path int, kind string, body []byte, query, cookie string) {
		if len(body) > reception.MaxPictureBytes {
			return
		}
		p := paths[uint(path)%uint(len(paths))]
		method := http.MethodPost
		if p == "/" {
			method = http.MethodGet
		}
		r := httptest.NewRequest(method, p, bytes.NewReader(body))
		r.URL.RawQuery, r.Host = query, "localhost"
		r.Header["Content-Type"], r.Header["Cookie"] = []string{kind}, []string{cookie}
		w := httptest.NewRecorder()
		s.Config.Handler.ServeHTTP(w, r)
		if w.Code >= 500 || w.Code == 0 {
			t.Fatalf("%s: %d %s", p, w.Code, w.Body)
		}
	})
}
