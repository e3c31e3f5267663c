package lookup

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/jobvault/jobvault/archive/ngram"
)

// mostContext bounds how many lines are shown around one that was found.
const mostContext = 1000

// ParseSearch reads a search: pattern; fixed, ignore_case, inverse and count, which
// are 1 or not given; step, lines_before, lines_after and most; limit, which is
// UsualLimit if it is not given, and none if it is all or 0; and the parameters that
// jobs are filtered by.
func ParseSearch(q url.Values, now time.Time) (s Search, err error) {
	if s.Jobs, err = ParseFilter(q, now); err != nil {
		return s, err
	}
	var o ngram.PatternOptions
	for name, to := range map[string]*bool{"fixed": &o.Fixed, "ignore_case": &o.IgnoreCase, "inverse": &o.Inverse, "count": &s.CountOnly} {
		switch v := q.Get(name); v {
		case "1":
			*to = true
		case "", "0":
		default:
			return s, fmt.Errorf("%s=%q: want 1 or 0", name, v)
		}
	}
	for name, to := range map[string]*int64{"lines_before": &s.Before, "lines_after": &s.After, "most": &s.Most} {
		v := q.Get(name)
		if v == "" {
			continue
		}
		if *to, err = strconv.ParseInt(v, 10, 64); err != nil || *to < 0 || to != &s.Most && *to > mostContext {
			return s, fmt.Errorf("%s=%q: want a number of lines, at most %d of context", name, v, mostContext)
		}
	}
	switch v := q.Get("limit"); v {
	case "":
		s.Limit = UsualLimit
	case "all", "0":
	default:
		if s.Limit, err = strconv.ParseInt(v, 10, 64); err != nil || s.Limit < 1 {
			return s, fmt.Errorf(`limit=%q: want a number of lines, or "all"`, v)
		}
	}
	s.Step = q.Get("step")
	if s.Pattern, err = ngram.ParsePattern(q.Get("pattern"), o); err != nil {
		return s, fmt.Errorf("pattern: %w", err)
	}
	return s, nil
}
