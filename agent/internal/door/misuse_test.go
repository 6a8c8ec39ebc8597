package door_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/door"
)

// Whoever can reach the desk's address, as any user of the machine can, may burn the codes
// that are typed and so annoy; the file of `open` works all the same.
func TestWrongCodesBurnNoTicket(t *testing.T) {
	s := newStage(t)
	l := s.launched()
	for i := range 3 * door.CodeTries {
		wrong := fmt.Sprintf("%08d", i)
		if wrong == l.Code {
			continue
		}
		s.browser().do(http.MethodPost, "/launch", url.Values{"code": {wrong}})
	}
	for _, code := range []string{l.Code, "", "abc"} {
		if got := s.browser().do(http.MethodPost, "/launch", url.Values{"code": {code}}); got.status != http.StatusUnprocessableEntity {
			t.Errorf("a burnt code: %q %d", code, got.status)
		}
	}
	null := []string{"Origin", "null", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	if got := s.browser().do(http.MethodPost, "/launch", url.Values{"ticket": {l.Ticket}}, null...); got.status != http.StatusOK {
		t.Errorf("the ticket after wrong codes: %d", got.status)
	}
}

// A My Number typed as a name is refused with a word, shown to nobody and kept nowhere; nor
// is a name taken that shows as another than it is.
func TestNamesThatAreNotTaken(t *testing.T) {
	n := newNetwork(t)
	lead := n.browser().come("op_1", "2580")
	token := lead.csrf()
	for _, name := range []string{"123456789018", "１２３４５６７８９０１８", "窓口 1234-5678-9018"} {
		for who, got := range map[string]answer{
			"operator": lead.do(http.MethodPost, "/operators", url.Values{"csrf": {token}, "do": {"add"}, "name": {name}}),
			"device":   n.pc().do(http.MethodPost, "/pair", url.Values{"name": {name}}),
		} {
			if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "マイナンバー") || strings.Contains(got.body, name) {
				t.Errorf("%s %q: %d", who, name, got.status)
			}
		}
	}
	for _, name := range []string{"受付\u202e１", "受\u200b付１"} {
		if got := n.pc().do(http.MethodPost, "/pair", url.Values{"name": {name}}); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%+q: %d", name, got.status)
		}
	}
	kept := n.operators.String() + n.devices.String() + n.sessions.String() + n.logged()
	if strings.Contains(kept, "9018") || strings.Contains(kept, "９０１８") {
		t.Error("it was kept")
	}
}

// A paired PC that takes no cookies, or was taken over, costs nobody else a session.
func TestOneDeviceCannotDriveOutTheOthers(t *testing.T) {
	n := newNetwork(t)
	lead := n.browser().come("op_1", "2580")
	pc := n.pc()
	lead.accept(pc.ask("診察室"))
	for range 2 * door.MaxSessions {
		n.pass(time.Second)
		delete(pc.cookies, "__Host-madoguchi-session")
		pc.get("/")
	}
	if got := lead.get("/"); got.status != http.StatusOK {
		t.Errorf("the terminal's own session: %d", got.status)
	}
	if len(n.sessions.values) > door.MaxPerDevice+1 {
		t.Errorf("%d sessions", len(n.sessions.values))
	}
}

// Whose PIN the owner takes away is signed out as well.
func TestResettingAPINEndsItsSessions(t *testing.T) {
	s := newStage(t)
	b := s.browser().come("op_2", "3691")
	arg, err := json.Marshal("op_2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.door.Acts(func() string { return "" })["reset_pin"](t.Context(), control.Peer{}, arg); err != nil {
		t.Fatal(err)
	}
	if got := b.get("/"); got.status != http.StatusForbidden || strings.Contains(got.body, secretName) {
		t.Errorf("%d", got.status)
	}
}

// However many streams a session opens, few stay.
func TestStreamsAreBounded(t *testing.T) {
	s := newStage(t)
	b := s.browser().come("op_1", "2580")
	first, firstEnded := b.stream()
	wait(t, "first event", first)
	for range door.MaxStreams - 1 {
		events, _ := b.stream()
		wait(t, "event", events)
	}
	_, ended := b.stream()
	wait(t, "end of the stream", ended)
	select {
	case <-firstEnded:
		t.Error("the first stream ended for a further one")
	default:
	}
}
