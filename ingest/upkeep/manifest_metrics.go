package upkeep

import "github.com/prometheus/client_golang/prometheus"

// ManifestMetrics are the manifests' numbers for Prometheus.
type ManifestMetrics struct {
	written prometheus.Counter
	failed  prometheus.Counter
}

// NewManifestMetrics registers the metrics.
func NewManifestMetrics(r prometheus.Registerer) *ManifestMetrics {
	m := &ManifestMetrics{
		written: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jobvault_manifests_written_total", Help: "Daily manifests written.",
		}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jobvault_manifests_failed_total", Help: "Rounds in which a manifest was due and could not be written: the log says why.",
		}),
	}
	r.MustRegister(m.written, m.failed)
	return m
}

func (m *ManifestMetrics) countWritten() {
	if m != nil {
		m.written.Inc()
	}
}

func (m *ManifestMetrics) countFailed() {
	if m != nil {
		m.failed.Inc()
	}
}
