package main

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// lostLog counts lines of jobvault's own log that could not be written: nobody reads
// standard error any more, or its disk is full. A process that serves goes on without its
// log, as nobody else would receive the webhooks meanwhile; the metric is how that is seen.
type lostLog struct {
	slog.Handler
	lines prometheus.Counter
}

// newLostLog has a logger's lost lines counted.
func newLostLog(l *slog.Logger) lostLog {
	return lostLog{l.Handler(), prometheus.NewCounter(prometheus.CounterOpts{
		Name: "jobvault_log_lines_lost_total", Help: "Lines of jobvault's own log that could not be written.",
	})}
}

// Handle is slog's.
func (l lostLog) Handle(ctx context.Context, r slog.Record) error {
	err := l.Handler.Handle(ctx, r)
	if err != nil {
		l.lines.Inc()
	}
	return err
}

// WithAttrs is slog's.
func (l lostLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return lostLog{l.Handler.WithAttrs(attrs), l.lines}
}

// WithGroup is slog's.
func (l lostLog) WithGroup(name string) slog.Handler {
	return lostLog{l.Handler.WithGroup(name), l.lines}
}
