package app_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"madoguchi.example/agent/internal/app"
)

// The browser is given a file that only its owner may read, without a secret in its name or
// in an address; the file opens the desk once, and is gone when it has.
func TestOpenHandsTheBrowserAFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the browser of this test is a shell script")
	}
	c := enrolled(t, newOffice(t))
	c.run()
	dir := t.TempDir()
	c.env["XDG_RUNTIME_DIR"] = dir
	browser := filepath.Join(t.TempDir(), "browser")
	pipe := filepath.Join(t.TempDir(), "seen")
	script := "#!/bin/sh\n{ ls -l \"$1\"; cat \"$1\"; } > '" + pipe + ".new' && mv '" + pipe + ".new' '" + pipe + "'\n"
	if err := os.WriteFile(browser, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	go func() { ended <- c.main(c.limit, "open", "--browser", browser) }()
	var seen []byte
	for seen == nil {
		select {
		case code := <-ended:
			t.Fatalf("open ended with %d before the desk was opened: %s", code, c.out)
		case <-c.limit.Done():
			t.Fatal("the browser was not started")
		default:
			seen, _ = os.ReadFile(pipe)
			runtime.Gosched()
		}
	}
	text := string(seen)
	if !strings.HasPrefix(text, "-rw-------") {
		t.Errorf("others may read the file: %.40s", text)
	}
	ticket := regexp.MustCompile(`name="ticket" value="([^"]+)"`).FindStringSubmatch(text)
	action := regexp.MustCompile(`action="([^"]+)"`).FindStringSubmatch(text)
	if ticket == nil || action == nil || strings.Contains(action[1], "?") || strings.Contains(c.out.String(), ticket[1]) {
		t.Fatalf("the file: %s", text)
	}
	r, err := http.NewRequestWithContext(c.limit, http.MethodPost, action[1], strings.NewReader(url.Values{"ticket": {ticket[1]}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "null")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || len(resp.Cookies()) != 1 {
		t.Errorf("%d, %d cookies", resp.StatusCode, len(resp.Cookies()))
	}
	if code := <-ended; code != app.ExitOK {
		t.Errorf("open ended with %d: %s", code, c.out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the file stays: %v %v", left, err)
	}
}
