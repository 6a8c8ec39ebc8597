// Package observe counts what the backend does, for Prometheus. No label holds anything
// of a person or of a request's content.
package observe

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics holds the counters of one process. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

// New makes the counters.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "madoguchi_http_request_duration_seconds", Help: "Time to answer, by route of the route table.",
			Buckets: []float64{.001, .005, .02, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"method", "route", "status"}),
	}
	m.registry.MustRegister(m.requests, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Request counts one answered request. route is from the route table, never a path that a
// caller sent.
func (m *Metrics) Request(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

// Gauge registers a number that is read when somebody asks.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// Numbers registers numbers under one name that differ by one label, read together when
// somebody asks. grows tells a counter from a gauge.
func (m *Metrics) Numbers(name, help, label string, grows bool, read func() map[string]float64) {
	kind := prometheus.GaugeValue
	if grows {
		kind = prometheus.CounterValue
	}
	m.registry.MustRegister(&numbers{prometheus.NewDesc(name, help, []string{label}, nil), kind, read})
}

type numbers struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func() map[string]float64
}

// Describe implements prometheus.Collector.
func (n *numbers) Describe(to chan<- *prometheus.Desc) { to <- n.desc }

// Collect implements prometheus.Collector.
func (n *numbers) Collect(to chan<- prometheus.Metric) {
	for label, value := range n.read() {
		to <- prometheus.MustNewConstMetric(n.desc, n.kind, value, label)
	}
}

// Handler answers in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
