package search

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/jobvault/jobvault/archive/ngram"
	"github.com/jobvault/jobvault/lookup"
)

// maxContext bounds the lines of context before a match, and those after it.
const maxContext = 1000

// ErrConflict says that a parameter was given by two names, with different values.
var ErrConflict = errors.New("these are names of the same parameter: give only one of them")

// ParameterNames are all parameters that ParseQuery reads.
var ParameterNames = append([]string{
	"pattern", "fixed", "ignore_case", "inverse", "raw", "count", "before_context", "lines_before", "after_context", "lines_after", "max_count", "most",
	"step", "limit", "after",
}, lookup.FilterNames...)

// ParametersHeader is the header of an answer to a search with those parameters of the
// request that were read, as a list with commas. Others were passed over: who asks finds out
// by it that a server is older than a parameter. Servers that send none know neither raw nor
// what started runs.
const ParametersHeader = "X-Jobvault-Parameters"

// ParseQuery reads a query:
//   - pattern;
//   - fixed, ignore_case, inverse, raw and count, which are 1 or 0 (the default);
//   - before_context, after_context and max_count, which are numbers of lines, 0 by
//     default; lines_before, lines_after and most are earlier names of these, and go on
//     working;
//   - step;
//   - limit, which is DefaultLimit by default, and none if it is all or 0;
//   - the parameters that jobs are filtered by, lookup.FilterNames, and after.
//
// Its errors name the parameter. It fails with ErrConflict if a parameter has different
// values by its two names.
func ParseQuery(values url.Values, now time.Time) (q Query, err error) {
	if q.Jobs, err = lookup.ParseFilter(values, now); err != nil {
		return q, err
	}
	var o ngram.PatternOptions
	for name, to := range map[string]*bool{"fixed": &o.Fixed, "ignore_case": &o.IgnoreCase, "inverse": &o.Inverse, "raw": &o.Raw, "count": &q.CountOnly} {
		switch v := values.Get(name); v {
		case "1":
			*to = true
		case "", "0":
		default:
			return q, fmt.Errorf("%s=%q: want 1 or 0", name, v)
		}
	}
	for _, p := range []struct {
		name, earlier string
		max           int64
		to            *int64
	}{
		{"before_context", "lines_before", maxContext, &q.Before},
		{"after_context", "lines_after", maxContext, &q.After},
		{"max_count", "most", math.MaxInt64, &q.MaxCount},
	} {
		if *p.to, err = parseLineCount(values, p.name, p.earlier, p.max); err != nil {
			return q, err
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

// parseLineCount reads a number of lines by either name of its parameter. It is 0 if
// neither is given.
func parseLineCount(values url.Values, name, earlier string, limit int64) (n int64, err error) {
	given := ""
	for _, by := range []string{name, earlier} {
		v := values.Get(by)
		if v == "" {
			continue
		}
		m, err := strconv.ParseInt(v, 10, 64)
		switch {
		case err != nil || m < 0 || m > limit:
			return 0, fmt.Errorf("%s=%q: want a number of lines, at most %d of context", by, v, maxContext)
		case given != "" && m != n:
			return 0, fmt.Errorf("%s=%d and %s=%d: %w", given, n, by, m, ErrConflict)
		}
		given, n = by, m
	}
	return n, nil
}
