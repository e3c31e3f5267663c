package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
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

// parseEnd reads a time to come: a date, which is its first moment in UTC, a time
// (RFC 3339), or a span from now.
func parseEnd(flag, s string, now time.Time) (time.Time, error) {
	at, err := parseAhead(flag, s, now)
	if err != nil {
		return at, err
	}
	if !at.After(now) || at.Year() > 9999 { // which neither JSON nor people can write
		return at, fmt.Errorf("%s=%q: want a time to come", flag, s)
	}
	return at.UTC(), nil
}

// parseAhead is parseEnd for any time.
func parseAhead(flag, s string, now time.Time) (time.Time, error) {
	at, err := parseEndTime(s, now)
	if err != nil {
		err = fmt.Errorf("%s=%q: want a date (2027-03-31), a time (2027-03-31T14:00:00Z) or in how long (36h, 90d)", flag, s)
	}
	return at, err
}

func parseEndTime(s string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		return now.AddDate(0, 0, int(n)), err
	}
	d, err := time.ParseDuration(s)
	return now.Add(d), err
}

// maxRuleDays is a hundred years.
const maxRuleDays = 36525

// parseDays reads "90d".
func parseDays(flag, s string) (*int, error) {
	text, ok := strings.CutSuffix(s, "d")
	n, err := strconv.Atoi(text)
	if !ok || err != nil || n < 1 || n > maxRuleDays {
		return nil, fmt.Errorf("%s=%q: want days, from 1d to %dd", flag, s, maxRuleDays)
	}
	return &n, nil
}
