package search_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/growth"
	"github.com/jobvault/jobvault/lookup/search"
)

// FuzzQuery: whatever the parameters of a search say, they are read or refused, in
// time, and a place that is read is one that Postgres has.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		"pattern=error&ignore_case=1&lines_before=3&most=10", "pattern=a{1000}{1000}", "since=7d&until=2026-03-31T14:00:00Z", "after=1772366400000000.7", "after=.7",
		"after=-9223372036854775808.-1", "since=99999999999h", "since=99999d", "lines_after=-1", "run=0x7", "log=archived", "%zz=1;", "pattern=%00%ff", "after=..",
		"pattern=x&before_context=2&lines_before=02&after_context=1001", "pattern=x&max_count=3&most=4",
	} {
		f.Add(q)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, query string) {
		defer growth.Within(t, time.Now(), len(query))
		q, _ := url.ParseQuery(query) // what can be read of it, as net/http does
		s, err := search.ParseQuery(q, now)
		if err != nil {
			return
		}
		if s.Before < 0 || s.After < 0 || s.MaxCount < 0 || s.Before > 1000 || s.After > 1000 {
			t.Errorf("%q: lines %d, %d, at most %d", query, s.Before, s.After, s.MaxCount)
		}
		if p := s.Jobs.After; p != nil && (p.CreatedAt.Year() > 9999 || p.CreatedAt.Year() < -4000) {
			t.Errorf("%q: a place at %s", query, p.CreatedAt)
		}
		for _, at := range []time.Time{s.Jobs.Since, s.Jobs.Until} {
			if !at.IsZero() && (at.Year() > 9999 || at.Year() < -4000) {
				t.Errorf("%q: a time of %s", query, at)
			}
		}
	})
}

// The longest head that a request has, full of parameters, is read at once.
func TestQueriesAreReadInLinearTime(t *testing.T) {
	now := time.Now()
	for _, unit := range []string{"a=1&", "pattern=", "after=1.1&", "%41", ";", "since=1h", "(", "a{2}"} {
		growth.Linear(t, 4<<10, func(n int) func() {
			query := "pattern=x&" + strings.Repeat(unit, n/len(unit))
			return func() {
				q, _ := url.ParseQuery(query)
				_, _ = search.ParseQuery(q, now)
			}
		})
	}
}
