package stories_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/stage"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := stage.Clean(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// residents are enough for every patient of the stories.
const residents = 120

// house is a clinic: the programs, and one browser at its desk.
type house struct {
	*stage.Stage
	t        *testing.T
	terminal *stage.Terminal
	browser  context.Context
}

// openHouse sets a clinic up with its 資格確認端末. Its clocks begin at begins.
func openHouse(t *testing.T, begins time.Time) *house {
	t.Helper()
	path := chromium(t) // first, so that nothing is built in vain
	programs, err := stage.BuiltForPractice()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s, err := stage.New(ctx, stage.Options{Programs: programs, Dir: t.TempDir(), Seed: 3, Residents: residents,
		AsOf: monday.Format(time.DateOnly), RefreshEvery: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Stage: s, t: t}
	t.Cleanup(h.end)
	for _, step := range []func() error{
		func() error { return s.Clock.SetTo(begins) },
		func() error { _, err := s.Import(ctx); return err },
		func() error { return s.StartBackend(ctx) },
		func() error { return h.tellTime(ctx) },
		func() (err error) {
			h.terminal, err = s.Enrol(ctx, population.OfficeMinatoClinic, stage.Equipment{DeskAddress: freeAddress(t), Folder: true})
			return err
		},
		func() error { return h.terminal.Start(ctx) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	h.browser = startChromium(t, path)
	return h
}

// tellTime puts the stage's time into what the backend answers terminals, since a server's
// Date is the machine's: a terminal would believe that its own clock is wrong by years.
func (h *house) tellTime(ctx context.Context) error {
	address, err := h.Backend.Listening(ctx)
	if err != nil {
		return err
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	proxy.FlushInterval = -1
	proxy.ErrorLog = log.New(io.Discard, "", 0) // connections that are cut are the story's doing
	proxy.ModifyResponse = func(r *http.Response) error {
		r.Header.Set("Date", h.Clock.Now().UTC().Format(http.TimeFormat))
		return nil
	}
	between := httptest.NewServer(proxy)
	h.t.Cleanup(func() { between.CloseClientConnections(); between.Close() })
	h.Line.Lead(strings.TrimPrefix(between.URL, "http://"))
	return nil
}

// freeAddress is one at which the desk is found again after a power cut.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// end ends the programs; what they said before a failure is quoted.
func (h *house) end() {
	if h.t.Failed() {
		files, _ := h.LogFiles()
		for _, f := range files {
			raw, _ := os.ReadFile(f)
			h.t.Logf("%s:\n%s", f, raw[max(0, len(raw)-3000):])
		}
	}
	if err := h.Close(); err != nil {
		h.t.Error(err)
	}
}
