package tpm_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"madoguchi.example/agent/internal/vault/tpm"
	"madoguchi.example/agent/internal/vault/tpm/tpmtest"
)

// tap passes everything on to a device and remembers it.
type tap struct {
	mu   sync.Mutex
	seen bytes.Buffer
}

func (p *tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.Write(b)
}

func (p *tap) contains(b []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Contains(p.seen.Bytes(), b)
}

func (p *tap) before(t *testing.T, device string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tap")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(l.Close(), os.RemoveAll(dir)) })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", device[len("unix:"):])
			if err != nil {
				_ = in.Close()
				continue
			}
			go func() { _, _ = io.Copy(io.MultiWriter(out, p), in); _ = out.Close() }()
			go func() { _, _ = io.Copy(io.MultiWriter(in, p), out); _ = in.Close() }()
		}
	}()
	return "unix:" + filepath.Join(dir, "s")
}

func TestASecretComesBackFromTheSameTPMAlone(t *testing.T) {
	state, ctx := t.TempDir(), t.Context()
	device, stop := tpmtest.Emulate(t, state)
	p := &tap{}
	tapped := p.before(t, device)
	secret := []byte("0123456789abcdef0123456789ABCDEF")
	blob, err := tpm.Seal(ctx, tapped, secret)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // more often than a TPM has room for objects that are left behind
		got, err := tpm.Unseal(ctx, tapped, blob)
		if err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("got %x, %v", got, err)
		}
	}
	if p.contains(secret) || bytes.Contains(blob, secret) {
		t.Error("the secret is on the bus or in the blob in clear")
	}
	if !p.contains(blob[4:20]) {
		t.Error("the tap saw nothing: the test proves nothing")
	}
	stop()
	if device, stop = tpmtest.Emulate(t, state); true {
		if got, err := tpm.Unseal(ctx, device, blob); err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("after a restart: %x, %v", got, err)
		}
	}
	stop()
	other, _ := tpmtest.Emulate(t, t.TempDir())
	if _, err := tpm.Unseal(ctx, other, blob); !errors.Is(err, tpm.ErrForeign) {
		t.Errorf("another TPM: %v", err)
	}
}

func TestWhatIsNoTPM(t *testing.T) {
	ctx := t.Context()
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, device := range []string{"unix:" + file, file, "/does/not/exist"} {
		if tpm.Reachable(ctx, device) {
			t.Errorf("%s is taken for a TPM", device)
		}
		if _, err := tpm.Seal(ctx, device, []byte("x")); err == nil {
			t.Errorf("%s seals", device)
		}
	}
	if _, err := tpm.Seal(ctx, file, make([]byte, tpm.MaxSecret+1)); err == nil {
		t.Error("a long secret is sealed")
	}
}

// A TPM whose answers are nonsense is an error.
func TestNonsenseAnswers(t *testing.T) {
	for _, answer := range []string{"", "short", "\x80\x01\xff\xff\xff\xff\x00\x00\x00\x00", "\x80\x01\x00\x00\x00\x0a\x00\x00\x00\x00"} {
		dir, err := os.MkdirTemp("", "tpm")
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", filepath.Join(dir, "s"))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write([]byte(answer))
			_ = c.Close()
		}()
		if _, err := tpm.Seal(t.Context(), "unix:"+filepath.Join(dir, "s"), []byte("x")); err == nil {
			t.Errorf("%q is taken", answer)
		}
		_ = errors.Join(l.Close(), os.RemoveAll(dir))
	}
}

func FuzzBlob(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 0, 0, 0, 0, 0, 2, 0, 0})
	f.Add([]byte{0, 0, 0, 1, 9})
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, blob []byte) {
		if _, err := tpm.Unseal(t.Context(), "/does/not/exist", blob); err == nil {
			t.Error("something was unsealed without a TPM")
		}
	})
}
