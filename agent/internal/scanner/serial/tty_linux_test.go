package serial

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"madoguchi.example/agent/internal/scanner"
)

// terminal is a pseudo terminal: to whoever opens its name, a serial device.
func terminal(t *testing.T) (scannerSide *os.File, name string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("this machine has no pseudo terminals: %v", err)
	}
	master := os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return master, fmt.Sprintf("/dev/pts/%d", number)
}

// TestARealSerialDevice opens, reads, loses and finds again a device of the kernel's.
func TestARealSerialDevice(t *testing.T) {
	port := filepath.Join(t.TempDir(), "scanner")
	changes, scans := make(chan struct{}, 64), make(chan scanner.Scan, 64)
	r := New(Config{Port: port, Now: time.Now, Retry: 10 * time.Millisecond, Changed: func() { changes <- struct{}{} }})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, func(s scanner.Scan) { scans <- s }) }()
	until := func(ready bool) {
		t.Helper()
		for r.Health().Ready != ready {
			select {
			case <-changes:
			case <-time.After(10 * time.Second):
				t.Fatalf("%+v", r.Health())
			}
		}
	}
	send := func(to *os.File, sent, want string) {
		t.Helper()
		if _, err := to.WriteString(sent); err != nil {
			t.Fatal(err)
		}
		select {
		case s := <-scans:
			if string(s.Bytes) != want {
				t.Errorf("%q, want %q", s.Bytes, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%q did not come", want)
		}
	}
	for round := range 3 { // plugged in, pulled, plugged in again
		master, name := terminal(t)
		if err := os.Symlink(name, port); err != nil {
			t.Fatal(err)
		}
		until(true)
		send(master, "shc:/5676\r\n", "shc:/5676")
		send(master, "\x00\x03\x04\x11\x13\x1a\x7f\xff\r\n\n", "\x00\x03\x04\x11\x13\x1a\x7f\xff\r\n") // nothing is interpreted
		send(master, "\x94\x92\x8b\xb4\r", "\x94\x92\x8b\xb4")
		if err := os.Remove(port); err != nil {
			t.Fatal(err)
		}
		if err := master.Close(); err != nil {
			t.Fatal(err)
		}
		until(false)
		t.Logf("round %d: %+v", round, r.Health())
	}
	stop()
	<-ended
}

func TestAFileIsNoScanner(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(file, DefaultBaud)
	if got := faultOf(err); got != scanner.NoScanner {
		t.Errorf("%v: %q", err, got)
	}
	_, err = Open(file+"-not-there", DefaultBaud)
	if got := faultOf(err); got != scanner.NoDevice {
		t.Errorf("%v: %q", err, got)
	}
	if !gone(unix.ENXIO) || faultOf(fmt.Errorf("opening: %w", unix.EACCES)) != scanner.NoPermission {
		t.Error("wrong words for what the system says")
	}
}

// TestASecondProgramFindsItBusy holds a device exclusively. The superuser is not kept out.
func TestASecondProgramFindsItBusy(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("the superuser may open what others hold")
	}
	_, name := terminal(t)
	port, err := Open(name, DefaultBaud)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = port.Close() }()
	if _, err := Open(name, DefaultBaud); faultOf(err) != scanner.Busy {
		t.Errorf("%v", err)
	}
}

// TestList reads a tree as the kernel shows it.
func TestList(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(path, to string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(root, to), filepath.Join(root, path)); err != nil {
			t.Fatal(err)
		}
	}
	if ports, err := listIn(root); err != nil || ports != nil {
		t.Errorf("a machine without any: %v %v", ports, err)
	}
	for name, text := range map[string]string{"idVendor": "065a", "idProduct": "a002", "product": "Opticon USB Code Reader", "serial": "S1"} {
		write("sys/devices/usb1/1-1/"+name, text)
	}
	write("sys/devices/usb1/1-1/1-1:1.0/bInterfaceClass", "02")
	link("sys/class/tty/ttyACM0/device", "sys/devices/usb1/1-1/1-1:1.0")
	write("sys/devices/usb1/1-2/idVendor", "0403")
	write("sys/devices/usb1/1-2/1-2:1.0/ttyUSB0/port_number", "0")
	link("sys/class/tty/ttyUSB0/device", "sys/devices/usb1/1-2/1-2:1.0/ttyUSB0")
	link("sys/class/tty/ttyACM9/device", "sys/devices/gone")
	write("sys/class/tty/ttyS0/uevent", "")
	ports, err := listIn(root)
	want := []Port{
		{Name: "/dev/ttyACM0", VID: "065A", PID: "A002", SerialNumber: "S1", Product: "Opticon USB Code Reader"},
		{Name: "/dev/ttyUSB0", VID: "0403"},
	}
	if err != nil || len(ports) != 2 || ports[0] != want[0] || ports[1] != want[1] {
		t.Errorf("%+v %v", ports, err)
	}
	if _, err := List(); err != nil {
		t.Errorf("this machine's own: %v", err)
	}
}
