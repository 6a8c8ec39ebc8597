// Package metrics serves /metrics of a running agent to the machine's own monitoring.
//
// It promises counts, sizes, times and short words alone: nothing of a person, no record's
// ID, no address. It answers requests for a loopback host only, so that no page of another
// site can read it by a name that leads here.
package metrics

import (
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"madoguchi.example/agent/internal/outbox"
	"madoguchi.example/shared/fault"
)

// Path is where the metrics are.
const Path = "/metrics"

// gauge is one figure.
type gauge struct {
	desc *prometheus.Desc
	of   func(f outbox.Figures, now time.Time) (float64, bool) // false: nothing is known
}

func number(name, help string, of func(outbox.Figures) int64) gauge {
	return gauge{describe(name, help), func(f outbox.Figures, _ time.Time) (float64, bool) { return float64(of(f)), true }}
}

func moment(name, help string, of func(outbox.Figures) time.Time) gauge {
	return gauge{describe(name, help), func(f outbox.Figures, _ time.Time) (float64, bool) {
		at := of(f)
		return float64(at.UnixMilli()) / 1000, !at.IsZero()
	}}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("madoguchi_agent_"+name, help, labels, nil)
}

var gauges = []gauge{
	number("pending_records", "Records that wait to be sent.", func(f outbox.Figures) int64 { return int64(f.Pending) }),
	number("pending_bytes", "Stored bytes of the records that wait.", func(f outbox.Figures) int64 { return f.Bytes }),
	{describe("oldest_pending_seconds", "Age of the oldest record that waits; 0 when none does."), func(f outbox.Figures, now time.Time) (float64, bool) {
		if f.Pending == 0 || f.OldestAt.IsZero() {
			return 0, true
		}
		return max(now.Sub(f.OldestAt), 0).Seconds(), true
	}},
	number("stale_records", "Records that wait for longer than queue.max_age.", func(f outbox.Figures) int64 { return int64(f.Stale) }),
	number("dead_letters", "Records that the backend did not take, and damaged ones.", func(f outbox.Figures) int64 { return int64(f.DeadLetters) }),
	number("unanswered_records", "Accepted records whose answer has not come.", func(f outbox.Figures) int64 { return int64(f.Unanswered) }),
	number("kept_records", "Accepted records that are kept for a backend that is restored.", func(f outbox.Figures) int64 { return int64(f.Kept) }),
	moment("last_ack_timestamp_seconds", "When the backend last confirmed anything.", func(f outbox.Figures) time.Time { return f.LastAck }),
	number("file_bytes", "Size of the terminal's file.", func(f outbox.Figures) int64 { return f.FileBytes }),
	number("file_used_bytes", "Bytes in use of the terminal's file.", func(f outbox.Figures) int64 { return f.UsedBytes }),
	number("files_put_aside", "Damaged files that lie beside.", func(f outbox.Figures) int64 { return int64(f.PutAside) }),
	number("lost_values", "Records and rows that could not be read any more.", func(f outbox.Figures) int64 { return int64(f.Lost) }),
	number("clock_trusted", "1 where the clock was compared with the backend's since the machine started.", func(f outbox.Figures) int64 { return truth(f.ClockTrusted) }),
	{describe("clock_offset_seconds", "The backend's clock less this one, as last measured."), func(f outbox.Figures, _ time.Time) (float64, bool) {
		return float64(f.ClockOffsetMS) / 1000, true
	}},
	number("line_up", "1 while the backend can be reached.", func(f outbox.Figures) int64 { return truth(f.LineUp) }),
}

var (
	info = describe("info", "The program and what guards its file.", "version", "key_class")
	line = describe("line_refused", "1 with the reason while the line is not up, or is and refuses.", "reason")
)

func truth(holds bool) int64 {
	if holds {
		return 1
	}
	return 0
}

// collector reads the figures once for each request.
type collector struct {
	figures func() outbox.Figures
	now     func() time.Time
}

// Describe gives what may be collected.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, g := range gauges {
		to <- g.desc
	}
	to <- info
	to <- line
}

// Collect gives every figure that is known.
func (c collector) Collect(to chan<- prometheus.Metric) {
	f, now := c.figures(), c.now()
	for _, g := range gauges {
		if v, known := g.of(f, now); known {
			to <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, v)
		}
	}
	to <- prometheus.MustNewConstMetric(info, prometheus.GaugeValue, 1, f.Version, f.KeyClass)
	if f.LineReason != "" {
		to <- prometheus.MustNewConstMetric(line, prometheus.GaugeValue, 1, string(f.LineReason))
	}
}

// Handler serves the figures at Path, by GET and for a loopback host alone.
func Handler(figures func() outbox.Figures, now func() time.Time) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{figures, now})
	serve := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if !loopback(r.Host) {
			http.Error(w, string(fault.Forbidden), http.StatusForbidden)
			return
		}
		serve.ServeHTTP(w, r)
	})
	return mux
}

func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
