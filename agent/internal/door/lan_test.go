package door_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"madoguchi.example/agent/internal/door"
	"madoguchi.example/shared/fault"
)

const deskName = "uketsuke.clinic.example"

// networked is a desk that other PCs may reach too.
type networked struct {
	*stage
	lan   *httptest.Server
	roots *x509.CertPool
}

func newNetwork(t *testing.T) *networked {
	t.Helper()
	n := &networked{}
	n.stage = newStage(t, func(s *stage) {
		var err error
		s.lan, err = door.OpenLAN(filepath.Join(t.TempDir(), "lan"), []string{deskName, "127.0.0.1"}, s.clock, rand.Reader, nil)
		if err != nil {
			t.Fatal(err)
		}
	})
	n.listen()
	return n
}

// listen opens the second listener, as after a restart of the agent.
func (n *networked) listen() {
	n.lan = httptest.NewUnstartedServer(n.door.WrapLAN(n.desk()))
	n.lan.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelWarn)
	n.lan.TLS = n.stage.lan.TLS()
	n.lan.StartTLS()
	server := n.lan
	n.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
}

// pc is a browser on another PC, which trusts what roots vouch for.
func (n *networked) pc() *browser {
	n.t.Helper()
	b := n.browser()
	b.base = strings.Replace(n.lan.URL, "127.0.0.1", deskName, 1)
	at := n.lan.Listener.Addr().String()
	b.client.Transport = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: n.authority(), Time: n.clock},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", at)
		},
	}
	return b
}

// authority is what a PC downloads.
func (n *networked) authority() *x509.CertPool {
	if n.roots == nil {
		resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}).Get(n.lan.URL + "/pair/ca.crt")
		if err != nil {
			n.t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			n.t.Fatal(err)
		}
		n.roots = x509.NewCertPool()
		if !n.roots.AppendCertsFromPEM(text) {
			n.t.Fatalf("no certificate: %s", text)
		}
	}
	return n.roots
}

var pairCode = regexp.MustCompile(`id="pair-code">([0-9]{6})<`)

// ask puts a PC among those that wait and gives the code on its screen.
func (b *browser) ask(name string) string {
	b.s.t.Helper()
	if got := b.do(http.MethodPost, "/pair", url.Values{"name": {name}}, "Origin", b.base); got.status != http.StatusSeeOther {
		b.s.t.Fatalf("%d %s", got.status, got.body)
	}
	m := pairCode.FindStringSubmatch(b.get("/pair").body)
	if m == nil {
		b.s.t.Fatal("no code on the other screen")
	}
	return m[1]
}

var waitingDevice = regexp.MustCompile(`name="device" value="([0-9a-f]{16})"><input type="hidden" name="code" value="([0-9]{6})"`)

// accept lets in the PC that shows this code.
func (b *browser) accept(code string) answer {
	b.s.t.Helper()
	for _, m := range waitingDevice.FindAllStringSubmatch(b.get("/devices").body, -1) {
		if m[2] == code {
			return b.do(http.MethodPost, "/devices", url.Values{"csrf": {b.csrf()}, "do": {"accept"}, "device": {m[1]}, "code": {code}})
		}
	}
	b.s.t.Fatalf("the code %s is not on the lead's screen", code)
	return answer{}
}

// Two desks, one list: after pairing the other PC is asked for a PIN like any browser, and
// what one records the other shows.
func TestAnotherPCIsPaired(t *testing.T) {
	n := newNetwork(t)
	lead := n.browser().come("op_1", "2580")
	pc := n.pc()
	for path, want := range map[string]int{"/": http.StatusSeeOther, "/print": http.StatusSeeOther, "/events": http.StatusUnauthorized, "/launch": http.StatusSeeOther, "/sign-in": http.StatusSeeOther, "/operators": http.StatusSeeOther, "/devices": http.StatusSeeOther, "/pair": http.StatusOK} {
		got := pc.get(path)
		if got.status != want || strings.Contains(got.body, secretName) || strings.Contains(got.body, "受付１") || strings.Contains(got.body, "7件") || got.header.Get("Set-Cookie") != "" {
			t.Errorf("an unpaired PC at %s: %d %s", path, got.status, got.body)
		}
	}
	for _, path := range []string{"/checks", "/sign-in", "/lock", "/launch", "/devices"} {
		if got := pc.do(http.MethodPost, path, url.Values{"code": {n.launched().Code}}); got.status != http.StatusUnauthorized {
			t.Errorf("an unpaired PC posts to %s: %d", path, got.status)
		}
	}
	code := pc.ask("2番カウンター")
	if got := pc.get("/"); got.status != http.StatusSeeOther {
		t.Errorf("before it is accepted: %d", got.status)
	}
	page := lead.get("/devices").body
	if !strings.Contains(page, code) || !strings.Contains(page, n.stage.lan.Fingerprint()) || !strings.Contains(pc.get("/pair?lang=en").body, code) || !strings.Contains(n.pc().get("/pair").body, n.stage.lan.Fingerprint()) {
		t.Errorf("code and fingerprint must stand on both screens: %s", page)
	}
	if got := lead.accept(code); got.status != http.StatusSeeOther {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := pc.get("/pair/state"); !strings.Contains(got.body, "paired") {
		t.Error(got.body)
	}
	if got := pc.get("/"); got.status != http.StatusForbidden || strings.Contains(got.body, secretName) || !strings.Contains(got.body, "受付１") {
		t.Errorf("a paired PC before the PIN: %d %s", got.status, got.body)
	}
	pc.signIn("op_2", "3691")
	if got := pc.do(http.MethodPost, "/checks", url.Values{"label": {"トナリノマド"}, "csrf": {pc.csrf()}}, "Origin", pc.base); got.status != http.StatusCreated {
		t.Fatalf("%d", got.status)
	}
	if v := n.seen[len(n.seen)-1]; v.Device != "dev_1" || v.Operator.ID != "op_2" {
		t.Errorf("the desk sees %+v", v)
	}
	if got := lead.get("/"); !strings.Contains(got.body, "トナリノマド") {
		t.Error("what one PC recorded is not on the other's list")
	}
	for name, value := range pc.cookies {
		if !strings.HasPrefix(name, "__Host-") && name != "lang" {
			t.Errorf("the cookie %s is not bound to host and TLS", name)
		}
		if name != "lang" && (strings.Contains(n.devices.String(), value) || strings.Contains(n.sessions.String(), value)) {
			t.Errorf("%s lies on the terminal in clear", name)
		}
	}
	n.open()
	n.listen()
	again := n.pc()
	again.cookies = pc.cookies
	if got := again.get("/"); got.status != http.StatusOK {
		t.Errorf("after a restart: %d", got.status)
	}
}

// A key that is taken away is no use from that moment, nor are the sessions it had.
func TestADeviceIsSentAway(t *testing.T) {
	n := newNetwork(t)
	lead, pc := n.browser().come("op_1", "2580"), n.pc()
	if got := lead.accept(pc.ask("x")); got.status != http.StatusSeeOther {
		t.Fatal(got.status)
	}
	pc.get("/")
	pc.signIn("op_2", "3691")
	_, ended := pc.stream()
	if got := pc.get("/devices"); got.status != http.StatusNotFound {
		t.Errorf("another PC sees the devices: %d", got.status)
	}
	if got := lead.do(http.MethodPost, "/devices", url.Values{"csrf": {lead.csrf()}, "do": {"revoke"}, "device": {"dev_1"}}); got.status != http.StatusSeeOther {
		t.Fatalf("%d", got.status)
	}
	wait(t, "end of the stream", ended)
	if got := pc.get("/"); got.status != http.StatusSeeOther || got.header.Get("Location") != "/pair" {
		t.Errorf("%d", got.status)
	}
	if n.devices.String() != "" || strings.Contains(n.sessions.String(), "dev_1") {
		t.Error("something of it stays")
	}
	// The session of one device with the key of another is none.
	one, two := n.pc(), n.pc()
	lead.accept(one.ask("one"))
	lead.accept(two.ask("two"))
	one.get("/")
	one.signIn("op_2", "3691")
	two.cookies["__Host-madoguchi-session"] = one.cookies["__Host-madoguchi-session"]
	if got := two.get("/"); got.status == http.StatusOK {
		t.Error("a session is used with another device's key")
	}
	local := n.browser()
	local.cookies["madoguchi-session"] = one.cookies["__Host-madoguchi-session"]
	if got := local.get("/"); got.status != http.StatusUnauthorized {
		t.Errorf("a device's session at the terminal itself: %d", got.status)
	}
}

func TestPairingIsBounded(t *testing.T) {
	n := newNetwork(t)
	lead := n.browser().come("op_1", "2580")
	first := n.pc()
	code := first.ask("x")
	n.pc().ask("y")
	if got := n.pc().do(http.MethodPost, "/pair", url.Values{"name": {"z"}}); got.status != http.StatusTooManyRequests {
		t.Errorf("more than %d from one address: %d", door.MaxPerAddress, got.status)
	}
	for _, name := range []string{"", " ", strings.Repeat("あ", door.MaxDeviceName+1), "a\x00"} {
		if got := n.pc().do(http.MethodPost, "/pair", url.Values{"name": {name}}); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%q: %d", name, got.status)
		}
	}
	m := waitingDevice.FindStringSubmatch(lead.get("/devices").body)
	token := lead.csrf()
	if got := lead.do(http.MethodPost, "/devices", url.Values{"csrf": {token}, "do": {"accept"}, "device": {m[1]}, "code": {"x" + m[2]}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("another code: %d", got.status)
	}
	n.pass(door.PairLife)
	if got := first.get("/pair/state"); !strings.Contains(got.body, "gone") {
		t.Error(got.body)
	}
	lead.get("/")
	lead.do(http.MethodPost, "/sign-in", url.Values{"csrf": {token}, "operator": {"op_1"}, "pin": {"2580"}})
	if got := lead.do(http.MethodPost, "/devices", url.Values{"csrf": {token}, "do": {"accept"}, "device": {m[1]}, "code": {code}}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("too late: %d", got.status)
	}
	late := n.pc()
	late.ask("<b>z</b>")
	page := lead.get("/devices").body
	if strings.Contains(page, "<b>z") {
		t.Error("a name is written as HTML")
	}
	m = waitingDevice.FindStringSubmatch(page)
	if got := lead.do(http.MethodPost, "/devices", url.Values{"csrf": {token}, "do": {"reject"}, "device": {m[1]}}); got.status != http.StatusSeeOther || !strings.Contains(late.get("/pair/state").body, "gone") {
		t.Errorf("rejected: %d", got.status)
	}
}

// On the network the desk answers to its configured names only, to TLS only, and to no page
// of another origin.
func TestTheNetworkSeesOnlyTheNamedDesk(t *testing.T) {
	n := newNetwork(t)
	pc := n.pc()
	for _, host := range []string{"evil.example", "localhost", "10.0.0.9", "x." + deskName, ""} {
		if got := pc.get("/pair", "Host", host); host != "" && got.status != http.StatusMisdirectedRequest {
			t.Errorf("%q: %d", host, got.status)
		}
	}
	for _, host := range []string{strings.ToUpper(deskName), deskName + ":443", "127.0.0.1:1"} {
		if got := pc.get("/pair", "Host", host); got.status != http.StatusOK {
			t.Errorf("%q: %d", host, got.status)
		}
	}
	if got := pc.do(http.MethodPost, "/pair", url.Values{"name": {"x"}}, "Origin", "null"); got.status != http.StatusForbidden {
		t.Errorf("a page without an origin: %d", got.status)
	}
	if got := pc.do(http.MethodPost, "/pair", url.Values{"name": {"x"}}, "Origin", strings.Replace(pc.base, "https:", "http:", 1)); got.status != http.StatusForbidden {
		t.Errorf("the same name without TLS: %d", got.status)
	}
	conn, err := net.Dial("tcp", n.lan.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "GET /pair HTTP/1.1\r\nHost: %s\r\n\r\n", deskName)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("without TLS: %v %v", resp, err)
	}
	// The terminal's own listener knows nothing of pairing, nor of the network's names.
	if got := n.browser().get("/pair"); got.status != http.StatusUnauthorized {
		t.Errorf("%d", got.status)
	}
	if got := n.browser().get("/launch", "Host", deskName); got.status != http.StatusMisdirectedRequest {
		t.Errorf("%d", got.status)
	}
}

// The desk's authority vouches for the desk and for nothing else, its key is the agent's
// alone, and a certificate is made anew before it ends.
func TestTheDesksCertificates(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lan")
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	lan, err := door.OpenLAN(dir, []string{deskName, "192.0.2.7"}, clock, rand.Reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"": 0o700, "ca.key": 0o600, "ca.crt": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v %v", name, info.Mode(), err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	leaf := func(l door.LAN) *x509.Certificate {
		c, err := l.TLS().GetCertificate(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf
	}
	first := leaf(lan)
	for _, name := range []string{deskName, "192.0.2.7"} {
		if _, err := first.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: now}); err != nil {
			t.Error(err)
		}
	}
	if _, err := first.Verify(x509.VerifyOptions{Roots: roots, DNSName: "bank.example", CurrentTime: now}); err == nil {
		t.Error("the desk's certificate holds for another name")
	}
	block, _ := pem.Decode(text)
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !ca.PermittedDNSDomainsCritical || len(ca.PermittedDNSDomains) != 1 || len(ca.PermittedIPRanges) != 1 || !ca.MaxPathLenZero {
		t.Errorf("the authority may vouch for more than the desk: %v", err)
	}
	now = now.Add(door.LeafLife - door.LeafRenew)
	if second := leaf(lan); second.SerialNumber.Cmp(first.SerialNumber) == 0 || !second.NotAfter.After(first.NotAfter) {
		t.Error("the certificate was not made anew")
	}
	same, err := door.OpenLAN(dir, []string{deskName, "192.0.2.7"}, clock, rand.Reader, nil)
	if err != nil || same.Fingerprint() != lan.Fingerprint() {
		t.Errorf("a restart makes another authority: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.key"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := door.OpenLAN(dir, []string{deskName, "192.0.2.7"}, clock, rand.Reader, nil); err != nil || again.Fingerprint() == lan.Fingerprint() {
		t.Errorf("a damaged key: %v", err)
	}
	other, err := door.OpenLAN(dir, []string{"10.0.0.2"}, clock, rand.Reader, nil)
	if err != nil || leaf(other).IPAddresses[0].String() != "10.0.0.2" {
		t.Errorf("other names: %v", err)
	}
	if _, err := door.OpenLAN(dir, nil, clock, rand.Reader, nil); fault.CodeOf(err) != fault.InvalidArgument {
		t.Errorf("no name: %v", err)
	}
	if (door.LAN{}).Fingerprint() != "" {
		t.Error("a fingerprint of nothing")
	}
}
