package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startLimit is how long a server may take until it answers.
const startLimit = 60 * time.Second

// keeper runs the server and ends it, and its files, when its standard input ends: that is
// when the test process ends, in whatever way. Nothing has to be called for it.
const keeper = `
trap '' INT TERM HUP
postgres -D "$1/data" -k "$1" -c listen_addresses= >"$1/log" 2>&1 &
pid=$!
echo started
exec >&- 2>&-
read line
kill -QUIT $pid
wait $pid
rm -rf "$1"
`

// DurableVariable lets the own server commit durably, as one in use does: for benchmarks.
const DurableVariable = "MADOGUCHI_TEST_POSTGRES_DURABLE"

const (
	settings = `
max_connections = 400
shared_buffers = 64MB
autovacuum = off
`
	hasty = `
fsync = off
synchronous_commit = off
full_page_writes = off
`
)

// configuration is what the own server adds to the defaults.
func configuration() string {
	if os.Getenv(DurableVariable) != "" {
		return settings
	}
	return settings + hasty
}

// startServer starts a PostgreSQL server of this process's own on a Unix socket and gives
// the DSN of its administrator.
func startServer() (string, error) {
	bin, err := programs()
	if err != nil {
		return "", err
	}
	who, err := account()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("/tmp", "madoguchi-pg-")
	if err != nil {
		return "", err
	}
	who.bin = bin
	dsn, err := who.start(dir)
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dsn, nil
}

// owner is the account that the server runs as; nil attributes mean our own.
type owner struct {
	credential *syscall.Credential
	bin        string // folder of the server's programs, "" where they are on PATH
}

// programs finds the folder of PostgreSQL's programs: on PATH, or where Debian puts them.
func programs() (dir string, err error) {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err = exec.LookPath(name); err != nil {
			break
		}
	}
	if err == nil {
		return "", nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("initdb and postgres are neither on PATH nor below /usr/lib/postgresql")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// account chooses the account: the server refuses to run as root.
func account() (owner, error) {
	if os.Geteuid() != 0 {
		return owner{}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return owner{}, errors.New("the tests run as root and there is no user postgres to run the server as")
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return owner{}, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return owner{}, err
	}
	return owner{credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

func (o owner) command(dir, name string, args ...string) *exec.Cmd {
	if o.bin != "" && name == "initdb" {
		name = filepath.Join(o.bin, name)
	}
	c := exec.Command(name, args...)
	c.Dir = dir
	if o.bin != "" {
		c.Env = append(os.Environ(), "PATH="+o.bin+":"+os.Getenv("PATH"))
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: o.credential}
	return c
}

func (o owner) start(dir string) (string, error) {
	if o.credential != nil {
		if err := os.Chown(dir, int(o.credential.Uid), int(o.credential.Gid)); err != nil {
			return "", err
		}
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", err
	}
	data := filepath.Join(dir, "data")
	init := o.command(dir, "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
		"--locale=C", "--no-sync", "--no-instructions")
	if out, err := init.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb failed: %w: %s", err, bytes.TrimSpace(out))
	}
	if err := appendFile(filepath.Join(data, "postgresql.conf"), configuration()); err != nil {
		return "", err
	}
	if err := o.keep(dir); err != nil {
		return "", err
	}
	dsn := "postgres:///postgres?host=" + dir + "&user=postgres"
	return dsn, await(dsn, filepath.Join(dir, "log"))
}

// keep starts the keeper. The pipe's other end is this process's: it is never closed here.
func (o owner) keep(dir string) error {
	c := o.command(dir, "sh", "-c", keeper, "keeper", dir)
	lifeline, err := c.StdinPipe()
	if err != nil {
		return err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	lifelines = append(lifelines, lifeline)
	_, err = io.ReadFull(out, make([]byte, len("started\n")))
	return err
}

// lifelines keeps the pipes from being collected, and so closed, while the process lives.
var lifelines []io.Closer

// await asks until the server answers.
func await(dsn, log string) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			said, _ := os.ReadFile(log)
			return fmt.Errorf("the server did not start: %w: %s", err, strings.TrimSpace(string(said)))
		case <-again.C:
		}
	}
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
