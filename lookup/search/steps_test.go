package search_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/archive/ngram"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/search"
	"github.com/jobvault/jobvault/store"
)

// stepsOf says of lines that were found which step's they are, and how that is known.
func stepsOf(found []search.Match) (told []string) {
	for _, f := range found {
		at := fmt.Sprintf("%d:", f.Line)
		if f.Step != nil {
			at += fmt.Sprintf(" %d %s", *f.Step, *f.StepName)
		}
		if f.Known != nil {
			at += " " + string(*f.Known)
		}
		for _, s := range f.SharedBy {
			at += fmt.Sprintf(" %d %s %s", s.Number, s.Name, *s.Conclusion)
		}
		told = append(told, at)
	}
	return told
}

// A job whose steps are known in every way: 2 and 3 ran side by side.
func parallelVault(t *testing.T) *testenv.Vault {
	v := testenv.NewVault(t)
	facts := v.Facts(1, "Set up job", "build", "lint", "Post")
	facts.Steps[1].Conclusion = new("failure")
	v.Record(facts)
	v.Log(1, []byte(strings.Repeat("2024-07-08T16:48:09.3750041Z ##[error]broken\n", 9)),
		store.StepLines{Number: 1, First: 1, Last: 2, Certainty: joblog.Exact}, store.StepLines{Number: 2, First: 3, Last: 5, Certainty: joblog.Shared},
		store.StepLines{Number: 3, First: 3, Last: 5, Certainty: joblog.Shared}, store.StepLines{Number: 4, First: 6, Last: 8})
	return v
}

// Each line says which step's it is and how that is known. One that steps share is put
// down to none of them, names them all, and is found by each of them.
func TestSearchSaysHowStepsAreKnown(t *testing.T) {
	t.Parallel()
	v := parallelVault(t)
	const shared = " shared 2 build failure 3 lint success"
	all := []string{"1: 1 Set up job exact", "2: 1 Set up job exact", "3:" + shared, "4:" + shared, "5:" + shared, "6: 4 Post estimated", "7: 4 Post estimated", "8: 4 Post estimated", "9:"}
	for _, c := range []struct {
		q                 search.Query
		want              []string
		estimated, shared int64
	}{
		{search.Query{}, all, 3, 3},
		{search.Query{Step: "lint"}, all[2:5], 0, 3},
		{search.Query{Step: "2"}, all[2:5], 0, 3},
		{search.Query{Step: "post"}, all[5:8], 3, 0},
		{search.Query{Step: "1"}, all[:2], 0, 0},
		{search.Query{Step: "1", After: 2}, all[:4], 0, 0},
		{search.Query{Step: "lint", MaxCount: 1, Before: 1}, all[1:3], 0, 1},
	} {
		h, sum := searchVault(t, v, c.q, "broken", ngram.PatternOptions{})
		if diff := cmp.Diff(c.want, stepsOf(h.found)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.q, diff)
		}
		if sum.Estimated != c.estimated || sum.Shared != c.shared {
			t.Errorf("%+v: %d estimated, %d shared, want %d and %d", c.q, sum.Estimated, sum.Shared, c.estimated, c.shared)
		}
		if c.q.CountOnly = true; c.q.Step != "" && c.q.Before+c.q.After == 0 {
			if _, counted := searchVault(t, v, c.q, "broken", ngram.PatternOptions{}); counted.Estimated != c.estimated || counted.Shared != c.shared {
				t.Errorf("%+v: %+v", c.q, counted)
			}
		}
	}
	// An answer that ends within a log counts likewise.
	s := search.NewLimitedSearcher(lookup.Logs{DB: v.DB, Archive: v.Archive})
	if _, sums := answers(t, v, s, search.Query{Limit: 7}, "broken"); sums[0].Lines != 7 || sums[0].Estimated != 2 || sums[0].Shared != 3 {
		t.Errorf("cut: %+v", sums[0])
	}
}

// Whatever ranges overlap, a line is of those steps that have it, and what is said of a
// line holds as far as it says.
func TestStepsOfALine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const lines = 30
		var steps []store.Step
		for n := range rapid.Int64Range(0, 8).Draw(t, "steps") {
			first := rapid.Int64Range(1, lines).Draw(t, "first")
			last := rapid.Int64Range(first, lines).Draw(t, "last")
			steps = append(steps, store.Step{Number: n, LogFirstLine: &first, LogLastLine: &last, LogLines: new("estimated")})
		}
		slices.SortStableFunc(steps, func(a, b store.Step) int { return int(*a.LogFirstLine - *b.LogFirstLine) })
		at, has := search.StepsAt(steps)
		var said *search.MatchLines
		until := int64(0)
		for line := int64(1); line <= lines; line++ {
			var want []int64
			for _, s := range steps {
				if *s.LogFirstLine <= line && line <= *s.LogLastLine {
					want = append(want, s.Number)
				}
			}
			if line > until {
				said, until = at(line)
			}
			var got []int64
			for _, s := range said.SharedBy {
				got = append(got, s.Number)
			}
			if said.Step != nil {
				got = append(got, *said.Step)
			}
			if !slices.Equal(want, got) || has(line, line) != (len(want) > 0) || (said.Step != nil) != (len(want) == 1) || (said.Known == nil) != (len(want) == 0) {
				t.Fatalf("line %d is of %v, and said to be of %v: %+v", line, want, got, said)
			}
			to := rapid.Int64Range(line, lines).Draw(t, "to")
			if any := slices.ContainsFunc(steps, func(s store.Step) bool { return *s.LogFirstLine <= to && *s.LogLastLine >= line }); has(line, to) != any {
				t.Fatalf("lines %d-%d: %v, want %v", line, to, has(line, to), any)
			}
		}
	})
}
