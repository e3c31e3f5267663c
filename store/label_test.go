package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/store"
)

func withLabels(job int64, status string, labels ...string) store.Facts {
	return factsOf(job, status, func(f *store.Facts) { f.Labels = labels })
}

// labels are a job's, in their order.
func (f *fixture) labels(job int64) []string {
	f.t.Helper()
	return column[string](f, `
		SELECT l.name FROM job_labels jl JOIN labels l ON l.id = jl.label_id WHERE jl.job_id = $1 ORDER BY jl.position`, job)
}

func (f *fixture) wantLabels(job int64, want ...string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.labels(job), cmpopts.EquateEmpty()); diff != "" {
		f.t.Errorf("labels of job %d (-want +got):\n%s", job, diff)
	}
}

func TestLabelsKeepTheirOrder(t *testing.T) {
	f := newFixture(t)
	f.tell(withLabels(3, "queued", "self-hosted", "linux", "x64", "GPU", "gpu", "linux", ""), withLabels(4, "queued", "linux", "arm64"))
	f.wantLabels(3, "self-hosted", "linux", "x64", "GPU", "gpu", "linux", "")
	f.wantLabels(4, "linux", "arm64")
	positions := column[int32](f, `SELECT position FROM job_labels WHERE job_id = 4 ORDER BY position`)
	if diff := cmp.Diff([]int32{0, 1}, positions); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
	if n := scalar[int](f, `SELECT count(*) FROM labels WHERE name = 'linux'`); n != 1 {
		t.Errorf("linux is there %d times", n)
	}
}

func TestNewerLabelsReplaceTheOldOnes(t *testing.T) {
	f := newFixture(t)
	f.tell(withLabels(3, "queued", "a", "b", "c"), withLabels(4, "queued", "a"), withLabels(3, "in_progress", "c", "a"))
	f.wantLabels(3, "c", "a")
	f.fetch(withLabels(3, "completed", "b"))
	f.wantLabels(3, "b")
	f.wantLabels(4, "a")
}

func TestOldLabelsCountOnlyWhereThereAreNone(t *testing.T) {
	f := newFixture(t)
	f.tell(withLabels(3, "completed", "a"), withLabels(3, "queued", "late"))
	f.tell(factsOf(4, "completed"), withLabels(4, "queued", "b"), withLabels(4, "queued", "late"))
	f.fetch(withLabels(5, "completed", "c"))
	f.tell(withLabels(5, "completed", "late"), factsOf(5, "completed"))
	f.fetch(factsOf(5, "completed"))
	f.wantLabels(3, "a")
	f.wantLabels(4, "b")
	f.wantLabels(5, "c")
}

func TestLabelsAreTheLastOnesTold(t *testing.T) {
	f := newFixture(t)
	var id int64
	list := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 4)
	rapid.Check(t, func(rt *rapid.T) {
		id++
		var want []string
		for range rapid.IntRange(1, 4).Draw(rt, "times") {
			labels := list.Draw(rt, "labels")
			if len(labels) > 0 {
				want = labels
			}
			// Two jobs in one batch, which share their labels.
			other := factsOf(-id, "queued", func(f *store.Facts) { f.Labels = list.Draw(rt, "labels of another") })
			f.insert(deliveryOf(withLabels(id, "queued", labels...)), deliveryOf(other))
			f.drain()
		}
		if diff := cmp.Diff(want, f.labels(id), cmpopts.EquateEmpty()); diff != "" {
			rt.Errorf("(-want +got):\n%s", diff)
		}
	})
}
