package faults_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"madoguchi.example/deploy/faults/witness"
	"madoguchi.example/deploy/population"
	"madoguchi.example/deploy/stage"
)

// Both ends of the clinic's cable, from the range for tests of networks (RFC 2544).
const (
	nearEnd = "198.18.42.2" // the terminal
	farEnd  = "198.18.42.1" // the backend
)

// clinic is a network namespace in which a terminal runs, with a cable to the backend.
type clinic struct {
	t       *testing.T
	ctx     context.Context
	ip      string
	name    string // of the namespace
	card    string // the backend's end of the cable
	backend net.Listener
}

// newClinic makes the namespace and the cable.
func newClinic(t *testing.T, ctx context.Context) *clinic {
	t.Helper()
	c := &clinic{t: t, ctx: ctx, ip: need(t, "ip"), name: fmt.Sprintf("madoguchi-%d", os.Getpid()), card: fmt.Sprintf("mg%d", os.Getpid())}
	if os.Geteuid() != 0 {
		t.Skip("a network of our own needs root")
	}
	if out, err := c.try("netns", "add", c.name); err != nil {
		t.Skipf("this machine gives no network of our own: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := c.tryIn(context.Background(), "netns", "del", c.name); err != nil {
			t.Errorf("a network is left: %v %s", err, out)
		}
	})
	c.run("link", "add", c.card, "type", "veth", "peer", "name", "cable", "netns", c.name)
	c.run("addr", "add", farEnd+"/30", "dev", c.card)
	c.run("-n", c.name, "addr", "add", nearEnd+"/30", "dev", "cable")
	c.run("link", "set", c.card, "up")
	c.run("-n", c.name, "link", "set", "cable", "up")
	c.run("-n", c.name, "link", "set", "lo", "up")
	return c
}

func (c *clinic) try(args ...string) ([]byte, error) { return c.tryIn(c.ctx, args...) }

func (c *clinic) tryIn(ctx context.Context, args ...string) ([]byte, error) {
	return stage.RunWell(ctx, stage.Command{Name: "ip", Path: c.ip, Args: args})
}

func (c *clinic) run(args ...string) {
	c.t.Helper()
	if out, err := c.try(args...); err != nil {
		c.t.Fatal(err, string(out))
	}
}

// dial connects from within the namespace.
func (c *clinic) dial(address string) (net.Conn, error) {
	type made struct {
		conn net.Conn
		err  error
	}
	done := make(chan made, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		space, err := os.Open(filepath.Join("/run/netns", c.name))
		if err != nil {
			done <- made{nil, err}
			return
		}
		defer space.Close()
		if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- made{nil, err}
			return
		}
		conn, err := net.Dial("tcp", address)
		done <- made{conn, err}
	}()
	m := <-done
	return m.conn, m.err
}

// door gives an address here that leads to the same address within the namespace: of the
// desk, which listens on loopback alone.
func (c *clinic) door() string {
	c.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { listener.Close() })
	address := listener.Addr().String()
	go carry(listener, func() (net.Conn, error) { return c.dial(address) })
	return address
}

// carry leads every connection on to another, until the listener is closed.
func carry(listener net.Listener, dial func() (net.Conn, error)) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer near.Close()
			far, err := dial()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(far, near); far.Close() }()
			_, _ = io.Copy(near, far)
			far.Close()
		}()
	}
}

// backendAt serves TLS at the far end of the cable, before what listens on target. It gives
// the file with the authority's certificate.
func (c *clinic) backendAt(target func() string) (caFile string) {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "practice backend"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(farEnd)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		c.t.Fatal(err)
	}
	c.backend, err = tls.Listen("tcp", farEnd+":0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { c.backend.Close() })
	go carry(c.backend, func() (net.Conn, error) { return net.Dial("tcp", target()) })
	caFile = filepath.Join(c.t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return caFile
}

// moveIn makes the stage's terminals run within the namespace, led to the far end.
func (c *clinic) moveIn(s *stage.Stage, caFile string) {
	c.t.Helper()
	dir := c.t.TempDir()
	script := fmt.Sprintf(`#!/bin/bash
export MADOGUCHI_AGENT_BACKEND_CA_FILE=%q MADOGUCHI_AGENT_BACKEND_TIMEOUT=2s
from=%q to=%q
exec %q netns exec %q %q "${@/#$from/$to}"
`, caFile, s.Line.URL(), "https://"+c.backend.Addr().String(), c.ip, c.name, s.Programs.Path(stage.Agent))
	if err := os.WriteFile(filepath.Join(dir, stage.Agent), []byte(script), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Symlink(s.Programs.Path(stage.Backend), filepath.Join(dir, stage.Backend)); err != nil {
		c.t.Fatal(err)
	}
	s.Programs = stage.Programs{Dir: dir}
}

// The network card goes down and up again, and the route becomes a black hole, while the
// terminal records: everything arrives afterwards, by itself.
func TestTheNetworkCardGoesDownAndUp(t *testing.T) {
	flaps := counts(t).LinkFlaps
	ctx := limit(t, long)
	c := newClinic(t, ctx)
	s := house(t, ctx)
	c.moveIn(s, c.backendAt(s.Line.Address))
	terminal, err := s.Enrol(ctx, population.OfficeMinatoClinic, stage.Equipment{DeskAddress: c.door()})
	if err != nil {
		t.Fatal(err)
	}
	w := witness.New(t, ctx, s, terminal)
	w.Start()
	w.Record()
	w.AllSent()
	hole := []string{"-n", c.name, "route", "add", "blackhole", farEnd + "/32"}
	for i := range flaps {
		down, up := hole, []string{"-n", c.name, "route", "del", "blackhole", farEnd + "/32"}
		if i%2 == 0 {
			down, up = []string{"link", "set", c.card, "down"}, []string{"link", "set", c.card, "up"}
		}
		c.run(down...)
		for range 5 {
			if a := w.Try(); !a.Confirmed() || w.Seen(a.ID) {
				t.Errorf("without a network: status %d, went over the line: %v", a.Status, w.Seen(a.ID))
			}
		}
		c.run(up...)
		w.AllSent()
	}
	w.MustHold()
}
