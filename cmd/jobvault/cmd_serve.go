package main

import (
	"context"
	"errors"
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

// Run serves until a signal, and then stops within the shutdown time-out.
func (serveCmd) Run(ctx context.Context, e *environment) error {
	c, err := e.settings.loadServe()
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(serveGCPercent)
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
