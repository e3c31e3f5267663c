package search_test

import (
	"cmp"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/lookup/search"
)

// Parameters that were renamed are read by either name, and by both if they agree.
func TestEarlierNamesOfParametersGoOnWorking(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][3]int64{
		"before_context=1&after_context=2&max_count=3":              {1, 2, 3},
		"lines_before=1&lines_after=2&most=3":                       {1, 2, 3},
		"before_context=1&lines_before=01&lines_after=2&max_count=": {1, 2, 0},
		"max_count=5000&most=5000":                                  {0, 0, 5000},
	} {
		values, _ := url.ParseQuery("pattern=x&" + query)
		q, err := search.ParseQuery(values, time.Now())
		if got := [3]int64{q.Before, q.After, q.MaxCount}; err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", query, got, err, want)
		}
	}
	for query, want := range map[string]string{
		"before_context=1&lines_before=2": "before_context=1 and lines_before=2:",
		"after_context=1&lines_after=0":   "after_context=1 and lines_after=0:",
		"max_count=1&most=2":              "max_count=1 and most=2:",
	} {
		values, _ := url.ParseQuery("pattern=x&" + query)
		if _, err := search.ParseQuery(values, time.Now()); !errors.Is(err, search.ErrConflict) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", query, err, want)
		}
	}
	for query, want := range map[string]string{
		"before_context=1001": "before_context=", "lines_after=-1": "lines_after=", "max_count=x": "max_count=", "max_count=1&most=x": "most=",
	} {
		values, _ := url.ParseQuery("pattern=x&" + query)
		if _, err := search.ParseQuery(values, time.Now()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", query, err, want)
		}
	}
}

// Each name is one that a query is another by; and no other one is.
func TestParameterNamesAreThoseThatAreRead(t *testing.T) {
	parse := func(name, value string) search.Query {
		t.Helper()
		values := url.Values{"pattern": {"x."}}
		if name != "" {
			values.Set(name, value)
		}
		q, err := search.ParseQuery(values, time.Unix(1e9, 0))
		if err != nil {
			t.Fatalf("%s=%s: %v", name, value, err)
		}
		return q
	}
	values := map[string]string{"log": "archived", "since": "7d", "until": "7d", "after": ".7"}
	base := parse("", "")
	for _, name := range append([]string{"other"}, search.ParameterNames...) {
		value := cmp.Or(values[name], "1")
		if changed := !reflect.DeepEqual(base, parse(name, value)); changed != (name != "other") {
			t.Errorf("%s=%s makes another query: %v", name, value, changed)
		}
	}
}
