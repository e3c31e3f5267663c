package search

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/jobvault/jobvault/archive/ngram"
	"github.com/jobvault/jobvault/lookup"
)

// maxContext bounds the lines of context before a match, and those after it.
const maxContext = 1000

// ParseQuery reads a query: pattern; fixed, ignore_case, inverse and count, which
// are 1 or not given; step, lines_before, lines_after and most; limit, which is
// DefaultLimit if it is not given, and none if it is all or 0; and the parameters that
// jobs are filtered by.
func ParseQuery(values url.Values, now time.Time) (q Query, err error) {
	if q.Jobs, err = lookup.ParseFilter(values, now); err != nil {
		return q, err
	}
	var o ngram.PatternOptions
	for name, to := range map[string]*bool{"fixed": &o.Fixed, "ignore_case": &o.IgnoreCase, "inverse": &o.Inverse, "count": &q.CountOnly} {
		switch v := values.Get(name); v {
		case "1":
			*to = true
		case "", "0":
		default:
			return q, fmt.Errorf("%s=%q: want 1 or 0", name, v)
		}
	}
	for name, to := range map[string]*int64{"lines_before": &q.Before, "lines_after": &q.After, "most": &q.MaxCount} {
		v := values.Get(name)
		if v == "" {
			continue
		}
		if *to, err = strconv.ParseInt(v, 10, 64); err != nil || *to < 0 || to != &q.MaxCount && *to > maxContext {
			return q, fmt.Errorf("%s=%q: want a number of lines, at most %d of context", name, v, maxContext)
		}
	}
	switch v := values.Get("limit"); v {
	case "":
		q.Limit = DefaultLimit
	case "all", "0":
	default:
		if q.Limit, err = strconv.ParseInt(v, 10, 64); err != nil || q.Limit < 1 {
			return q, fmt.Errorf(`limit=%q: want a number of lines, or "all"`, v)
		}
	}
	q.Step = values.Get("step")
	if q.Pattern, err = ngram.ParsePattern(values.Get("pattern"), o); err != nil {
		return q, fmt.Errorf("pattern: %w", err)
	}
	return q, nil
}
