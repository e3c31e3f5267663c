package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/migrations"
	"github.com/jobvault/jobvault/store"
)

// checkTimeout bounds how long a part may take to answer.
const checkTimeout = 5 * time.Second

// newerSchema is what /readyz says of a schema that this binary does not know.
const newerSchema = "newer than this jobvault"

// ready says whether each part answers, what the store lacks, whether the database has
// heard of all removals that the bucket tells of, and how wrong the clock is if it is; why
// a part does not answer is in the log.
func (s *service) ready(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithTimeout(req.Context(), checkTimeout)
	defer cancel()
	parts := map[string]func(context.Context) error{
		"postgres": s.db.CheckWrites,
		"schema":   s.database.checkSchema,
		"bucket":   s.archive.Bucket().Check,
		"clock":    s.clock.Check,
	}
	status, answers := http.StatusOK, make(map[string]string)
	for name, check := range parts {
		answers[name] = "ok"
		err := check(ctx)
		if err == nil {
			continue
		}
		answers[name] = notReady(err)
		// Beside the newer ones that have brought the schema up, it goes on receiving until
		// it is replaced: what nobody receives is lost.
		if errors.Is(err, migrations.ErrNewer) && s.webhook != nil {
			continue
		}
		s.logger.WarnContext(ctx, "not ready", "part", name, ingest.KeyError, err)
		status = http.StatusServiceUnavailable
	}
	var fit bool
	if answers["store"], fit = s.probe.ready(); !fit {
		status = http.StatusServiceUnavailable
	}
	if s.guard != nil {
		// Readers wait for it. Who also receives goes on: nobody else may, and what GitHub
		// cannot deliver is lost.
		if answers["removals"] = s.guard.ready(); answers["removals"] != "ok" && s.webhook == nil {
			status = http.StatusServiceUnavailable
		}
	}
	writeStatus(w, status, answers)
}

// notReady is what is said of a part that fails its check.
func notReady(err error) string {
	if skew, is := errors.AsType[*store.SkewError](err); is {
		return fmt.Sprintf("%s from that of Postgres, %s at most", skew.Skew().Round(time.Second), store.MaxSkew)
	}
	if errors.Is(err, migrations.ErrNewer) {
		return newerSchema
	}
	for _, why := range []error{store.ErrStandby, store.ErrReadOnly, store.ErrDiskFull} {
		if errors.Is(err, why) {
			return "does not write: " + why.Error()
		}
	}
	return "away"
}
