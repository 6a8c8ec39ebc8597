package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Command is one program to be started.
type Command struct {
	Name string // for messages and the log file
	Path string
	Args []string
	Env  []string  // besides this process's own; MADOGUCHI_ variables of its own are left out
	Log  io.Writer // gets every line of stdout and stderr; may be nil
}

// Process is a running program. Its methods are safe for concurrent use.
type Process struct {
	Name string
	cmd  *exec.Cmd
	out  *lineLog
	done chan struct{}
	err  error // valid after done
}

// environment is this process's without settings for the programs, plus more.
func environment(more []string) []string {
	var out []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "MADOGUCHI_") {
			out = append(out, v)
		}
	}
	return append(out, more...)
}

// Start starts the program in a process group of its own, which the kernel kills when
// this process dies.
func Start(c Command) (*Process, error) {
	p := &Process{Name: c.Name, out: newLineLog(c.Log), done: make(chan struct{})}
	p.cmd = exec.Command(c.Path, c.Args...)
	p.cmd.Env = environment(c.Env)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.SysProcAttr = ownGroup()
	p.cmd.WaitDelay = 5 * time.Second
	if err := onLastingThread(p.cmd.Start); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", c.Name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
		p.out.end()
	}()
	return p, nil
}

// Run runs the program to its end and gives what it wrote to stdout and its exit status.
// The error tells that it could not run or was killed, with what it wrote to stderr.
func Run(ctx context.Context, c Command) (stdout []byte, status int, err error) {
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Env = environment(c.Env)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err = onLastingThread(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if c.Log != nil {
		_, _ = c.Log.Write(append(out.Bytes(), errs.Bytes()...)) // the log is for reading afterwards
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return out.Bytes(), exit.ExitCode(), nil
	}
	if err != nil {
		return out.Bytes(), -1, fmt.Errorf("cannot run %s: %w\n%s", c.Name, err, errs.Bytes())
	}
	return out.Bytes(), 0, nil
}

// RunWell does Run and makes every status but 0 an error.
func RunWell(ctx context.Context, c Command) ([]byte, error) {
	var log bytes.Buffer
	if c.Log == nil {
		c.Log = &log
	} else {
		c.Log = io.MultiWriter(c.Log, &log)
	}
	out, status, err := Run(ctx, c)
	if err == nil && status != 0 {
		err = fmt.Errorf("%s ended with status %d:\n%s", c.Name, status, log.Bytes())
	}
	return out, err
}

// Listening waits until the program has said where it listens, and gives the address.
func (p *Process) Listening(ctx context.Context) (string, error) {
	select {
	case <-p.out.listening:
		return p.out.address(), nil
	case <-p.done:
		return "", fmt.Errorf("%s ended before it listened: %w\n%s", p.Name, p.Err(), p.Output())
	case <-ctx.Done():
		return "", fmt.Errorf("%s does not listen: %w\n%s", p.Name, ctx.Err(), p.Output())
	}
}

// Said waits until a line of the program's output contains text.
func (p *Process) Said(ctx context.Context, text string) error {
	seen := p.out.waitFor(text)
	select {
	case <-seen:
		return nil
	case <-p.done:
		return fmt.Errorf("%s ended before it said %q", p.Name, text)
	case <-ctx.Done():
		return fmt.Errorf("%s did not say %q: %w", p.Name, text, ctx.Err())
	}
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err tells how the program ended; nil while it runs and after a good end.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Pid gives the program's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Output gives the last MiB of what the program wrote.
func (p *Process) Output() string { return p.out.text() }

// Kill ends the program and everything it started at once (SIGKILL) and waits for its end.
func (p *Process) Kill() {
	_ = killGroup(p.Pid(), syscall.SIGKILL) // it may have ended by itself
	<-p.done
}

// Stop asks the program to end (SIGTERM) and kills it when it has not within grace.
func (p *Process) Stop(grace time.Duration) error {
	_ = killGroup(p.Pid(), syscall.SIGTERM) // it may have ended by itself
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("%s did not end within %s and was killed", p.Name, grace)
	}
}

// maxKept is how much of a program's output is kept in memory.
const maxKept = 1 << 20

// lineLog keeps output, copies it, and finds the line that says where the program listens.
type lineLog struct {
	listening chan struct{}

	mu      sync.Mutex
	kept    []byte
	line    []byte
	copy    io.Writer
	bound   string
	waiting map[string]chan struct{}
}

func newLineLog(w io.Writer) *lineLog {
	return &lineLog{listening: make(chan struct{}), copy: w, waiting: map[string]chan struct{}{}}
}

// Write takes a piece of output.
func (l *lineLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, b...)
	if over := len(l.kept) - maxKept; over > 0 {
		l.kept = append(l.kept[:0], l.kept[over:]...)
	}
	if l.copy != nil {
		_, _ = l.copy.Write(b) // the program must not stop because its log cannot be copied
	}
	l.line = append(l.line, b...)
	for {
		i := bytes.IndexByte(l.line, '\n')
		if i < 0 {
			return len(b), nil
		}
		l.take(l.line[:i])
		l.line = l.line[i+1:]
	}
}

// take looks at one line. The caller holds the lock.
func (l *lineLog) take(line []byte) {
	for text, seen := range l.waiting {
		if bytes.Contains(line, []byte(text)) {
			close(seen)
			delete(l.waiting, text)
		}
	}
	var said struct{ Msg, Address string }
	if l.bound == "" && json.Unmarshal(line, &said) == nil && said.Msg == "listening" && said.Address != "" {
		l.bound = said.Address
		close(l.listening)
	}
}

func (l *lineLog) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.line) > 0 {
		l.take(l.line)
		l.line = nil
	}
}

func (l *lineLog) waitFor(text string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if bytes.Contains(l.kept, []byte(text)) {
		seen := make(chan struct{})
		close(seen)
		return seen
	}
	if l.waiting[text] == nil {
		l.waiting[text] = make(chan struct{})
	}
	return l.waiting[text]
}

func (l *lineLog) address() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bound
}

func (l *lineLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.kept)
}

// logFile opens a log file in dir for appending.
func logFile(dir, name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the log of %s: %w", name, err)
	}
	return f, nil
}
