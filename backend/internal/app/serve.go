package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"madoguchi.example/backend/internal/authn"
	"madoguchi.example/backend/internal/config"
	"madoguchi.example/backend/internal/httpapi"
	"madoguchi.example/backend/internal/observe"
	"madoguchi.example/backend/internal/tx"
)

// stopTime is how long jobs in progress may take when the process stops.
const stopTime = 20 * time.Second

// sweepEvery is how often expired sign-ins and answers are removed.
const sweepEvery = time.Minute

// serve runs the roles until ctx ends.
func (p *program) serve(ctx context.Context, args []string) error {
	file, rest, err := p.flags("serve", args, nil)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("serve takes no arguments: %w", ErrUsage)
	}
	c, err := p.load(file, checkConfig)
	if err != nil {
		return err
	}
	h, err := p.open(ctx, c, p.logger(c))
	if err != nil {
		return err
	}
	defer h.close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if c.CitizenLogin.OnThisMachine() || c.StaffLogin.OnThisMachine() {
		h.log.Warn("people sign in at a practice provider on this machine: set citizen_login and staff_login before real people use this")
	}
	if err := h.warnOfOldKeys(ctx); err != nil {
		return err
	}
	if err := h.fence.Check(ctx); err != nil {
		h.log.Warn("the store was restored: nothing goes out before restore reconcile", "server_epoch", h.db.ServerEpoch())
	}
	if c.Has(config.RoleWorker) {
		if err := h.startWorker(ctx); err != nil {
			return err
		}
		defer h.stopWorker()
	}
	if c.Has(config.RoleAPI) {
		go h.intake.Watch(ctx)
	}
	go h.sweep(ctx)
	return h.serveHTTP(ctx, p)
}

func (h *house) startWorker(ctx context.Context) error {
	if err := h.handlers(); err != nil {
		return err
	}
	return h.jobs.Start(context.WithoutCancel(ctx))
}

func (h *house) stopWorker() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := h.jobs.Stop(ctx); err != nil {
		h.log.Error("cannot stop the jobs in time", "cause", err)
	}
}

// sweep removes what has expired, a little at a time.
func (h *house) sweep(ctx context.Context) {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		err := errors.Join(authn.Sweep(ctx, h.login), h.sweepCalls(ctx), h.sweepKeys(ctx), h.wallet.Sweep(ctx))
		if err != nil && ctx.Err() == nil {
			h.log.Warn("cannot remove what has expired", "cause", err)
		}
	}
}

// sweepRows caps how many kept answers one transaction removes.
const sweepRows = 500

func (h *house) sweepCalls(ctx context.Context) error {
	for n := int64(sweepRows); n >= sweepRows && ctx.Err() == nil; {
		if err := h.db.Runner().Do(ctx, func(ctx context.Context, t tx.Tx) (err error) {
			n, err = h.repeat.Sweep(ctx, t, sweepRows)
			return err
		}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (h *house) serveHTTP(ctx context.Context, p *program) error {
	metrics := observe.New()
	server, err := h.server(p, metrics)
	if err != nil {
		return err
	}
	metrics.Gauge("madoguchi_http_abandoned_handlers", "Handlers that outlived their deadline.",
		func() float64 { return float64(server.Abandoned()) })
	h.watchTerminals(metrics)
	metrics.Gauge("madoguchi_fenced", "1 while the store was restored and is not reconciled: nothing goes out.", h.fencedGauge)
	stopMetrics, err := h.serveMetrics(metrics)
	if err != nil {
		return err
	}
	defer stopMetrics()
	ln, err := net.Listen("tcp", h.config.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	if err := h.tellAddress(ln.Addr().String()); err != nil {
		return errors.Join(err, ln.Close())
	}
	h.log.LogAttrs(ctx, slog.LevelInfo, "listening", slog.String("address", ln.Addr().String()))
	err = server.Serve(ctx, ln)
	h.log.Info("stopped")
	return err
}

func (h *house) tellAddress(address string) error {
	if h.config.StateDir == "" {
		return nil
	}
	err := os.MkdirAll(h.config.StateDir, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(h.config.StateDir, "address"), []byte(address+"\n"), 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot write the address: %w", err)
	}
	return nil
}

// serveMetrics serves /metrics on its own address, which no load balancer publishes.
func (h *house) serveMetrics(m *observe.Metrics) (stop func(), err error) {
	if h.config.Metrics == "" {
		return func() {}, nil
	}
	ln, err := net.Listen("tcp", h.config.Metrics)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.Serve(ln) }() // ends with Close
	h.log.Info("metrics", "address", ln.Addr().String())
	return func() { _ = s.Close() }, nil
}

// server makes the HTTP server with the routes of this process's roles.
func (h *house) server(p *program, m *observe.Metrics) (*httpapi.Server, error) {
	reload, err := tlsConfig(h.config.TLS)
	if err != nil {
		return nil, err
	}
	c := httpapi.Config{
		Log: h.log, Now: h.now, Rand: p.rand, TLS: reload, Observe: m.Request,
		ReadTimeout: h.config.HTTP.ReadTimeout, WriteTimeout: h.config.HTTP.WriteTimeout,
		IdleTimeout: h.config.HTTP.IdleTimeout, Grace: h.config.HTTP.Grace, Fence: h.fence,
	}
	if err := h.faces(p, &c); err != nil {
		return nil, err
	}
	return httpapi.New(c)
}

// ready tells whether the store takes transactions and is the one that was opened.
func (h *house) ready(ctx context.Context) error {
	if err := h.fence.Current(ctx); err != nil {
		return err
	}
	return h.db.Runner().Do(ctx, func(context.Context, tx.Tx) error { return nil })
}
