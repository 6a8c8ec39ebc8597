package loopback_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"madoguchi.example/deploy/practice/loopback"
)

func TestOnlyLoopbackAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:0": true, "localhost:0": true, "127.5.5.5:0": true,
		":0": false, "0.0.0.0:0": false, "[::]:0": false, "192.0.2.1:0": false, "example.com:0": false, "": false, "127.0.0.1": false,
	} {
		l, err := loopback.Listen(address)
		if (err == nil) != want {
			t.Errorf("%q: %v", address, err)
		}
		if l != nil {
			l.Close()
		}
	}
}

func TestOnlyLoopbackNames(t *testing.T) {
	h := loopback.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for host, want := range map[string]int{
		"127.0.0.1:8070": 200, "localhost": 200, "[::1]:80": 200, "evil.example": 421, "evil.example:8070": 421, "": 421,
		"127.0.0.1.evil.example": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%q: %d", host, w.Code)
		}
	}
}
