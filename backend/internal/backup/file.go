package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"filippo.io/age"

	"madoguchi.example/shared/fault"
)

// sealed begins every age file.
const sealed = "age-encryption.org/"

var (
	errSealed = fault.New(fault.InvalidArgument, "the backup is sealed: name the identity it was sealed to")
	errKey    = fault.New(fault.InvalidArgument, "the identity does not open this backup")
)

// Create writes a backup to path: under another name first, then synced, read back and
// checked, and only then given its name. Nothing at path is overwritten. To is whom it is
// sealed to; nil leaves it open.
//
// What was sealed cannot be read back by us: the file is sealed to a second identity as
// well, which is made for this call and forgotten at its end.
func Create(ctx context.Context, path string, to age.Recipient, head Head, src Source) (Manifest, error) {
	if _, err := os.Lstat(path); err == nil {
		return Manifest{}, fault.New(fault.Conflict, "cannot write the backup: there is a file of that name")
	}
	sweep(filepath.Dir(path))
	f, err := begin(filepath.Dir(path))
	if err != nil {
		return Manifest{}, fmt.Errorf("cannot write the backup: %w", err)
	}
	defer os.Remove(f.Name()) // it has another name by then, or is of no use
	m, err := fill(ctx, f, to, head, src)
	if err != nil {
		return m, err
	}
	if err := name(f.Name(), path); err != nil {
		return m, fmt.Errorf("cannot name the backup: %w", err)
	}
	return m, syncFolder(filepath.Dir(path))
}

// unfinished begins the name of a file that is being written.
const unfinished = ".backup-"

// begin makes a file that nobody takes for a backup. It is locked for as long as it is open.
func begin(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, unfinished+"*") // mode 0600
	if err != nil {
		return nil, err
	}
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) // where locks are not known, sweep finds none either
	return f, nil
}

// sweep removes what backups that were killed left behind: files that nobody writes.
func sweep(dir string) {
	left, err := filepath.Glob(filepath.Join(dir, unfinished+"*"))
	if err != nil {
		return
	}
	for _, path := range left {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.Remove(path)
		}
		_ = f.Close()
	}
}

// link is os.Link, which not every file system of a network share or a stick has.
var link = os.Link

// name gives the file its name, and overwrites none.
func name(from, path string) error {
	err := link(from, path)
	if !errors.Is(err, syscall.EPERM) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	mine, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(mine.Close(), os.Rename(from, path))
}

// fill writes f, closes it and checks it.
func fill(ctx context.Context, f *os.File, to age.Recipient, head Head, src Source) (Manifest, error) {
	var own *age.X25519Identity
	m, err := func() (Manifest, error) {
		out := bufio.NewWriterSize(f, 1<<20)
		w, err := seal(out, to, &own)
		if err != nil {
			return Manifest{}, fmt.Errorf("cannot seal the backup: %w", err)
		}
		m, err := Write(ctx, w, head, src)
		if err != nil {
			return m, err
		}
		return m, errors.Join(w.Close(), out.Flush(), f.Sync())
	}()
	if err := errors.Join(err, f.Close()); err != nil {
		return m, err
	}
	var ids []age.Identity
	if own != nil {
		ids = append(ids, own)
	}
	again, err := Verify(ctx, f.Name(), ids...)
	if err != nil {
		return m, fmt.Errorf("what was written does not read back: %w", err)
	}
	if again.Rows != m.Rows || !slices.Equal(again.Tables, m.Tables) {
		return m, errors.New("cannot prove the backup: what was written reads back otherwise")
	}
	return m, nil
}

type open struct{ io.Writer }

// Close implements io.Closer.
func (open) Close() error { return nil }

func seal(w io.Writer, to age.Recipient, own **age.X25519Identity) (io.WriteCloser, error) {
	if to == nil {
		return open{w}, nil
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	*own = id
	return age.Encrypt(w, to, id.Recipient())
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot sync the folder: %w", err)
	}
	err = errors.Join(d.Sync(), d.Close())
	if err != nil {
		return fmt.Errorf("cannot sync the folder: %w", err)
	}
	return nil
}

// Verify proves the file at path, with the identities that may open its seal.
func Verify(ctx context.Context, path string, ids ...age.Identity) (Manifest, error) {
	f, err := Open(path, ids...)
	if err != nil {
		return Manifest{}, err
	}
	m, err := Check(ctx, f)
	return m, errors.Join(err, f.Close())
}

// Opened is a file whose seal is open.
type Opened struct {
	io.Reader
	file *os.File
}

// Close closes the file.
func (o *Opened) Close() error { return o.file.Close() }

// Open opens the file at path, and its seal where it has one.
func Open(path string, ids ...age.Identity) (*Opened, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the backup: %w", err)
	}
	in := bufio.NewReaderSize(f, 1<<20)
	o := &Opened{Reader: in, file: f}
	start, _ := in.Peek(len(sealed)) // a shorter file is refused by its magic
	if string(start) != sealed {
		return o, nil
	}
	if len(ids) == 0 {
		return nil, errors.Join(errSealed, f.Close())
	}
	if o.Reader, err = age.Decrypt(in, ids...); err != nil {
		return nil, errors.Join(errKey, f.Close())
	}
	return o, nil
}
