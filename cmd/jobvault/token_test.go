package main

import (
	"testing"
	"time"

	"github.com/jobvault/jobvault/store"
)

func TestTokenStates(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		expires, revoked *time.Time
		want             string
	}{
		{nil, nil, "good"},
		{new(now.Add(time.Second)), nil, "good"},
		{new(now), nil, "expired"}, // as for readers
		{new(now.Add(-time.Hour)), nil, "expired"},
		{new(now.Add(-time.Hour)), new(now.Add(-time.Minute)), "revoked"},
		{nil, new(now), "revoked"},
	} {
		if got := listed(store.ReadToken{ExpiresAt: c.expires, RevokedAt: c.revoked}, now).State; got != c.want {
			t.Errorf("expires %v, revoked %v: %s, want %s", c.expires, c.revoked, got, c.want)
		}
	}
}

func TestTokenEnds(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"2026-04-01": now.Add(12 * time.Hour), "2026-03-31T15:00:00+02:00": now.Add(time.Hour), "36h": now.Add(36 * time.Hour), "90d": now.AddDate(0, 0, 90),
	} {
		if got, err := parseEnd("--expires", in, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %s, %v; want %s", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "d", "0d", "-1d", "0s", "-3h", "2026-02-30", "2026-03-31", "2026-03-31T12:00:00Z", "2147483647d", "2147483648d", "tomorrow"} {
		if got, err := parseEnd("--expires", bad, now); err == nil {
			t.Errorf("%q is %s", bad, got)
		}
	}
}
