package keyring_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi.example/backend/internal/actor"
	"madoguchi.example/backend/internal/audit"
	"madoguchi.example/backend/internal/keyfile"
	"madoguchi.example/backend/internal/keyring"
	"madoguchi.example/backend/internal/store"
	storeaudit "madoguchi.example/backend/internal/store/audit"
	storekeyring "madoguchi.example/backend/internal/store/keyring"
	"madoguchi.example/backend/internal/store/storetest"
	"madoguchi.example/backend/internal/tx"
	"madoguchi.example/shared/cert/hcert"
	"madoguchi.example/shared/cert/vdsnc"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/trust"
)

const lifetime = 24 * time.Hour

var operator = actor.System{Name: "test"}

// hall is a store with a clock, over which rings open as processes would.
type hall struct {
	db  *store.DB
	dir string
	mu  sync.Mutex
	now time.Time
}

func newHall(t testing.TB, db *store.DB) *hall {
	return &hall{db: db, dir: t.TempDir(), now: storetest.Now()}
}

func (h *hall) clock() time.Time     { h.mu.Lock(); defer h.mu.Unlock(); return h.now }
func (h *hall) pass(d time.Duration) { h.mu.Lock(); defer h.mu.Unlock(); h.now = h.now.Add(d) }

func (h *hall) deps() keyring.Deps {
	return keyring.Deps{
		Runner: h.db.Runner(), Rows: storekeyring.New(h.db.Reads()), Dir: h.dir, Issuer: "https://madoguchi.example", CacheLifetime: lifetime,
		Record: audit.New(storeaudit.New(h.db.Reads()), audit.Register(), h.clock, rand.Reader), Now: h.clock, Rand: rand.Reader,
	}
}

func (h *hall) open(t testing.TB, change ...func(*keyring.Deps)) *keyring.Ring {
	t.Helper()
	d := h.deps()
	for _, c := range change {
		c(&d)
	}
	r, err := keyring.Open(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func each(t *testing.T, fn func(t *testing.T, h *hall)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, newHall(t, db)) })
}

// sign gives the key in force after it has signed something that its public part verifies.
func sign(t testing.TB, r *keyring.Ring, use keyring.Use, at time.Time) keyring.Key {
	t.Helper()
	k, s, err := r.Signer(context.Background(), use, at)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(k.ID))
	sig, err := s.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil || !ecdsa.VerifyASN1(k.Public, sum[:], sig) {
		t.Fatalf("%s: the signature is not of the public key (%v)", use, err)
	}
	return k
}

func ids(t testing.TB, r *keyring.Ring, use keyring.Use, at time.Time) []string {
	t.Helper()
	keys, err := r.Published(context.Background(), use, at)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.ID
	}
	return out
}

func rotate(t testing.TB, r *keyring.Ring, x keyring.Rotation) keyring.Key {
	t.Helper()
	k, err := r.Rotate(context.Background(), operator, audit.SigningKeys, x)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// files lists what lies in the key folder.
func (h *hall) files(t testing.TB) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(h.dir, path)
			out = append(out, name)
			if info, _ := d.Info(); info.Mode().Perm() != 0o600 && !strings.HasSuffix(name, ".pub") {
				t.Errorf("%s has mode %o", name, info.Mode().Perm())
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// At the first start each use has a key that is in force at once and bears the name that
// its format gives it; a restart and another process find the same.
func TestFirstStart(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		r := h.open(t)
		again := h.open(t)
		for _, use := range keyring.Uses() {
			k := sign(t, r, use, h.clock())
			if other := sign(t, again, use, h.clock()); other.ID != k.ID {
				t.Errorf("%s: the second process signs with another key", use)
			}
			want, _ := trust.KeyID(k.Public)
			switch use {
			case keyring.HCERT:
				want = hcert.KeyID(k.Certificate)
			case keyring.VDSNC:
				want = fmt.Sprintf("%x", sha256.Sum256(k.Certificate))
			}
			if k.ID != want || k.Specimen != (use == keyring.VDSNC) || !slices.Equal(ids(t, r, use, h.clock()), []string{k.ID}) {
				t.Errorf("%s: %+v, want %s", use, k, want)
			}
		}
		if got := h.files(t); len(got) != 4 {
			t.Errorf("the key folder holds %v", got)
		}
	})
}

func TestSignersCertificates(t *testing.T) {
	h := newHall(t, storetest.Open(t, store.SQLite))
	r := h.open(t)
	dsc, err := x509.ParseCertificate(sign(t, r, keyring.HCERT, h.clock()).Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if err := dsc.CheckSignature(dsc.SignatureAlgorithm, dsc.RawTBSCertificate, dsc.Signature); err != nil {
		t.Error(err)
	}
	if len(dsc.UnknownExtKeyUsage) != 1 || dsc.UnknownExtKeyUsage[0].String() != "1.3.6.1.4.1.1847.2021.1.2" || dsc.IsCA {
		t.Errorf("usage %v", dsc.UnknownExtKeyUsage)
	}
	if want := h.clock().Add(keyring.SignerValidity); !dsc.NotAfter.Equal(want) {
		t.Errorf("it ends %s, want %s", dsc.NotAfter, want)
	}
	specimen := sign(t, r, keyring.VDSNC, h.clock())
	u, err := vdsnc.ReadBSC(specimen.Certificate)
	if err != nil || u.Country != vdsnc.SpecimenCountry || !u.Until.Equal(h.clock().Add(keyring.SpecimenUsage)) {
		t.Errorf("%+v, %v", u, err)
	}
	for _, use := range []keyring.Use{keyring.HCERT, keyring.VDSNC} { // no signature outside the certificate's time
		_, _, err := r.Signer(t.Context(), use, h.clock().Add(keyring.SpecimenUsage+time.Second))
		if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "until 2031-11-20T09:00:00Z") {
			t.Errorf("%s: %v", use, err)
		}
	}
}

// The key of earlier versions becomes the first shc key, where it lies.
func TestTakeover(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		path := filepath.Join(h.dir, "certificate-issuer.pem")
		before, err := keyfile.ECDSA(path, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { h.open(t) })
		}
		all.Wait()
		r := h.open(t)
		if k := sign(t, r, keyring.SHC, h.clock()); !k.Public.Equal(&before.PublicKey) {
			t.Error("another key signs cards")
		}
		first := ids(t, r, keyring.SHC, h.clock())
		rotate(t, r, keyring.Rotation{Use: keyring.SHC})
		h.pass(lifetime)
		if err := r.Sweep(t.Context(), operator, audit.SigningKeys); err != nil {
			t.Fatal(err)
		}
		for _, gone := range []string{path, path + ".pub"} {
			if _, err := os.Stat(gone); !os.IsNotExist(err) {
				t.Errorf("%s is still there after its time", gone)
			}
		}
		if got := ids(t, h.open(t), keyring.SHC, h.clock()); len(got) != 2 || got[1] != first[0] {
			t.Errorf("published %v, want %v to stay", got, first)
		}
	})
}

// Processes that start at once over one store end with one key of each use, and leave no
// private key without a row.
func TestTwoStartsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		var all sync.WaitGroup
		rings := make([]*keyring.Ring, 4)
		for i := range rings {
			all.Go(func() { rings[i] = h.open(t) })
		}
		all.Wait()
		for _, use := range keyring.Uses() {
			want := sign(t, rings[0], use, h.clock()).ID
			for _, r := range rings[1:] {
				if got := sign(t, r, use, h.clock()).ID; got != want {
					t.Errorf("%s: two keys in force", use)
				}
			}
		}
		if got := h.files(t); len(got) != 4 {
			t.Errorf("the key folder holds %v", got)
		}
	})
}

func TestRotation(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		r, second := h.open(t), h.open(t)
		for _, use := range []keyring.Use{keyring.SHC, keyring.HCERT, keyring.SDJWT} {
			old := sign(t, r, use, h.clock())
			next := rotate(t, r, keyring.Rotation{Use: use})
			if !next.UseFrom.Equal(h.clock().Add(lifetime)) || !next.PublishedFrom.Equal(h.clock()) {
				t.Errorf("%s: %+v", use, next)
			}
			if got := ids(t, second, use, h.clock()); !slices.Equal(got, []string{next.ID, old.ID}) {
				t.Errorf("%s: published %v", use, got)
			}
			if got := sign(t, second, use, h.clock().Add(lifetime-1)); got.ID != old.ID {
				t.Errorf("%s: the next key signs too early", use)
			}
			if _, err := second.Rotate(t.Context(), operator, audit.SigningKeys, keyring.Rotation{Use: use}); fault.CodeOf(err) != fault.Conflict {
				t.Errorf("%s: a second rotation: %v", use, err)
			}
		}
		if got := h.files(t); len(got) != 4+3 {
			t.Errorf("the key folder holds %v", got)
		}
		h.pass(lifetime)
		if err := second.Sweep(t.Context(), operator, audit.SigningKeys); err != nil {
			t.Fatal(err)
		}
		if got := h.files(t); len(got) != 4 {
			t.Errorf("the key folder holds %v after the sweep", got)
		}
		for _, use := range []keyring.Use{keyring.SHC, keyring.HCERT, keyring.SDJWT} {
			now := ids(t, r, use, h.clock())
			if got := sign(t, r, use, h.clock()); got.ID != now[0] || len(now) != 2 {
				t.Errorf("%s: %s signs, %v are published", use, got.ID, now)
			}
		}
	})
}

func TestWithdraw(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		r := h.open(t)
		withdraw := func(id string) {
			t.Helper()
			for range 2 { // again: nothing changes
				if err := r.Withdraw(t.Context(), operator, audit.SigningKeys, id); err != nil {
					t.Fatal(err)
				}
			}
		}
		first := sign(t, r, keyring.SHC, h.clock())
		withdraw(first.ID)
		fresh := sign(t, r, keyring.SHC, h.clock()) // somebody must sign
		if got := ids(t, r, keyring.SHC, h.clock()); !slices.Equal(got, []string{fresh.ID}) || fresh.ID == first.ID {
			t.Errorf("published %v, %s signs", got, fresh.ID)
		}
		next := rotate(t, r, keyring.Rotation{Use: keyring.SHC})
		withdraw(next.ID) // the one in force stays in force
		h.pass(lifetime + time.Second)
		if got := sign(t, r, keyring.SHC, h.clock()); got.ID != fresh.ID {
			t.Error("a key went out of use with none to follow it")
		}
		next = rotate(t, r, keyring.Rotation{Use: keyring.SHC})
		withdraw(fresh.ID) // the next one, published already, follows at once
		if got := sign(t, r, keyring.SHC, h.clock()); got.ID != next.ID {
			t.Errorf("%s signs, want the one that waited", got.ID)
		}
		last := rotate(t, r, keyring.Rotation{Use: keyring.SHC, Compromised: true})
		if got := ids(t, r, keyring.SHC, h.clock()); !slices.Equal(got, []string{last.ID}) || sign(t, r, keyring.SHC, h.clock()).ID != last.ID {
			t.Errorf("published %v", got)
		}
		if err := r.Withdraw(t.Context(), operator, audit.SigningKeys, "nobody"); fault.CodeOf(err) != fault.NotFound {
			t.Error(err)
		}
		if err := r.Sweep(t.Context(), operator, audit.SigningKeys); err != nil {
			t.Fatal(err)
		}
		if got := h.files(t); len(got) != 4 {
			t.Errorf("the key folder holds %v", got)
		}
	})
}

// borderSigner is a signer as the passport authority would certify it.
func borderSigner(t *testing.T, from, usage time.Time) *keyring.Border {
	t.Helper()
	above, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	term := vdsnc.Term{From: from, UsageUntil: usage, Until: usage.AddDate(8, 0, 0)}
	csca, err := vdsnc.NewCSCA(above, vdsnc.Name{Country: "JP", Common: "test authority"}, term)
	if err != nil {
		t.Fatal(err)
	}
	der, err := vdsnc.NewBSC(csca, above, &key.PublicKey, vdsnc.Name{Country: "JP", Common: "test signer"}, term)
	if err != nil {
		t.Fatal(err)
	}
	return &keyring.Border{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: key}
}

// A signer of the passport authority replaces the specimen at once, signs inside its usage
// period alone, and is followed by another as any key is.
func TestBorder(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		specimen := sign(t, h.open(t), keyring.VDSNC, h.clock())
		b := borderSigner(t, h.clock(), h.clock().AddDate(0, 3, 0))
		with := func(d *keyring.Deps) { d.Border = b }
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { h.open(t, with) })
		}
		all.Wait()
		r := h.open(t, with)
		k := sign(t, r, keyring.VDSNC, h.clock())
		if k.Specimen || k.ID == specimen.ID || !k.Public.Equal(&b.Key.PublicKey) {
			t.Fatalf("%+v signs", k)
		}
		end := h.clock().AddDate(0, 3, 0)
		sign(t, r, keyring.VDSNC, end)
		if _, _, err := r.Signer(t.Context(), keyring.VDSNC, end.Add(time.Second)); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "until "+end.Format(time.RFC3339)) {
			t.Errorf("after the usage period: %v", err)
		}
		if _, err := r.Rotate(t.Context(), operator, audit.SigningKeys, keyring.Rotation{Use: keyring.VDSNC}); fault.CodeOf(err) != fault.InvalidArgument {
			t.Errorf("a specimen follows a real signer: %v", err)
		}
		follower := borderSigner(t, h.clock(), h.clock().AddDate(1, 0, 0))
		next := rotate(t, r, keyring.Rotation{Use: keyring.VDSNC, Border: follower})
		if got := sign(t, r, keyring.VDSNC, h.clock()); got.ID != k.ID || !next.UseFrom.Equal(h.clock().Add(lifetime)) {
			t.Errorf("%s signs; the next %+v", got.ID, next)
		}
		third := borderSigner(t, h.clock(), h.clock().AddDate(1, 0, 0))
		h.open(t, func(d *keyring.Deps) { d.Border = third }) // the configuration names another: it has to wait
		h.pass(lifetime)
		if got := sign(t, r, keyring.VDSNC, h.clock()); got.ID != next.ID {
			t.Errorf("%s signs", got.ID)
		}
		for _, id := range []string{k.ID, next.ID} {
			if err := r.Withdraw(t.Context(), operator, audit.SigningKeys, id); err != nil {
				t.Fatal(err)
			}
		}
		h.open(t, with)                         // the configuration still names a signer that was withdrawn
		if got := len(h.files(t)); got != 3+2 { // those of the other uses and of the two signers that were in force
			t.Errorf("the key folder holds %v", h.files(t))
		}
		if k, _, err := r.Signer(t.Context(), keyring.VDSNC, h.clock()); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("%+v signs, %v", k, err)
		}
	})
}

func TestBorderThatDoesNotFit(t *testing.T) {
	h := newHall(t, storetest.Open(t, store.SQLite))
	r := h.open(t)
	good := func() *keyring.Border { return borderSigner(t, h.clock(), h.clock().AddDate(1, 0, 0)) }
	otherKey := good()
	otherKey.Key = good().Key
	noKey := good()
	noKey.Key = nil
	noToken := good()
	noToken.Key, noToken.Label = nil, "x"
	dsc := good()
	dsc.Certificate = sign(t, r, keyring.HCERT, h.clock()).Certificate
	specimen := good()
	specimen.Certificate = sign(t, r, keyring.VDSNC, h.clock()).Certificate
	for name, x := range map[string]keyring.Rotation{
		"other key": {Use: keyring.VDSNC, Border: otherKey}, "no key": {Use: keyring.VDSNC, Border: noKey}, "no token": {Use: keyring.VDSNC, Border: noToken},
		"other purpose": {Use: keyring.VDSNC, Border: dsc}, "specimen": {Use: keyring.VDSNC, Border: specimen}, "garbage": {Use: keyring.VDSNC, Border: &keyring.Border{Certificate: []byte("x"), Key: otherKey.Key}},
		"other use": {Use: keyring.SHC, Border: good()}, "no use": {Use: "x"},
	} {
		if _, err := r.Rotate(t.Context(), operator, audit.SigningKeys, x); fault.CodeOf(err) != fault.InvalidArgument && fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := h.files(t); len(got) != 4 {
		t.Errorf("the key folder holds %v", got)
	}
}

// A process that cannot use the key in force says so, and signs with no other.
func TestNoOtherKeySigns(t *testing.T) {
	h := newHall(t, storetest.Open(t, store.SQLite))
	r := h.open(t)
	k := sign(t, r, keyring.SHC, h.clock())
	path := filepath.Join(h.dir, "certificates", "shc", k.ID+".pem")
	elsewhere := t.TempDir()
	for name, spoil := range map[string]func() error{
		"on another machine": func() error { return nil },
		"others may read it": func() error { return os.Chmod(path, 0o640) },
		"another key": func() error {
			other, err := os.ReadFile(filepath.Join(h.dir, "certificates", "sdjwt", sign(t, r, keyring.SDJWT, h.clock()).ID+".pem"))
			if err != nil {
				return err
			}
			return os.WriteFile(path, other, 0o600)
		},
		"no key": func() error { return os.WriteFile(path, []byte("x"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			fresh := h.open(t, func(d *keyring.Deps) {
				if name == "on another machine" {
					d.Dir = elsewhere
				}
			})
			if _, _, err := fresh.Signer(t.Context(), keyring.SHC, h.clock()); fault.CodeOf(err) != fault.Unavailable {
				t.Errorf("error %v", err)
			}
			if err := os.WriteFile(path, before, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Inside a transaction the signer is that of the transaction; every act is in the record.
func TestInsideATransaction(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		r := h.open(t)
		want := sign(t, r, keyring.SHC, h.clock()).ID
		err := h.db.Runner().Do(t.Context(), func(ctx context.Context, x tx.Tx) error {
			k, _, err := r.SignerIn(ctx, x, keyring.SHC, h.clock())
			if err == nil && k.ID != want {
				t.Errorf("%s signs", k.ID)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		rotate(t, r, keyring.Rotation{Use: keyring.SHC})
		rotate(t, r, keyring.Rotation{Use: keyring.SHC, Compromised: true})
		if err := r.Withdraw(t.Context(), operator, audit.SigningKeys, sign(t, r, keyring.HCERT, h.clock()).ID); err != nil {
			t.Fatal(err)
		}
		if err := r.Sweep(t.Context(), operator, audit.SigningKeys); err != nil {
			t.Fatal(err)
		}
		var got []string
		err = h.db.Reads().Each(t.Context(), `SELECT action FROM audit_entry WHERE purpose = 'signing_keys' ORDER BY action`, nil, func(scan func(...any) error) error {
			var action string
			err := scan(&action)
			got = append(got, action)
			return err
		})
		acts := "key.create key.create key.create key.create key.destroy key.destroy key.rotate key.rotate_now key.withdraw"
		if err != nil || strings.Join(got, " ") != acts {
			t.Errorf("the record holds %v, %v", got, err)
		}
	})
}
