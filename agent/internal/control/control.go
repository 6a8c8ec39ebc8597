// Package control is how other programs of the same person speak with a running agent: one
// line of JSON there and one back over a socket in the terminal's own folder.
//
// Only the agent's own user, the superuser and the members of one configured group are
// heard. The socket's mode says so to the kernel, and on Linux the kernel is asked once more
// who calls. It is never a way in from another machine.
package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"madoguchi.example/shared/fault"
)

// Limits.
const (
	MaxRequest = 4 << 10 // bytes of one line
	MaxReply   = 1 << 20
	// Patience bounds how long a caller may take to say its line, and to take the answer.
	Patience = 5 * time.Second
	// MaxCallers are served at once; others wait.
	MaxCallers = 16
)

// SocketName is the socket's name in the terminal's folder, where no other path is set.
const SocketName = "control.sock"

// Peer is who calls. Known is false where the system does not tell; then the socket's mode
// alone has decided.
type Peer struct {
	Known    bool
	UID, GID int
	PID      int
}

// Act is one thing that can be asked for. args is JSON or empty; what it gives is encoded.
// Its error is told to the caller as a fault's code and message.
type Act func(ctx context.Context, peer Peer, args json.RawMessage) (any, error)

// request and reply are the lines.
type request struct {
	Do   string          `json:"do"`
	Args json.RawMessage `json:"args,omitempty"`
}

type reply struct {
	OK    json.RawMessage `json:"ok,omitempty"`
	Error *refusal        `json:"error,omitempty"`
}

type refusal struct {
	Code    fault.Code `json:"code"`
	Message string     `json:"message"`
}

// Server answers on one socket.
type Server struct {
	ln    *net.UnixListener
	path  string
	group int // -1: none
	log   *slog.Logger
}

// Listen opens the socket at path, which is made anew. Its folder is made where it is
// missing and belongs to the agent's user alone; with a group its members may pass through.
// log may be nil.
func Listen(path, group string, log *slog.Logger) (*Server, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	gid, err := groupID(group)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	if err := ownFolder(dir, gid); err != nil {
		return nil, err
	}
	if c, err := dial(context.Background(), path); err == nil {
		_ = c.Close()
		return nil, fault.At(fault.Conflict, "desk.control", "another agent answers there already")
	}
	// It is made in a folder that nobody else may enter and moved in when its mode is right.
	inner, err := os.MkdirTemp(dir, ".control-")
	if err != nil {
		return nil, fmt.Errorf("cannot open the control socket: %w", err)
	}
	defer func() { _ = os.RemoveAll(inner) }()
	ln, err := listen(filepath.Join(inner, "s"))
	if err != nil {
		return nil, fmt.Errorf("cannot open the control socket: %w", err)
	}
	ln.SetUnlinkOnClose(false)
	mode := os.FileMode(0o600)
	if gid >= 0 {
		mode = 0o660
		err = os.Chown(filepath.Join(inner, "s"), -1, gid)
	}
	err = errors.Join(err, os.Chmod(filepath.Join(inner, "s"), mode), os.Rename(filepath.Join(inner, "s"), path))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the control socket: %w", err), ln.Close())
	}
	return &Server{ln: ln, path: path, group: gid, log: log}, nil
}

// Serve answers until ctx ends, then removes the socket.
func (s *Server) Serve(ctx context.Context, acts map[string]Act) error {
	stop := context.AfterFunc(ctx, func() { _ = s.ln.Close() })
	defer stop()
	defer func() { _ = os.Remove(s.path) }()
	slots := make(chan struct{}, MaxCallers)
	var callers sync.WaitGroup
	defer callers.Wait()
	for {
		conn, err := s.accept(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the control socket failed: %w", err)
		}
		slots <- struct{}{}
		callers.Go(func() {
			defer func() { <-slots }()
			s.answer(ctx, conn, acts)
		})
	}
}

// acceptAgain is how long to wait where the system has no room for a caller.
const acceptAgain = 200 * time.Millisecond

// accept waits for a caller. That the system has no more files or memory passes.
func (s *Server) accept(ctx context.Context) (*net.UnixConn, error) {
	for {
		conn, err := s.ln.AcceptUnix()
		if err == nil || !full(err) {
			return conn, err
		}
		s.log.Warn("a caller of the control socket waits", "error", err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(acceptAgain):
		}
	}
}

// full tells that the system has too little of something for now.
func full(err error) bool {
	return slices.ContainsFunc([]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED}, func(e error) bool {
		return errors.Is(err, e)
	})
}

// answer takes one line and gives one.
func (s *Server) answer(ctx context.Context, conn *net.UnixConn, acts map[string]Act) {
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	patience := time.AfterFunc(Patience, func() { _ = conn.Close() })
	defer patience.Stop()
	line, err := readLine(conn, MaxRequest)
	peer, unknown := peerOf(conn)
	if unknown != nil || !s.mayCall(peer) {
		s.log.Warn("another user tried the control socket", "uid", peer.UID, "pid", peer.PID)
		say(conn, nil, fault.New(fault.Forbidden, "this user may not use the desk of this terminal"))
		return
	}
	if err != nil {
		say(conn, nil, err)
		return
	}
	var q request
	if err := json.Unmarshal(line, &q); err != nil {
		say(conn, nil, fault.New(fault.InvalidArgument, "the request is not one line of JSON"))
		return
	}
	act, ok := acts[q.Do]
	if !ok {
		say(conn, nil, fault.New(fault.NotFound, "there is no such act"))
		return
	}
	go func() { // a caller that goes away is not waited for
		_, _ = io.Copy(io.Discard, io.LimitReader(conn, MaxRequest))
		cancel()
	}()
	patience.Stop()
	out, err := act(ctx, peer, q.Args)
	patience.Reset(Patience)
	say(conn, out, err)
}

// mayCall tells whether the caller is the agent's own user, the superuser or of the group.
func (s *Server) mayCall(p Peer) bool {
	if !p.Known {
		return true
	}
	return p.UID == os.Geteuid() || p.UID == 0 || (s.group >= 0 && inGroup(p, s.group))
}

func say(w io.Writer, out any, err error) {
	var r reply
	if err == nil {
		r.OK, err = json.Marshal(out)
	}
	if err != nil {
		r = reply{Error: &refusal{Code: fault.CodeOf(err), Message: "cannot do this now"}}
		if e, ok := errors.AsType[*fault.Error](err); ok {
			r.Error.Message = e.Message
		}
	}
	line, err := json.Marshal(r)
	if err != nil {
		return
	}
	_, _ = w.Write(append(line, '\n'))
}

// readLine reads up to a line end and refuses more than limit bytes.
func readLine(r io.Reader, limit int64) ([]byte, error) {
	line, err := bufio.NewReader(io.LimitReader(r, limit+1)).ReadBytes('\n')
	if int64(len(line)) > limit {
		return nil, fault.At(fault.TooLarge, "line", "is longer than %d bytes", limit)
	}
	if err != nil {
		return nil, fault.Wrap(fault.InvalidArgument, err, "the line does not end")
	}
	return bytes.TrimSpace(line), nil
}

// Call asks the agent at path and decodes its answer into out, which may be nil. Where no
// agent listens the error is Unavailable.
func Call(ctx context.Context, path, do string, args, out any) error {
	q := request{Do: do}
	if args != nil {
		raw, err := json.Marshal(args)
		if err != nil {
			return fmt.Errorf("cannot ask the agent: %w", err)
		}
		q.Args = raw
	}
	line, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("cannot ask the agent: %w", err)
	}
	conn, err := dial(ctx, path)
	switch {
	case errors.Is(err, os.ErrPermission):
		return fault.Wrap(fault.Forbidden, err, "this user may not speak with the agent: be its user, or of the group in desk.control_group")
	case err != nil:
		return fault.Wrap(fault.Unavailable, err, "no agent answers: start it with `madoguchi-agent run`")
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	var r reply
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the agent went away")
	}
	answer, err := readLine(conn, MaxReply)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the agent went away")
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return fault.Wrap(fault.Internal, err, "the agent's answer is not JSON")
	}
	if r.Error != nil {
		return fault.New(r.Error.Code, r.Error.Message)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(r.OK, out); err != nil {
		return fault.Wrap(fault.Internal, err, "the agent's answer is of another kind")
	}
	return nil
}
