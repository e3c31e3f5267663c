package main

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/jobvault/jobvault/ingest"
)

type serveCmd struct{}

// Run serves until a signal, and then stops within the shutdown time-out.
func (serveCmd) Run(ctx context.Context, e *environment) error {
	c, err := e.settings.loadServe()
	if err != nil {
		return err
	}
	logger := newLogger(c, e.stderr)
	s, err := startService(ctx, c, logger)
	if err != nil {
		return err
	}
	logger.Info("jobvault serves", "version", version(), "url", s.url(), "roles", c.roles)
	select {
	case <-ctx.Done():
		logger.Info("stopping", "within", c.shutdown)
	case err = <-s.failed:
		logger.Error("the HTTP server ended", ingest.KeyError, err)
	}
	err = errors.Join(err, s.stop())
	logger.Info("stopped")
	return err
}

// newLogger is jobvault's own log, on standard error.
func newLogger(c config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
