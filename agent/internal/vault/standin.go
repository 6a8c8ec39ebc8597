package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// StandInDir is the folder below the state directory of a stand-in: file, day keys and the
// key file that they are under. Whoever has the folder can open it.
const StandInDir = "stand-in"

// classFile says in keys/ what the day keys are wrapped under, for a person who looks for
// the key.
const classFile = "class"

// keyless tells that the key is what is missing.
func keyless(err error) bool { return errors.Is(err, ErrWrongKey) || errors.Is(err, ErrNoKey) }

// inUse tells whether there is anything that a key would open.
func inUse(dir string) bool {
	names, _ := filepath.Glob(filepath.Join(dir, KeysDir, "*"+keySuffix))
	return len(names) > 0 || size(filepath.Join(dir, FileName)) > 0
}

// openStandIn opens the stand-in for a file that does not open because of cause.
func openStandIn(ctx context.Context, dir string, o Options, cause error) (*Vault, error) {
	main := &Vault{path: filepath.Join(dir, FileName), opts: o}
	if err := main.lock(main.path); err != nil {
		return nil, err
	}
	there := Unopened{Path: main.path, Class: keptUnder(dir), Given: o.Key.Class(), Cause: cause}
	own, err := standIn(dir, o, (*os.File).Sync)
	if err != nil {
		main.unlock()
		return nil, errors.Join(cause, err)
	}
	v, err := openIn(ctx, filepath.Join(dir, StandInDir), own)
	if err != nil {
		main.unlock()
		return nil, errors.Join(cause, fmt.Errorf("cannot begin a stand-in: %w", err))
	}
	v.locks = append(v.locks, main.locks...)
	v.note(func(r *Report) { r.Unopened = there })
	return v, nil
}

// standIn makes the folder and its key, and gives the options that open it.
func standIn(dir string, o Options, sync func(*os.File) error) (Options, error) {
	key := KeyFile(filepath.Join(dir, StandInDir, KeyFileName))
	if err := makeFolder(filepath.Dir(string(key)), sync); err != nil {
		return o, fmt.Errorf("cannot begin a stand-in: %w", err)
	}
	if err := key.Create(o.Rand); err != nil {
		return o, fmt.Errorf("cannot begin a stand-in: %w", err)
	}
	o.Key, o.Before, o.StandIn = key, nil, false
	return o, nil
}

// OpenStandIn opens the stand-in that an earlier start left behind, for what it holds to be
// taken in; nil without an error where there is none. o are the options of the file itself.
func OpenStandIn(ctx context.Context, dir string, o Options) (*Vault, error) {
	if !exists(filepath.Join(dir, StandInDir, FileName)) {
		return nil, nil
	}
	o, err := standIn(dir, o.withDefaults(), (*os.File).Sync)
	if err != nil {
		return nil, err
	}
	v, err := openIn(ctx, filepath.Join(dir, StandInDir), o)
	if err != nil {
		return nil, fmt.Errorf("cannot open the stand-in: %w", err)
	}
	return v, nil
}

// RemoveStandIn deletes the folder of a stand-in, its key first, once all of it was taken in.
func RemoveStandIn(dir string) error {
	folder := filepath.Join(dir, StandInDir)
	for _, name := range []string{filepath.Join(folder, KeyFileName), folder} {
		if err := os.RemoveAll(name); err != nil {
			return fmt.Errorf("cannot remove the stand-in: %w", err)
		}
	}
	return syncDir(dir, (*os.File).Sync)
}

// KeepStandIn puts the folder of a stand-in aside, among the damaged files, where not all of
// it could be taken in. It holds its own key.
func KeepStandIn(dir string, now time.Time) error {
	to := filepath.Join(dir, FileName+damagedSuffix+now.UTC().Format(asideFormat)+"-"+StandInDir)
	if err := os.Rename(filepath.Join(dir, StandInDir), to); err != nil {
		return fmt.Errorf("cannot put the stand-in aside: %w", err)
	}
	return syncDir(dir, (*os.File).Sync)
}

// keptUnder reads which class the day keys were last wrapped under.
func keptUnder(dir string) Class {
	b, err := readSmall(filepath.Join(dir, KeysDir, classFile), 64)
	if err != nil {
		return ""
	}
	for _, c := range []Class{TPM2, SystemdCredential, Passphrase, OwnFile} {
		if string(c) == strings.TrimSpace(string(b)) {
			return c
		}
	}
	return ""
}

// noteClass writes what the day keys in a folder are wrapped under. It is a help and no more,
// so nothing waits for it to be durable.
func noteClass(keys string, c Class) {
	if keptUnder(filepath.Dir(keys)) != c && exists(keys) {
		_ = os.WriteFile(filepath.Join(keys, classFile), []byte(c+"\n"), 0o600)
	}
}

// Shelves lists the names of all shelves that hold something.
func (v *Vault) Shelves() (names []string, err error) {
	err = v.View(func(tx *bbolt.Tx) error {
		names = nil
		return tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			if shelf, ok := strings.CutPrefix(string(name), shelfBucket("")); ok {
				names = append(names, shelf)
			}
			return nil
		})
	})
	return names, err
}
