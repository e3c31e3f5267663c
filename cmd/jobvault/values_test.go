package main

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"": {}, "2026-03-30": now.AddDate(0, 0, -1).Add(-12 * time.Hour), "2026-03-31T11:00:00Z": now.Add(-time.Hour),
		"2026-03-31T13:00:00+02:00": now.Add(-time.Hour), "36h": now.Add(-36 * time.Hour), "7d": now.AddDate(0, 0, -7),
	} {
		if got, err := parseTime("--since", in, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %s, %v; want %s", in, got, err, want)
		}
	}
	for _, bad := range []string{"yesterday", "-3h", "-1d", "2026-02-30", "d"} {
		if _, err := parseTime("--since", bad, now); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestRedactedURL(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "postgres://u:p@h/db": "postgres://u:xxxxx@h/db", "postgres://h/db?password=p&x=y": "postgres://h/db?password=xxxxx&x=y",
		"not a url p@ss": "[redacted]", "postgres://u:p%@h": "[redacted]",
	} {
		if got := redactedURL(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}
