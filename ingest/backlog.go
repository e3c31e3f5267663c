package ingest

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/jobvault/jobvault/store"
)

// Backlog reports what waits, as of each scrape.
type Backlog struct {
	db         *store.DB
	deliveries *prometheus.Desc
	unsettled  *prometheus.Desc
}

// NewBacklog makes the collector; register it.
func NewBacklog(db *store.DB) *Backlog {
	return &Backlog{
		db:         db,
		deliveries: prometheus.NewDesc("jobvault_deliveries_waiting", "Deliveries committed and not yet turned into rows.", nil, nil),
		unsettled:  prometheus.NewDesc("jobvault_jobs_unsettled", "Completed jobs whose log is not settled, by ledger state.", []string{"state"}, nil),
	}
}

// Describe names the metrics.
func (b *Backlog) Describe(ch chan<- *prometheus.Desc) {
	ch <- b.deliveries
	ch <- b.unsettled
}

// scrapeTime bounds the questions of one scrape.
const scrapeTime = 5 * time.Second

// Collect asks Postgres. While that is away the metrics are missing.
func (b *Backlog) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	backlog, err := b.db.Backlog(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(b.deliveries, err)
		return
	}
	ch <- prometheus.MustNewConstMetric(b.deliveries, prometheus.GaugeValue, float64(backlog.Deliveries))
	ch <- prometheus.MustNewConstMetric(b.unsettled, prometheus.GaugeValue, float64(backlog.Pending), store.LogPending)
	ch <- prometheus.MustNewConstMetric(b.unsettled, prometheus.GaugeValue, float64(backlog.Denied), store.LogDenied)
}
