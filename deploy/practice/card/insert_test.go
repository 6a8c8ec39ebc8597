package card_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"madoguchi.example/deploy/practice/card"
)

// reader plays vpcd's end of the wire.
type reader struct {
	t        *testing.T
	listener net.Listener
	conn     net.Conn
}

func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{t: t, listener: must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))}
	t.Cleanup(func() { r.listener.Close() })
	return r
}

func (r *reader) address() string { return r.listener.Addr().String() }

// accept waits for a card to be put there.
func (r *reader) accept() {
	r.t.Helper()
	r.conn = must[net.Conn](r.t)(r.listener.Accept())
	r.t.Cleanup(func() { r.conn.Close() })
	if err := r.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reader) send(message string) {
	r.t.Helper()
	b := must[[]byte](r.t)(hex.DecodeString(strings.ReplaceAll(message, " ", "")))
	if _, err := r.conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)); err != nil {
		r.t.Fatal(err)
	}
}

// hear gives the next message in hexadecimal digits, or the error of the wire.
func (r *reader) hear() (string, error) {
	var head [2]byte
	if _, err := io.ReadFull(r.conn, head[:]); err != nil {
		return "", err
	}
	b := make([]byte, binary.BigEndian.Uint16(head[:]))
	_, err := io.ReadFull(r.conn, b)
	return hex.EncodeToString(b), err
}

// ask sends a message and wants the answer.
func (r *reader) ask(message, want string) {
	r.t.Helper()
	r.send(message)
	if got, err := r.hear(); got != want || err != nil {
		r.t.Errorf("%s: %s %v, want %s", message, got, err, want)
	}
}

func (r *reader) insert(c *card.Card, f card.Faults) *card.Inserted {
	r.t.Helper()
	in := must[*card.Inserted](r.t)(card.Insert(context.Background(), r.address(), c, f))
	r.t.Cleanup(in.Remove)
	r.accept()
	return in
}

const plasticATR = "3be000ff8131fe4514"

func TestTheWireOfVPCD(t *testing.T) {
	r := newReader(t)
	in := r.insert(newCard(t, card.Options{}), card.Faults{})
	r.ask("04", plasticATR)
	r.send("01") // power on is not answered
	r.ask(jpki, "9000")
	r.ask(authPIN, "9000")
	r.ask(query, "63c3")
	for _, lost := range []string{"00", "01", "02"} { // off, on, reset
		r.ask(jpki, "9000")
		r.ask(authPIN, "9000")
		r.send(lost)
		r.ask(query, "6986")
	}
	r.ask("04", plasticATR)
	r.ask("00A4", "6700") // too short to be a command, and still answered
	if in.Commands() != 13 {
		t.Errorf("%d commands", in.Commands())
	}
	in.Remove()
	if _, err := r.hear(); !errors.Is(err, io.EOF) {
		t.Errorf("after removal: %v", err)
	}
}

// A card that lies in a reader shows itself again to a daemon that was started anew, without
// what it had verified and with its tries as they were.
func TestTheCardOutlivesTheDaemon(t *testing.T) {
	r := newReader(t)
	r.insert(newCard(t, card.Options{}), card.Faults{})
	r.ask(jpki, "9000")
	r.ask(authPIN, "9000")
	r.ask(wrong, "63c2")
	r.conn.Close()
	r.accept()
	r.ask(query, "6986")
	r.ask(jpki, "9000")
	r.ask(authPIN, "9000")
	r.ask(query, "63c2")
}

func TestFaults(t *testing.T) {
	t.Run("pulled", func(t *testing.T) {
		r := newReader(t)
		in := r.insert(newCard(t, card.Options{}), card.Faults{PullAfter: 2})
		r.ask(jpki, "9000")
		r.ask(authPIN, "9000")
		r.send(query)
		if _, err := r.hear(); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		<-in.Removed()
	})
	t.Run("reset", func(t *testing.T) {
		r := newReader(t)
		r.insert(newCard(t, card.Options{}), card.Faults{ResetAfter: 2})
		r.ask(jpki, "9000")
		r.ask(authPIN, "9000")
		r.ask(query, "6986")
		r.ask(jpki, "9000")
		r.ask(authPIN, "9000")
		r.ask(query, "63c3")
	})
	t.Run("mute after", func(t *testing.T) {
		r := newReader(t)
		r.insert(newCard(t, card.Options{}), card.Faults{MuteAfter: 1})
		r.ask(jpki, "9000")
		r.send(authPIN)
		r.ask("04", plasticATR) // the first answer that comes
	})
	t.Run("mute", func(t *testing.T) {
		r := newReader(t)
		r.insert(newCard(t, card.Options{}), card.Faults{Mute: true})
		for _, power := range []string{"01", "02"} {
			r.ask("04", plasticATR) // it is there
			r.send(power)
			if _, err := r.hear(); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			r.accept()
		}
	})
	t.Run("slow", func(t *testing.T) {
		r := newReader(t)
		in := r.insert(newCard(t, card.Options{}), card.Faults{Slow: time.Hour})
		r.send(jpki)
		in.Remove() // does not wait for the hour
	})
}

func TestInsertEndsWithItsContext(t *testing.T) {
	r := newReader(t)
	address := r.address()
	r.listener.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := card.Insert(ctx, address, newCard(t, card.Options{}), card.Faults{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

const entry = `{"sub":"sub-1","label":"x","client":"citizen","name":"架空 花子","address":"架空県みなと市","birthdate":"1980-04-01","gender":"female"}`

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// told is a JSON line of the subcommand.
type told struct {
	Msg        string         `json:"msg"`
	Commands   int            `json:"commands"`
	Tries      map[string]int `json:"tries"`
	Violations []string       `json:"violations"`
}

// run runs the subcommand against the reader. talk is what happens while the card lies there.
func run(t *testing.T, r *reader, talk func(), args ...string) (told, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := card.Command(ctx, append([]string{"--vpcd", r.address()}, args...), in, func() time.Time { return now }, rand.Reader)
		in.Close()
		ended <- err
	}()
	r.accept()
	lines := bufio.NewScanner(out)
	var line told
	for lines.Scan() {
		line = told{}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if line.Msg == "inserted" {
			talk()
			cancel()
		}
	}
	return line, <-ended
}

func TestTheCommandKeepsItsCard(t *testing.T) {
	r, dir := newReader(t), t.TempDir()
	args := []string{"--person", write(t, "one.json", entry), "--state", filepath.Join(dir, "state"), "--roots", filepath.Join(dir, "trust")}
	var certificates []string
	for round, want := range []string{"63c3", "63c2"} {
		line, err := run(t, r, func() {
			r.ask(jpki, "9000")
			r.ask(authPIN, "9000")
			r.ask(query, want)
			r.ask(wrong, "63c"+strconv.Itoa(2-round))
			r.ask("00A4020C02000B", "9000")
			r.send("00B0000000")
			certificate := must[string](t)(r.hear())
			certificates = append(certificates, certificate)
		}, args...)
		if err != nil || line.Msg != "removed" || line.Commands != 6 || line.Tries["auth"] != 2-round || len(line.Violations) != 0 {
			t.Errorf("%+v %v", line, err)
		}
	}
	if certificates[0] != certificates[1] {
		t.Error("the second start has another authority")
	}
	if files := must[[]string](t)(filepath.Glob(filepath.Join(dir, "trust", "jpki", "*.pem"))); len(files) != 1 {
		t.Errorf("roots: %v", files)
	}
}

func TestTheCommandTellsAViolation(t *testing.T) {
	r := newReader(t)
	line, err := run(t, r, func() {
		r.ask(text, "9000")
		r.ask("00A4020C020001", "6a82")
	}, "--person", write(t, "all.json", "["+entry+"]"), "--sub", "sub-1")
	if err == nil || len(line.Violations) != 1 || strings.Contains(err.Error(), "花子") {
		t.Errorf("%+v %v", line, err)
	}
}

func TestTheCommandRefuses(t *testing.T) {
	one, two := write(t, "one.json", entry), write(t, "two.json", "["+entry+","+strings.Replace(entry, "sub-1", "sub-2", 1)+"]")
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "keys.pem"), []byte("-----BEGIN X-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"no person":              {},
		"another network":        {"--person", one, "--vpcd", "192.0.2.1:35963"},
		"no port":                {"--person", one, "--vpcd", "127.0.0.1"},
		"a kind":                 {"--person", one, "--kind", "golden"},
		"arguments":              {"--person", one, "more"},
		"an absent file":         {"--person", one + "x"},
		"a malformed file":       {"--person", write(t, "x.json", "{")},
		"one of two":             {"--person", two},
		"nobody":                 {"--person", two, "--sub", "sub-3"},
		"a broken state":         {"--person", one, "--state", broken},
		"tries it does not have": {"--person", one, "--tries", "4"},
	} {
		err := card.Command(context.Background(), args, io.Discard, func() time.Time { return now }, rand.Reader)
		if err == nil || strings.Contains(err.Error(), "花子") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
