package doctor_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"madoguchi.example/agent/internal/card"
	"madoguchi.example/agent/internal/card/pcsc"
	"madoguchi.example/agent/internal/doctor"
	"madoguchi.example/agent/internal/scanner/device"
	"madoguchi.example/agent/internal/scanner/serial"
	"madoguchi.example/agent/internal/terminal"
	"madoguchi.example/agent/internal/vault"
	"madoguchi.example/shared/trust"
)

// backend enrols one terminal and gives it a trust list of a time.
type backend struct {
	asOf time.Time
	down error
}

func (b *backend) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.down != nil {
		return nil, b.down
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Date", now.Format(http.TimeFormat))
	switch r.URL.Path {
	case "/terminal/v1/enrol":
		fmt.Fprint(w, `{"terminal":"trm_1","office":"ofc_1","token_audience":"x"}`)
	case "/terminal/v1/token":
		fmt.Fprint(w, `{"access_token":"a","token_type":"Bearer","expires_in":600}`)
	case "/terminal/v1/trust":
		w.Header().Set("Content-Type", "application/x-tar")
		w.Header().Set("ETag", `"1"`)
		var tar bytes.Buffer
		if err := (trust.Bundle{AsOf: b.asOf, MaxAge: 168 * time.Hour}).WriteTar(&tar); err != nil {
			return nil, err
		}
		_, _ = io.Copy(w, &tar)
	default:
		w.WriteHeader(http.StatusUnauthorized)
	}
	return w.Result(), nil
}

// enrolled gives a state folder of a terminal whose trust list is of a time.
func enrolled(t *testing.T, asOf time.Time) (string, *backend) {
	t.Helper()
	b, dir := &backend{asOf: asOf}, t.TempDir()
	o := terminal.Options{StateDir: dir, HTTP: b, Now: clock, Rand: rand.Reader}
	x, err := terminal.Enrol(t.Context(), "https://backend.example", "CODE", o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.RefreshTrust(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dir, b
}

func words(all []doctor.Finding) string {
	var out []string
	for _, f := range all {
		out = append(out, string(f.Part)+" "+told(f))
	}
	return strings.Join(out, ", ")
}

func machine(dir string, rt http.RoundTripper) doctor.Machine {
	return doctor.Machine{StateDir: dir, Backend: "https://backend.example", Transport: rt, Now: clock, Rand: rand.Reader}
}

// noRoom takes the real disk out of a comparison: this machine's may be nearly full.
func noRoom(p doctor.Parts) doctor.Parts {
	p.Disk = nil
	return p
}

func TestATerminalThatIsWell(t *testing.T) {
	dir, b := enrolled(t, now.Add(-time.Hour))
	all := doctor.Examine(t.Context(), noRoom(machine(dir, b).Parts()))
	if got := words(all); got != "enrolment ok, store ok, clock ok, backend ok, trust ok" || doctor.ExitCode(all) != 0 {
		t.Error(got)
	}
}

func TestATerminalThatWasNeverEnrolled(t *testing.T) {
	dir := t.TempDir()
	all := doctor.Examine(t.Context(), noRoom(machine(dir, &backend{}).Parts()))
	if got := words(all); got != "enrolment not_enrolled, store ok, clock ok, backend ok, trust none" || doctor.ExitCode(all) != 11 {
		t.Error(got)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the doctor left %v in the folder: %v", left, err)
	}
}

// TestAClockBehindTheTrustList has a battery that is empty and a line that is cut.
func TestAClockBehindTheTrustList(t *testing.T) {
	dir, b := enrolled(t, now.Add(3*time.Hour))
	b.down = errors.New("cut")
	all := doctor.Examine(t.Context(), noRoom(machine(dir, b).Parts()))
	if got := words(all); got != "enrolment ok, store ok, clock set_back, backend failed, trust ok" || all[2].Args[0] != "180" || doctor.ExitCode(all) != 14 {
		t.Errorf("%s %+v", got, all[2])
	}
}

// TestAClockBehindTheOwnFile has a terminal whose file was written later than its clock now
// says. The backend, where it is reached, knows better.
func TestAClockBehindTheOwnFile(t *testing.T) {
	dir, b := enrolled(t, now.Add(-time.Hour))
	file := filepath.Join(dir, vault.FileName)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, now, now.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for want, down := range map[string]error{"clock ok": nil, "clock set_back": errors.New("cut")} {
		b.down = down
		if got := words(doctor.Examine(t.Context(), noRoom(machine(dir, b).Parts()))); !strings.Contains(got, want) {
			t.Error(got)
		}
	}
}

func TestAFileThatIsHeld(t *testing.T) {
	dir, b := enrolled(t, now.Add(-9*24*time.Hour))
	f, err := os.OpenFile(filepath.Join(dir, vault.FileName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := os.Chtimes(f.Name(), now, now); err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	all := doctor.Examine(t.Context(), noRoom(machine(dir, b).Parts()))
	if got := words(all); got != "enrolment ok, store locked, clock ok, backend ok, trust stale" || doctor.ExitCode(all) != 12 {
		t.Error(got)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got := words(doctor.Examine(t.Context(), noRoom(machine(dir, b).Parts()))); !strings.Contains(got, "store ok") {
		t.Error(got)
	}
}

// readers are card readers that a test sets.
type readers []card.Reader

func (r readers) Watch(_ context.Context, report func([]card.Reader)) error {
	report(r)
	return nil
}

func (readers) Connect(context.Context, string) (card.Transport, error) {
	return nil, errors.New("the doctor talks to no card")
}

func TestReadersOfTheMachine(t *testing.T) {
	for _, c := range []struct {
		there []card.Reader
		only  string
		want  string
	}{
		{nil, "", "pcscd ok, reader no_reader"},
		{[]card.Reader{{Name: "A", State: card.Empty}}, "", "pcscd ok, reader ok"},
		{[]card.Reader{{Name: "A", State: card.Gone}}, "", "pcscd ok, reader reader_gone"},
		{[]card.Reader{{Name: "A", State: card.Gone}, {Name: "B", State: card.Present}}, "", "pcscd ok, reader ok"},
		{[]card.Reader{{Name: "A", State: card.Mute}}, "", "pcscd ok, reader (mute_card)"},
		{[]card.Reader{{Name: "A", State: card.Empty}}, "B", "pcscd ok, reader reader_unknown"},
		{[]card.Reader{{Name: "A", State: card.Empty}, {Name: "B", State: card.Empty}}, "B", "pcscd ok, reader ok"},
	} {
		m := machine(t.TempDir(), &backend{})
		m.Readers, m.Reader = readers(c.there), c.only
		if got := words(doctor.Examine(t.Context(), doctor.Parts{Now: clock, Card: m.Parts().Card})); got != c.want {
			t.Errorf("%+v: %s", c.there, got)
		}
	}
}

// TestNoServiceOfReaders looks for a socket that is not there, and for one that nobody serves.
func TestNoServiceOfReaders(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "pcscd.comm")
	for _, there := range []bool{false, true} {
		if there {
			if err := os.WriteFile(socket, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m := machine(t.TempDir(), &backend{})
		m.Readers = pcsc.New(pcsc.Options{Socket: socket})
		if got := words(doctor.Examine(t.Context(), doctor.Parts{Now: clock, Card: m.Parts().Card})); got != "pcscd no_pcscd" {
			t.Errorf("a file there: %v: %s", there, got)
		}
	}
}

func TestScannersOfTheMachine(t *testing.T) {
	m := machine(t.TempDir(), &backend{})
	m.Devices = []*device.Loop{
		serial.New(serial.Config{Port: serial.Auto, Now: clock, List: func() ([]serial.Port, error) { return nil, nil }}),
		serial.New(serial.Config{Port: filepath.Join(t.TempDir(), "ttyACM0"), Now: clock}),
	}
	all := doctor.Examine(t.Context(), doctor.Parts{Now: clock, Scanners: m.Parts().Scanners})
	if got := words(all); got != "scanner no_device" || doctor.ExitCode(all) != 19 {
		t.Error(got)
	}
}
