package door_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"madoguchi.example/agent/internal/door"
	"madoguchi.example/agent/internal/operator"
)

// A desk without a session is still closed to other names and to the pages of others.
func TestAnUnguardedDeskAnswersItsOwnPagesAlone(t *testing.T) {
	who := ""
	h := door.Unguarded(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		who = door.From(r.Context()).Operator.Name
	}), door.Visitor{Operator: operator.Operator{ID: "op_0", Name: "練習"}, SignedIn: true, CSRF: "token-of-the-room"})
	for name, tc := range map[string]struct {
		method, host, csrf string
		header             map[string]string
		status             int
		reached            bool
	}{
		"a page":            {http.MethodGet, "127.0.0.1:8091", "", nil, http.StatusOK, true},
		"a form":            {http.MethodPost, "localhost:8091", "token-of-the-room", nil, http.StatusOK, true},
		"no token":          {http.MethodPost, "127.0.0.1:8091", "", nil, http.StatusForbidden, false},
		"another name":      {http.MethodGet, "practice.example:8091", "", nil, http.StatusMisdirectedRequest, false},
		"another page":      {http.MethodPost, "127.0.0.1:8091", "token-of-the-room", map[string]string{"Origin": "http://127.0.0.1:8090"}, http.StatusForbidden, false},
		"a frame elsewhere": {http.MethodGet, "127.0.0.1:8091", "", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, http.StatusForbidden, false},
		"the door's script": {http.MethodGet, "127.0.0.1:8091", "", nil, http.StatusOK, false},
	} {
		t.Run(name, func(t *testing.T) {
			who = ""
			path := "/"
			if name == "the door's script" {
				path = "/door/door.js"
			}
			r := httptest.NewRequest(tc.method, "http://"+tc.host+path, strings.NewReader(url.Values{"csrf": {tc.csrf}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for k, v := range tc.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tc.status || (who == "練習") != tc.reached || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("status %d, reached as %q, policy %q", w.Code, who, w.Header().Get("Content-Security-Policy"))
			}
		})
	}
}
