package ingest

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/jobvault/jobvault/internal/ghapi"
)

// Metrics are the write path's numbers for Prometheus. They name no repository
// and no job.
type Metrics struct {
	answers      *prometheus.CounterVec
	answerTime   prometheus.Histogram
	groupSize    prometheus.Histogram
	quarantined  prometheus.Counter
	drained      prometheus.Counter
	settled      *prometheus.CounterVec
	archived     prometheus.Counter
	archivedSize prometheus.Counter
	githubErrors *prometheus.CounterVec
	takenOver    prometheus.Counter
	sweptRuns    prometheus.Counter
	redelivered  prometheus.Counter
	rollUpFailed prometheus.Counter
	lengthened   prometheus.Counter
	unlisted     prometheus.Counter
	requests     *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobvault_webhook_answers_total", Help: "Answers to POST /webhook by HTTP status.",
		}, []string{"status"}),
		answerTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "jobvault_webhook_answer_seconds", Help: "Time from the request's headers to the answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		groupSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "jobvault_commit_group_deliveries", Help: "Deliveries committed together.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		quarantined: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jobvault_deliveries_quarantined_total", Help: "Deliveries that cannot be understood.",
		}),
		drained: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jobvault_deliveries_done_total", Help: "Deliveries turned into rows.",
		}),
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobvault_jobs_settled_total", Help: "Jobs whose log was settled, by ledger state; denied ones are tried again.",
		}, []string{"state"}),
		archived: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jobvault_log_raw_bytes_total", Help: "Bytes of logs archived, as GitHub sent them.",
		}),
		archivedSize: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jobvault_log_stored_bytes_total", Help: "Bytes of logs archived, as stored.",
		}),
		githubErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobvault_archive_problems_total", Help: "Archive attempts that did not settle a job, by class.",
		}, []string{"class"}),
		takenOver: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jobvault_claims_released_total", Help: "Archive jobs given back after their worker died.",
		}),
	}
	m.sweptRuns = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "jobvault_runs_swept_total", Help: "Workflow runs listed to look for jobs that no webhook told of.",
	})
	m.redelivered = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "jobvault_redeliveries_total", Help: "Failed deliveries that GitHub was asked to deliver again.",
	})
	m.rollUpFailed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "jobvault_action_sums_failed_total", Help: "Rounds that could not bring the sums of actions up to date; the log says why. While they fail, who used an action is told rightly, and ever more slowly.",
	})
	m.lengthened = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "jobvault_logs_lengthened_total", Help: "Archived logs whose place a longer one took that begins with them.",
	})
	m.unlisted = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "jobvault_attempts_unlisted_total", Help: "Attempts of runs whose list of jobs was given up, as GitHub failed or refused to give it on more days than are waited for.",
	})
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "jobvault_github_requests_total",
		Help: "Requests to GitHub's API, by what they asked for and the answer's HTTP status (none: there was no answer). A 304 costs nothing of the limit.",
	}, []string{"kind", "status"})
	m.register(r)
	return m
}

func (m *Metrics) register(r prometheus.Registerer) {
	r.MustRegister(m.answers, m.answerTime, m.groupSize, m.quarantined, m.drained, m.settled, m.archived, m.archivedSize, m.githubErrors, m.takenOver, m.sweptRuns,
		m.redelivered, m.rollUpFailed, m.lengthened, m.unlisted, m.requests)
}

func (m *Metrics) answered(status int, took time.Duration) {
	m.answers.WithLabelValues(strconv.Itoa(status)).Inc()
	m.answerTime.Observe(took.Seconds())
}

// Requested counts a request to GitHub: it is a ghapi.Config's.
func (m *Metrics) Requested(kind ghapi.Kind, status int) {
	label := "none"
	if status != 0 {
		label = strconv.Itoa(status)
	}
	m.requests.WithLabelValues(string(kind), label).Inc()
}
