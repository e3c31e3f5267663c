package joblog_test

import (
	"sync"
	"testing"

	"github.com/jobvault/jobvault/archive/joblog"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// tally is how well steps' lines are known.
type tally struct{ steps, told, right, exact, wrong int }

// Measured against logs whose truth is known: 10,000 jobs of every shape.
func TestShapes(t *testing.T) {
	t.Parallel()
	const jobs, workers = 10_000, 4
	var parts [workers]tally
	var wg sync.WaitGroup
	for w := range parts {
		wg.Go(func() {
			for seed := w; seed < jobs; seed += workers {
				if before := parts[w].wrong; parts[w].add(githubsim.ShapeJob(uint64(seed))) > before {
					t.Errorf("seed %d has steps that are said to be exact and are not", seed)
				}
			}
		})
	}
	wg.Wait()
	var n tally
	for _, p := range parts {
		n.steps, n.told, n.right, n.exact, n.wrong = n.steps+p.steps, n.told+p.told, n.right+p.right, n.exact+p.exact, n.wrong+p.wrong
	}
	share := 100 * float64(n.right) / float64(n.told)
	t.Logf("steps of %d jobs: %d; to be told: %d; right to the line: %d (%.2f %%); said to be exact: %d, of which wrong: %d", jobs, n.steps, n.told, n.right, share, n.exact, n.wrong)
	if share < 99 || n.wrong > 0 || n.exact < n.steps/5 || n.told < n.steps/2 {
		t.Error("want 99 % right, and none wrong that are said to be exact")
	}
}

// add aligns one job, and returns how many steps are wrong so far that are said to be exact.
func (n *tally) add(job githubsim.ShapedJob) int {
	got := make(map[int64]joblog.Range)
	for _, r := range joblog.AlignSteps(index(job.Log), ranOf(job.Steps)) {
		got[r.Number] = r
	}
	for _, want := range job.Truth {
		r := got[want.Number]
		right := r.First == want.First && r.Last == want.Last
		n.steps++
		if want.Told {
			n.told++
			if right && r.Certainty != joblog.Shared {
				n.right++
			}
		}
		if r.Certainty == joblog.Exact {
			n.exact++
			if !right {
				n.wrong++
			}
		}
	}
	return n.wrong
}

// ranOf are the steps that ran.
func ranOf(steps []githubsim.Step) (ran []joblog.Step) {
	for _, s := range steps {
		if *s.Conclusion != "skipped" {
			ran = append(ran, joblog.Step{Number: s.Number, Name: s.Name, Conclusion: *s.Conclusion, StartedAt: *s.StartedAt, CompletedAt: *s.CompletedAt})
		}
	}
	return ran
}
