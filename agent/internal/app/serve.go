package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"madoguchi.example/agent/internal/control"
	"madoguchi.example/agent/internal/metrics"
)

// Bounds of the desk's servers and of how the agent ends.
const (
	headerTimeout = 5 * time.Second
	drainTimeout  = 3 * time.Second
	controlEvery  = 10 * time.Second // between tries to open the control socket on a bad disk
)

// site is one address at which a desk is served.
type site struct {
	net.Listener
	handler http.Handler
}

// address is what is known of a listener once it listens; "" before and without it.
type address struct {
	mu  sync.Mutex
	url string
}

func (a *address) set(listens string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.url = "http://" + listens
}

func (a *address) get() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.url
}

// serve runs the desk, its socket and all that works beside it until ctx ends or the desk
// fails.
func (a *agent) serve(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	desk, err := net.Listen("tcp", a.config.Desk.Listen)
	if err != nil {
		return fmt.Errorf("cannot open the desk: %w", err)
	}
	socket, err := a.listenControl()
	switch {
	case err != nil && !diskTakesNothing(err):
		return errors.Join(err, desk.Close())
	case err != nil:
		a.log.Error("nobody new can open the desk: the control socket cannot be opened", "error", err)
	}
	var work sync.WaitGroup
	work.Go(func() { a.control(ctx, socket, desk.Addr().String()) })
	sites := append([]site{{desk, patient(a.door.Wrap(a.handler), callTime)}}, a.more()...)
	a.opened(desk.Addr().String())
	a.reconcile(ctx)
	work.Go(func() { _ = a.uplink.Run(ctx) })
	work.Go(func() { a.refresh(ctx) })
	work.Go(func() { a.runBeside(ctx) })
	work.Go(func() { _ = a.door.Run(ctx) })
	work.Go(func() { _ = a.rounds.Run(ctx) })
	work.Go(func() { a.lookAfter(ctx) })
	err = serveSites(ctx, sites, a.log)
	stop()
	work.Wait()
	return err
}

func (a *agent) listenControl() (*control.Server, error) {
	socket, err := control.Listen(controlPath(a.config), a.config.Desk.ControlGroup, a.log)
	if err != nil {
		return nil, fmt.Errorf("desk.control: %w", err)
	}
	return socket, nil
}

// diskTakesNothing tells a full, read-only or failing disk from a wrong setting. It keeps
// nobody from the desk: what waits is still sent, and who is signed in still sees it.
func diskTakesNothing(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EIO)
}

// control answers on the socket, opening it as soon as the disk lets it.
func (a *agent) control(ctx context.Context, socket *control.Server, desk string) {
	again := time.NewTicker(controlEvery)
	defer again.Stop()
	for socket == nil {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
		socket, _ = a.listenControl() // the log has said why
	}
	if err := socket.Serve(ctx, a.allActs(desk)); err != nil {
		a.log.Error("the desk can not be opened any more", "error", err)
	}
}

// opened tells where the desk listens.
func (a *agent) opened(address string) {
	if err := os.WriteFile(filepath.Join(a.config.StateDir, "address"), []byte(address+"\n"), 0o600); err != nil {
		a.log.Warn("the desk's address could not be written", "error", err) // a full disk keeps nobody from the desk
	}
	a.log.Info("listening", "address", address, "terminal", a.terminal.ID(), "version", a.world.Version)
}

// more opens what else is served: the desk for the clinic's other PCs and the one for
// practising. One that cannot be opened keeps nobody from the desk itself.
func (a *agent) more() []site {
	var all []site
	if listen := a.config.Desk.LAN.Listen; listen != "" {
		ln, err := net.Listen("tcp", listen)
		if err != nil {
			a.log.Error("other PCs cannot open the desk", "key", "desk.lan.listen", "error", err)
		} else {
			a.log.Info("listening on the network", "address", ln.Addr().String())
			all = append(all, site{tls.NewListener(bounded(ln, maxCallers, maxOfAddress), a.lan.TLS()), patient(a.door.WrapLAN(a.handler), callTime)})
		}
	}
	if listen := a.config.Desk.PracticeListen; listen != "" {
		ln, err := net.Listen("tcp", listen)
		if err != nil {
			a.log.Warn("there is no desk for practising", "key", "desk.practice_listen", "error", err)
		} else {
			a.practice.address.set(ln.Addr().String())
			a.log.Info("listening for practice", "address", ln.Addr().String())
			all = append(all, site{ln, patient(a.practice.handler, callTime)})
		}
	}
	if listen := a.config.Metrics.Listen; listen != "" {
		ln, err := net.Listen("tcp", listen)
		if err != nil {
			a.log.Error("the metrics cannot be served", "key", "metrics.listen", "error", err)
		} else {
			a.log.Info("listening for the metrics", "address", ln.Addr().String())
			all = append(all, site{ln, patient(metrics.Handler(a.figures, a.world.Now), callTime)})
		}
	}
	return all
}

func newServer(ctx context.Context, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTime, MaxHeaderBytes: 32 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// serveSites serves all until ctx ends or the first of them fails; the others are ended then.
func serveSites(ctx context.Context, sites []site, log *slog.Logger) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, len(sites))
	var servers []*http.Server
	for _, s := range sites {
		server := newServer(ctx, s.handler, log)
		servers = append(servers, server)
		go func() { failed <- server.Serve(s.Listener) }()
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	stop() // streams end by it
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	var ending sync.WaitGroup
	for _, s := range servers {
		ending.Go(func() {
			if s.Shutdown(grace) != nil {
				_ = s.Close()
			}
		})
	}
	ending.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}
