package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/jobvault/jobvault/ingest"
)

type serveCmd struct{}

// serveGCPercent is GOGC unless the environment sets one: the heap is a few MiB, and nearly
// everything allocated is short-lived.
const serveGCPercent = 300

// Help is kong's: examples and exit status.
func (serveCmd) Help() string {
	return helpText(`jobvault serve
jobvault --roles=receive serve`, "0 if it was stopped by a signal and all went well, 1 if it failed, 2 if a setting is wrong.")
}

// Run serves until a signal, and then stops within the shutdown time-out. It goes on when
// nobody reads its log any more.
func (serveCmd) Run(ctx context.Context, e *environment) error {
	outlive(e.stdout)
	outlive(e.stderr)
	c, err := e.settings.loadServe()
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(serveGCPercent)
	}
	lost := newLostLog(newLogger(c, e.stderr))
	logger := slog.New(lost)
	c.Stray.warn(logger)
	s, err := startService(ctx, c, logger)
	if err != nil {
		return err
	}
	s.registry.MustRegister(lost.lines)
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
