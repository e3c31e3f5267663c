package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

// parseTime is lookup.ParseTime of a flag.
func parseTime(flag, s string, now time.Time) (time.Time, error) {
	t, err := lookup.ParseTime(s, now)
	if err != nil {
		return t, usageError{fmt.Errorf("%s=%w", flag, err)}
	}
	return t, nil
}

// checkTime refuses what parseTime refuses: before anything is opened. How long ago is
// counted from Postgres' time, see timeOf.
func checkTime(flag, s string) error {
	_, err := parseTime(flag, s, time.Now())
	return err
}

// timeOf is the time that a flag means, by Postgres' time.
func timeOf(ctx context.Context, db *store.DB, flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	now, err := db.Time(ctx)
	if err != nil {
		return now, err
	}
	return parseTime(flag, s, now)
}
