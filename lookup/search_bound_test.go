package lookup_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive/ngram"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup"
)

// answers asks for one answer after the other, until one is complete.
func answers(t *testing.T, v *testenv.Vault, s *lookup.Searcher, q lookup.Search, expr string) (told []string, sums []lookup.Searched) {
	t.Helper()
	var err error
	q.Pattern, err = ngram.ParsePattern(expr, ngram.PatternOptions{})
	v.Check(err)
	for range 100 {
		var h heard
		sum, err := s.Search(t.Context(), "somebody", q, &h)
		v.Check(err)
		for _, f := range h.found {
			at := fmt.Sprint(f.JobID, "x", f.Count)
			if f.FoundLine != nil {
				at = fmt.Sprint(f.JobID, ":", f.Line)
			}
			told = append(told, at)
		}
		sums = append(sums, sum)
		if sum.Complete {
			return told, sums
		}
		q.Jobs.After = sum.Next
	}
	t.Fatalf("no end of it after %d lines", len(told))
	return nil, nil
}

// bounds are the bounds that ended answers.
func bounds(sums []lookup.Searched) string {
	var all []string
	for _, s := range sums {
		b := s.Bound
		if s.CutLog != nil {
			b += fmt.Sprintf(" in %d after %d", s.CutLog.JobID, s.CutLog.Lines)
		}
		all = append(all, b)
	}
	return strings.Join(all, ", ")
}

// Answers that follow one another tell of all that one without a bound does, and of
// nothing twice, but for logs that have too much for one answer: those are named.
func TestAnswersToASearchAreBounded(t *testing.T) {
	t.Parallel()
	v := testenv.NewVault(t)
	const logs, lines = 10, 7
	for id := int64(1); id <= logs; id++ {
		v.Record(v.Facts(id))
		v.Log(id, bytes.Repeat([]byte("2024-07-08T16:48:09.3750041Z found\n2024-07-08T16:48:09.3750041Z nothing\n"), lines))
	}
	s := lookup.NewSearcher(lookup.Logs{DB: v.DB, Archive: v.Archive})
	all, sums := answers(t, v, s, lookup.Search{}, "found")
	if len(all) != logs*lines || bounds(sums) != "" {
		t.Fatalf("without a limit: %d lines, %s", len(all), bounds(sums))
	}
	for name, c := range map[string]struct {
		q     lookup.Search
		lines int
		bound string
	}{
		"all at once":       {lookup.Search{Limit: 71}, 70, ""},
		"some logs":         {lookup.Search{Limit: 20}, 70, "lines, lines, lines, "},
		"to the very end":   {lookup.Search{Limit: 70}, 70, "lines, "},
		"one log":           {lookup.Search{Limit: 7}, 70, strings.Repeat("lines in 0 after 7, ", 10)},
		"a log is too much": {lookup.Search{Limit: 6}, 60, strings.Repeat("lines in 0 after 6, ", 10)},
		"with context":      {lookup.Search{Limit: 20, After: 1}, 140, "lines, lines, lines, "},
		"-m":                {lookup.Search{Limit: 4, Most: 2}, 20, "lines, lines, lines, lines, lines, "},
		"-c":                {lookup.Search{Limit: 4, CountOnly: true}, 10, "lines, lines, "},
		"-l":                {lookup.Search{Limit: 4, CountOnly: true, Most: 1}, 10, "lines, lines, "},
	} {
		told, sums := answers(t, v, s, c.q, "found")
		for i := range sums {
			if sums[i].CutLog != nil {
				sums[i].CutLog.JobID = 0
			}
		}
		if len(told) != c.lines || bounds(sums) != c.bound {
			t.Errorf("%s: %d lines, %q", name, len(told), bounds(sums))
		}
		seen := map[string]bool{}
		for _, at := range told {
			if seen[at] {
				t.Errorf("%s: %s is told twice", name, at)
			}
			seen[at] = true
		}
	}
	// A search that finds nothing comes further with each answer, too.
	s.SetBounds(1<<30, 0)
	if told, sums := answers(t, v, s, lookup.Search{Limit: 1000}, "found"); len(told) != logs*lines || !strings.HasPrefix(bounds(sums), "time") {
		t.Errorf("without time: %d lines, %q", len(told), bounds(sums))
	}
	if told, _ := answers(t, v, s, lookup.Search{Limit: 1000}, "nowhere to be found"); len(told) != 0 {
		t.Errorf("%v", told)
	}
}

// Bytes are bounded in the middle of a log, which is then named.
func TestAnswersOfHugeLinesAreBounded(t *testing.T) {
	t.Parallel()
	v := testenv.NewVault(t)
	v.Record(v.Facts(1))
	v.Record(v.Facts(2))
	v.Log(1, []byte("small\n"))
	v.Log(2, bytes.Repeat([]byte(strings.Repeat("long ", 40_000)+"small\n"), 20)) // 4 MB
	s := lookup.NewSearcher(lookup.Logs{DB: v.DB, Archive: v.Archive})
	s.SetBounds(1<<20, time.Hour)
	told, sums := answers(t, v, s, lookup.Search{Limit: 1000}, "small$")
	if len(sums) != 2 || sums[0].Bound != lookup.BoundBytes || sums[0].CutLog == nil || sums[0].CutLog.JobID != 2 || sums[0].CutLog.Lines != int64(len(told)-1) || told[len(told)-1] != "1:1" ||
		sums[0].Lines != sums[0].CutLog.Lines || sums[0].Logs != 1 || sums[0].Matched != 1 {
		t.Errorf("%v, %q", told, bounds(sums))
	}
	// All was told in the middle of the log: that it has ended is told all the same.
	s.SetBounds(1<<40, time.Hour)
	if told, sums = answers(t, v, s, lookup.Search{Limit: 20}, "small$"); len(told) != 21 || bounds(sums) != "lines in 2 after 20, " {
		t.Errorf("%v, %q", told, bounds(sums))
	}
}
