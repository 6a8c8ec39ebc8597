package fcm_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"madoguchi.example/deploy/practice/fcm"
)

const token = "practice:0123456789abcdefghijkl"

func newServer(t *testing.T, bearer bool) (*fcm.Server, *httptest.Server) {
	t.Helper()
	s, err := fcm.New(fcm.Config{Project: "p", RequireBearer: bearer, Rand: rand.Reader,
		Now: func() time.Time { return time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	t.Cleanup(web.Close)
	return s, web
}

func call(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(raw)
}

func message(inner string) string { return `{"message":{"token":"` + token + `"` + inner + `}}` }

func TestMessages(t *testing.T) {
	_, web := newServer(t, false)
	send := web.URL + "/v1/projects/p/messages:send"
	long := strings.Repeat("x", 4090)
	for _, c := range []struct {
		name, body string
		status     int
	}{
		{"data", message(`,"data":{"v":"1","h":"psh_x"}`), 200},
		{"as the SDK writes it", message(`,"data":{"v":"1"},"android":{"priority":"high","ttl":"3600s","collapse_key":"n"},"webpush":{"headers":{"TTL":"3600","Urgency":"high"}},"apns":{"headers":{"apns-priority":"5"},"payload":{"aps":{"content-available":1}}}`), 200},
		{"just 4096", message(`,"data":{"v":"` + long + `xxxxx"}`), 200},
		{"4097", message(`,"data":{"v":"` + long + `xxxxxx"}`), 400},
		{"large notification", message(`,"notification":{"body":"` + long + `xxxxxxx"}`), 400},
		{"large android", message(`,"android":{"data":{"v":"` + long + `xxxxxxx"}}`), 400},
		{"large apns", message(`,"apns":{"payload":{"v":"` + long + `"}}`), 400},
		{"unknown field", message(`,"datum":{}`), 400},
		{"unknown outer field", `{"message":{"token":"` + token + `"},"x":1}`, 400},
		{"number in data", message(`,"data":{"v":1}`), 400},
		{"reserved key", message(`,"data":{"from":"x"}`), 400},
		{"reserved prefix", message(`,"data":{"google.x":"x"}`), 400},
		{"no token", `{"message":{"data":{"v":"1"}}}`, 400},
		{"malformed token", `{"message":{"token":"short"}}`, 400},
		{"topic", `{"message":{"topic":"child-allowance"}}`, 400},
		{"token and topic", message(`,"topic":"x"`), 400},
		{"condition", message(`,"condition":"x"`), 400},
		{"bad priority", message(`,"android":{"priority":"urgent"}`), 400},
		{"bad ttl", message(`,"android":{"ttl":"1h"}`), 400},
		{"no message", `{}`, 400}, {"empty", ``, 400}, {"not JSON", `{`, 400}, {"two values", message("") + "{}", 400},
		{"not UTF-8", message(`,"data":{"v":"` + "\xff" + `"}`), 400},
		{"too large", `{"message":{"data":{"v":"` + strings.Repeat("x", fcm.MaxBodyBytes) + `"}}}`, 400},
	} {
		resp, body := call(t, http.MethodPost, send, c.body)
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d %s", c.name, resp.StatusCode, body)
		}
		if c.status == 400 && !strings.Contains(body, `"INVALID_ARGUMENT"`) {
			t.Errorf("%s: %s", c.name, body)
		}
	}
}

func TestWhatWasTakenIsRemembered(t *testing.T) {
	s, web := newServer(t, false)
	raw := `{"token":"` + token + `","data":{"h":"psh_1"}}`
	call(t, http.MethodPost, web.URL+"/v1/projects/p/messages:send", `{"validate_only":true,"message":`+raw+`}`)
	call(t, http.MethodPost, web.URL+"/v1/projects/p/messages:send", `{"message":{"token":"`+token+`x"}}`)
	_, body := call(t, http.MethodGet, web.URL+"/practice/fcm/messages?token="+token, "")
	var out struct{ Messages []fcm.Taken }
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Messages) != 1 || string(out.Messages[0].Message) != raw || !out.Messages[0].DryRun {
		t.Errorf("remembered %s", body)
	}
	if n := len(s.Messages("")); n != 2 {
		t.Errorf("%d in all", n)
	}
}

func TestScriptedFaults(t *testing.T) {
	s, web := newServer(t, false)
	send := func() (*http.Response, string) {
		return call(t, http.MethodPost, web.URL+"/v1/projects/p/messages:send", message(""))
	}
	resp, body := call(t, http.MethodPut, web.URL+"/practice/fcm/faults",
		`{"token":"`+token+`","faults":[{"code":"UNAVAILABLE","times":2,"retry_after":7},{"code":"QUOTA_EXCEEDED","times":1}]}`)
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	for i, want := range []int{503, 503, 429, 200} {
		resp, body := send()
		if resp.StatusCode != want {
			t.Errorf("call %d: %d %s", i, resp.StatusCode, body)
		}
		if want == 503 && resp.Header.Get("Retry-After") != "7" {
			t.Error("no Retry-After")
		}
	}
	for code, status := range map[string]int{"UNREGISTERED": 404, "SENDER_ID_MISMATCH": 403, "INTERNAL": 500,
		"THIRD_PARTY_AUTH_ERROR": 401, "INVALID_ARGUMENT": 400} {
		if err := s.Script(token, fcm.Fault{Code: code}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if resp, body := send(); resp.StatusCode != status || !strings.Contains(body, `"errorCode":"`+code+`"`) {
				t.Errorf("%s: %d %s", code, resp.StatusCode, body)
			}
		}
	}
	if err := s.Script(token); err != nil {
		t.Fatal(err)
	}
	if resp, _ := send(); resp.StatusCode != 200 {
		t.Error("the faults did not end")
	}
	for _, bad := range []string{`{"token":"x","faults":[{"code":"NONE"}]}`, `{"faults":[]}`, `{`, `{"token":"x","faults":[{"code":"INTERNAL","times":-1}]}`} {
		if resp, _ := call(t, http.MethodPut, web.URL+"/practice/fcm/faults", bad); resp.StatusCode != 400 {
			t.Errorf("%s: %d", bad, resp.StatusCode)
		}
	}
}

func TestCallsThatAreNotForUs(t *testing.T) {
	_, open := newServer(t, false)
	_, closed := newServer(t, true)
	for _, c := range []struct {
		name, method, url string
		header            []string
		status            int
	}{
		{"other project", "POST", open.URL + "/v1/projects/q/messages:send", nil, 403},
		{"get", "GET", open.URL + "/v1/projects/p/messages:send", nil, 405},
		{"other path", "POST", open.URL + "/v1/projects/p/messages:batch", nil, 404},
		{"text", "POST", open.URL + "/v1/projects/p/messages:send", []string{"Content-Type", "text/plain"}, 400},
		{"any bearer", "POST", open.URL + "/v1/projects/p/messages:send", []string{"Authorization", "Bearer x"}, 200},
		{"basic", "POST", open.URL + "/v1/projects/p/messages:send", []string{"Authorization", "Basic x"}, 401},
		{"no bearer", "POST", closed.URL + "/v1/projects/p/messages:send", nil, 401},
		{"bearer", "POST", closed.URL + "/v1/projects/p/messages:send", []string{"Authorization", "Bearer x"}, 200},
	} {
		if resp, body := call(t, c.method, c.url, message(""), c.header...); resp.StatusCode != c.status {
			t.Errorf("%s: %d %s", c.name, resp.StatusCode, body)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(message(`,"data":{"v":"1"}`)))
	f.Add([]byte(`{"message":{"token":"` + token + `","android":{"notification":{"a":[1,{}]}}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, e := fcm.Decode(raw)
		if e == nil && (s.Token == "" || !json.Valid(s.Raw)) {
			t.Fatal("an incomplete message was taken")
		}
		if e != nil && (e.Status != 400 || e.Message == "") {
			t.Fatalf("refused with %v", e)
		}
	})
}
