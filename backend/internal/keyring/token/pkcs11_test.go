//go:build pkcs11

package token_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/keyring/token"
	"madoguchi.example/backend/internal/store"
	storeaudit "madoguchi.example/backend/internal/store/audit"
	storekeyring "madoguchi.example/backend/internal/store/keyring"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/shared/fault"
)

const pin = "5678"

// softToken is a token of its own in a folder of the test, made once for the process: the
// library reads where its tokens are when it is first loaded.
func softToken(t *testing.T) token.Config {
	t.Helper()
	made.once.Do(func() { made.config, made.missing = makeToken() })
	if made.missing == "" {
		return made.config
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(made.missing)
	}
	t.Skip(made.missing)
	return token.Config{}
}

var made struct {
	once    sync.Once
	config  token.Config
	missing string
}

func makeToken() (token.Config, string) {
	module := ""
	for _, path := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(path); err == nil {
			module = path
			break
		}
	}
	program, err := exec.LookPath("softhsm2-util")
	if err != nil || module == "" {
		return token.Config{}, "softhsm2 is not installed: signing keys in a device are not tested"
	}
	dir, err := os.MkdirTemp("", "softhsm-") // TestMain removes it
	if err != nil {
		return token.Config{}, err.Error()
	}
	c := token.Config{Module: module, TokenLabel: "cell", PINFile: filepath.Join(dir, "pin")}
	config := filepath.Join(dir, "softhsm2.conf")
	for path, text := range map[string]string{config: "directories.tokendir = " + filepath.Join(dir, "tokens") + "\nlog.level = ERROR\n", c.PINFile: pin + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return c, err.Error()
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "tokens"), 0o700); err != nil {
		return c, err.Error()
	}
	if err := os.Setenv("SOFTHSM2_CONF", config); err != nil {
		return c, err.Error()
	}
	if out, err := exec.Command(program, "--init-token", "--free", "--label", c.TokenLabel, "--pin", pin, "--so-pin", "1234").CombinedOutput(); err != nil {
		return c, "cannot make a token: " + string(out)
	}
	return c, ""
}

func TestMain(m *testing.M) {
	code := m.Run()
	if made.config.PINFile != "" {
		_ = os.RemoveAll(filepath.Dir(made.config.PINFile))
	}
	os.Exit(code)
}

func openToken(t *testing.T, c token.Config) *token.Device {
	t.Helper()
	d, err := token.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func signs(t *testing.T, s crypto.Signer, public crypto.PublicKey) {
	t.Helper()
	sum := sha256.Sum256([]byte("x"))
	sig, err := s.Sign(rand.Reader, sum[:], crypto.SHA256)
	if key, ok := public.(*ecdsa.PublicKey); err != nil || !ok || !ecdsa.VerifyASN1(key, sum[:], sig) {
		t.Errorf("the token's signature is not good: %v", err)
	}
}

func TestDevice(t *testing.T) {
	c := softToken(t)
	d := openToken(t, c)
	if s, err := d.Find("none"); s != nil || err != nil {
		t.Errorf("found %v, %v", s, err)
	}
	s, err := d.Generate("one")
	if err != nil {
		t.Fatal(err)
	}
	signs(t, s, s.Public())
	if _, err := d.Generate("one"); err == nil {
		t.Error("two keys bear one label")
	}
	neverComesOut(t, c, "one")
	found, err := d.Find("one")
	if err != nil || found == nil {
		t.Fatalf("found %v, %v", found, err)
	}
	signs(t, found, s.Public())
	for range 2 {
		if err := d.Destroy("one"); err != nil {
			t.Error(err)
		}
	}
	if s, err := d.Find("one"); s != nil || err != nil {
		t.Errorf("found %v, %v after its end", s, err)
	}
}

// neverComesOut asks the device itself for the private number.
func neverComesOut(t *testing.T, c token.Config, label string) {
	t.Helper()
	p := pkcs11.New(c.Module) // loaded and initialised already by the open device
	slots, err := p.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range slots {
		if info, err := p.GetTokenInfo(slot); err != nil || strings.TrimRight(info.Label, " \x00") != c.TokenLabel {
			continue
		}
		session, err := p.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = p.CloseSession(session) }()
		if err := p.FindObjectsInit(session, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label)}); err != nil {
			t.Fatal(err)
		}
		keys, _, err := p.FindObjects(session, 2)
		if err != nil || len(keys) != 1 {
			t.Fatalf("%d private keys, %v", len(keys), err)
		}
		if err := p.FindObjectsFinal(session); err != nil {
			t.Fatal(err)
		}
		if _, err := p.GetAttributeValue(session, keys[0], []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil)}); err == nil {
			t.Error("the private number came out")
		}
		flags, err := p.GetAttributeValue(session, keys[0], []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, nil), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, nil)})
		if err != nil || flags[0].Value[0] != 1 || flags[1].Value[0] != 0 {
			t.Errorf("sensitive, extractable: %v, %v", flags, err)
		}
		return
	}
	t.Fatal("the token is not there")
}

func TestPINFile(t *testing.T) {
	c := softToken(t)
	wrong := c
	wrong.PINFile = filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(wrong.PINFile, []byte("0000"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := token.Open(wrong); fault.CodeOf(err) != fault.Unavailable || strings.Contains(err.Error(), "0000") {
		t.Errorf("a wrong PIN: %v", err)
	}
	if err := os.Chmod(wrong.PINFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := token.Open(wrong); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("a PIN that others may read: %v", err)
	}
}

// A whole ring whose keys are in the device: no private part is ever a file, and a key
// that went out of use is gone from the device.
func TestRing(t *testing.T) {
	d := openToken(t, softToken(t))
	db, dir := storetest.Open(t, store.SQLite), t.TempDir()
	now := storetest.Now()
	clock := func() time.Time { return now }
	open := func() *keyring.Ring {
		r, err := keyring.Open(t.Context(), keyring.Deps{
			Runner: db.Runner(), Rows: storekeyring.New(db.Reads()), Dir: dir, Issuer: "https://madoguchi.example", CacheLifetime: time.Hour, Token: d,
			Record: audit.New(storeaudit.New(db.Reads()), audit.Register(), clock, rand.Reader), Now: clock, Rand: rand.Reader,
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r, who := open(), actor.System{Name: "test"}
	for _, use := range keyring.Uses() {
		k, s, err := r.Signer(t.Context(), use, now)
		if err != nil {
			t.Fatal(err)
		}
		signs(t, s, k.Public)
		next, err := r.Rotate(t.Context(), who, audit.SigningKeys, keyring.Rotation{Use: use})
		if err != nil {
			t.Fatal(err)
		}
		now = next.UseFrom
		r = open() // another process finds it by its row
		if k, s, err = r.Signer(t.Context(), use, now); err != nil || k.ID != next.ID {
			t.Fatalf("%s signs, %v", k.ID, err)
		}
		signs(t, s, k.Public)
	}
	for range 2 {
		if err := r.Sweep(t.Context(), who, audit.SigningKeys); err != nil {
			t.Fatal(err)
		}
	}
	all, err := r.List(context.Background(), who, audit.SigningKeys)
	if err != nil || len(all) != 2*len(keyring.Uses()) {
		t.Fatalf("%d keys, %v", len(all), err)
	}
	for _, k := range all {
		s, err := d.Find(strings.TrimPrefix(k.Locator, "token:"))
		if err != nil || (s == nil) != k.Past(now) || k.Past(now) == k.Destroyed.IsZero() {
			t.Errorf("%s: in the token %v, destroyed %s, %v", k.Use, s != nil, k.Destroyed, err)
		}
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			t.Errorf("%s lies in the key folder", e.Name())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
