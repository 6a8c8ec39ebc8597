package terminal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"

	"madoguchi.example/firmware-config/profile"
	"madoguchi.example/shared/cert/verify"
	"madoguchi.example/shared/fault"
	"madoguchi.example/shared/trust"
	"madoguchi.example/shared/wire"
)

// Enrol makes the terminal's keys, where they are not there yet, and enrols it with a
// one-time code. A state directory that is enrolled already is fault.Conflict. Enrolling
// again after a failure uses the same keys.
func Enrol(ctx context.Context, backend, code string, o Options) (*Terminal, error) {
	if err := enrol(ctx, backend, code, o); err != nil {
		return nil, fmt.Errorf("cannot enrol: %w", err)
	}
	o.Backend = backend
	return Load(o)
}

func enrol(ctx context.Context, backend, code string, o Options) error {
	o.Backend = backend
	t, err := connect(o)
	if err != nil {
		return err
	}
	if exists(filepath.Join(o.StateDir, stateFile)) {
		return fault.New(fault.Conflict, "this terminal is enrolled already")
	}
	if err := os.MkdirAll(o.StateDir, 0o700); err != nil {
		return fmt.Errorf("cannot make the state directory: %w", err)
	}
	if err := t.makeKeys(); err != nil {
		return err
	}
	jwk, err := publicJWK(t.sign)
	if err != nil {
		return err
	}
	body, err := json.Marshal(wire.Enrolment{Code: strings.TrimSpace(code), PublicKey: jwk, Recipient: t.Recipient()})
	if err != nil {
		return err
	}
	r, err := t.do(ctx, call{
		method: http.MethodPost, path: "/terminal/v1/enrol", contentType: "application/json",
		body: body, limit: wire.MaxEnrolmentBytes,
	})
	if err != nil {
		return err
	}
	e, err := wire.DecodeEnrolled(r.body)
	if err != nil {
		return err
	}
	return writeJSON(filepath.Join(o.StateDir, stateFile), State{
		Terminal: e.Terminal, Office: e.Office, Backend: t.base.String(),
		TokenAudience: e.TokenAudience, EnrolledAt: o.Now().UTC(),
	})
}

// Send delivers a batch and gives the backend's word on each of its records. Version,
// Terminal and SentAt are filled in here.
func (t *Terminal) Send(ctx context.Context, b wire.Batch) (wire.Receipt, error) {
	b.Version, b.Terminal, b.SentAt = wire.Version, t.ID(), t.opts.Now().UTC()
	body, err := wire.EncodeBatch(b)
	if err != nil {
		return wire.Receipt{}, err
	}
	c := call{
		method: http.MethodPost, path: "/terminal/v1/batches", contentType: wire.BatchContentType,
		body: body, limit: wire.MaxReceiptBytes,
	}
	if len(b.Records) > 0 { // a beat is never refused for what waits behind it
		c.waiting = len(b.Records) + b.Behind
	}
	r, err := t.authorised(ctx, c)
	if err != nil {
		return wire.Receipt{}, err
	}
	return wire.DecodeReceipt(r.body)
}

// Answers gives the answers after cursor, waiting up to wait (whole seconds) for one.
func (t *Terminal) Answers(ctx context.Context, after uint64, wait time.Duration) (wire.Answers, error) {
	r, err := t.authorised(ctx, call{
		method: http.MethodGet, path: "/terminal/v1/answers", limit: wire.MaxAnswersBytes,
		query: url.Values{
			"after": {strconv.FormatUint(after, 10)},
			"wait":  {strconv.FormatInt(int64(wait/time.Second), 10)},
		},
		timeout: wait + t.opts.Timeout,
	})
	if err != nil {
		return wire.Answers{}, err
	}
	return wire.DecodeAnswers(r.body)
}

// CanReach tells whether the backend answers this terminal now: nil, or why not.
func (t *Terminal) CanReach(ctx context.Context) error {
	_, err := t.RefreshProfile(ctx)
	return err
}

type storedProfile struct {
	ETag    string          `json:"etag"`
	Profile profile.Profile `json:"profile"`
}

func (t *Terminal) readProfile() error {
	var p storedProfile
	err := readJSON(filepath.Join(t.opts.StateDir, profileFile), &p)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	t.profile = p
	return nil
}

// RefreshProfile asks for the profile and keeps it, on disk as well, if it is a new one.
func (t *Terminal) RefreshProfile(ctx context.Context) (changed bool, err error) {
	t.mu.Lock()
	etag := t.profile.ETag
	t.mu.Unlock()
	r, err := t.authorised(ctx, call{method: http.MethodGet, path: "/terminal/v1/profile", etag: etag, limit: maxProfile})
	if err != nil || r.status == http.StatusNotModified {
		return false, err
	}
	p := storedProfile{ETag: r.etag}
	if json.Unmarshal(r.body, &p.Profile) != nil {
		return false, fault.At(fault.InvalidArgument, "profile", "the profile cannot be read")
	}
	if p.Profile.Terminal != t.ID() {
		return false, fault.At(fault.InvalidArgument, "profile.terminal", "the profile is another terminal's")
	}
	for i, payer := range p.Profile.Payers {
		if _, err := age.ParseX25519Recipient(payer.Recipient); err != nil {
			return false, fault.At(fault.InvalidArgument, fmt.Sprintf("profile.payers[%d].recipient", i), "nothing can be sealed to it")
		}
	}
	if err := writeJSON(filepath.Join(t.opts.StateDir, profileFile), p); err != nil {
		return false, err
	}
	t.mu.Lock()
	t.profile = p
	t.mu.Unlock()
	return true, nil
}

// bundle is the trust bundle in use; its folder is below trustFolder.
type bundle struct {
	Folder    string    `json:"folder"`
	ETag      string    `json:"etag"`
	FetchedAt time.Time `json:"fetched_at"`
	snapshot  trust.Snapshot
}

func (t *Terminal) trustPath(name string) string {
	return filepath.Join(t.opts.StateDir, trustFolder, name)
}

func (t *Terminal) readCurrentTrust() error {
	var b bundle
	if err := readJSON(t.trustPath("current.json"), &b); err != nil {
		return err
	}
	if _, err := strconv.ParseUint(b.Folder, 10, 64); err != nil {
		return errors.New("cannot read the trust bundle: its folder is not a number")
	}
	var err error
	if b.snapshot, err = verify.LoadTrust(os.DirFS(t.trustPath(b.Folder))); err != nil {
		return err
	}
	t.bundle = b
	return nil
}

// RefreshTrust asks for the trust bundle and uses it, if it is a new one that can be
// read. One that cannot leaves the one in use as it is.
func (t *Terminal) RefreshTrust(ctx context.Context) (changed bool, err error) {
	t.mu.Lock()
	etag := t.bundle.ETag
	t.mu.Unlock()
	r, err := t.authorised(ctx, call{method: http.MethodGet, path: "/terminal/v1/trust", etag: etag, limit: maxTrust})
	if err != nil || r.status == http.StatusNotModified {
		return false, err
	}
	fsys, err := trust.ReadTar(bytes.NewReader(r.body))
	if err != nil {
		return false, fault.Wrap(fault.InvalidArgument, err, "the trust bundle cannot be unpacked")
	}
	b := bundle{ETag: r.etag, FetchedAt: t.opts.Now().UTC()}
	if b.snapshot, err = verify.LoadTrust(fsys); err != nil {
		return false, fault.Wrap(fault.InvalidArgument, err, "the trust bundle cannot be used")
	}
	if b.snapshot.AsOf().IsZero() { // an empty answer would be one, and would never grow old
		return false, fault.At(fault.InvalidArgument, "trust", "the trust bundle does not say when it was made")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	previous := t.bundle.Folder
	if b.Folder, err = t.unpack(fsys); err != nil {
		return false, err
	}
	if err := writeJSON(t.trustPath("current.json"), b); err != nil {
		return false, err
	}
	t.bundle = b
	t.sweepTrust(b.Folder, previous)
	return true, nil
}

// plainName is what a file or folder of a bundle may be called on every system.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// unpack writes the bundle into a folder of its own, whose name is the next number.
func (t *Terminal) unpack(fsys fs.FS) (folder string, err error) {
	next := uint64(1)
	for _, name := range t.trustFolders() {
		if n, err := strconv.ParseUint(name, 10, 64); err == nil {
			next = max(next, n+1)
		}
	}
	folder = strconv.FormatUint(next, 10)
	tmp := t.trustPath("new")
	if err := errors.Join(os.RemoveAll(tmp), os.MkdirAll(tmp, 0o700)); err != nil {
		return "", fmt.Errorf("cannot unpack the trust bundle: %w", err)
	}
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if !plainName.MatchString(d.Name()) || strings.Count(name, "/") > 4 {
			return fault.At(fault.InvalidArgument, "trust", "the bundle holds a name that is not plain")
		}
		to := filepath.Join(tmp, filepath.FromSlash(name))
		if d.IsDir() {
			return os.Mkdir(to, 0o700)
		}
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		return writeFile(to, b)
	})
	if err == nil {
		err = os.Rename(tmp, t.trustPath(folder))
	}
	if err != nil {
		return "", fmt.Errorf("cannot unpack the trust bundle: %w", errors.Join(err, os.RemoveAll(tmp)))
	}
	return folder, nil
}

func (t *Terminal) trustFolders() []string {
	entries, err := os.ReadDir(filepath.Join(t.opts.StateDir, trustFolder))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// sweepTrust removes folders no longer used. The previous one stays, for a reader that
// still has it open.
func (t *Terminal) sweepTrust(keep ...string) {
	for _, name := range t.trustFolders() {
		if !slices.Contains(keep, name) {
			if err := os.RemoveAll(t.trustPath(name)); err != nil {
				t.log().Warn("an old trust bundle cannot be removed", "error", err)
			}
		}
	}
}
