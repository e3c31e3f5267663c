package record

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/jobvault/jobvault/store"
)

// anyFacts draws what a webhook might say of job 1: any status, and any field
// missing.
func anyFacts(t *rapid.T, label string) store.Facts {
	optional := rapid.Ptr(rapid.SampledFrom([]string{"a", "b", "c"}), true)
	number := rapid.Ptr(rapid.Int64Range(1, 3), true)
	moment := rapid.Custom(func(t *rapid.T) *time.Time {
		if rapid.Bool().Draw(t, "unset") {
			return nil
		}
		at := time.Date(2024, 1, 1, 0, 0, rapid.IntRange(0, 5).Draw(t, "second"), 0, time.UTC)
		return &at
	})
	f := store.Facts{
		Repository: store.Repository{
			ID: 1, Owner: "acme", Name: rapid.SampledFrom([]string{"rocket", "starship"}).Draw(t, label+" repository"),
			Private: rapid.Ptr(rapid.Bool(), true).Draw(t, label+" private"), NamedAt: time.Unix(rapid.Int64Range(1, 4).Draw(t, label+" named"), 0).UTC(),
		},
		Run: store.WorkflowRun{ID: 2, RepositoryID: 1, HeadBranch: optional.Draw(t, label+" branch"), HeadSHA: optional.Draw(t, label+" sha")},
		Job: store.Job{
			ID: 1, RunID: 2, RepositoryID: 1, Name: rapid.SampledFrom([]string{"x", "y"}).Draw(t, label+" name"),
			Status:     rapid.SampledFrom([]string{"queued", "waiting", "in_progress", "completed", "unheard of"}).Draw(t, label+" status"),
			RunAttempt: number.Draw(t, label+" attempt"), Conclusion: optional.Draw(t, label+" conclusion"),
			CreatedAt: moment.Draw(t, label+" created"), StartedAt: moment.Draw(t, label+" started"), CompletedAt: moment.Draw(t, label+" completed"),
			RunnerID: number.Draw(t, label+" runner id"), RunnerName: optional.Draw(t, label+" runner"),
		},
		Labels: rapid.SliceOfN(rapid.SampledFrom([]string{"l", "m"}), 0, 2).Draw(t, label+" labels"),
	}
	for n := range rapid.Int64Range(0, 3).Draw(t, label+" steps") {
		f.Steps = append(f.Steps, store.Step{
			JobID: 1, Number: n, Name: rapid.SampledFrom([]string{"s", "t"}).Draw(t, label+" step"),
			Status:     rapid.SampledFrom([]string{"queued", "completed"}).Draw(t, label+" step status"),
			Conclusion: optional.Draw(t, label+" step conclusion"), StartedAt: moment.Draw(t, label+" step started"),
		})
	}
	return f
}

func anySnapshots(t *rapid.T) []store.Facts {
	var all []store.Facts
	for range rapid.IntRange(1, 6).Draw(t, "snapshots") {
		all = append(all, anyFacts(t, "snapshot"))
	}
	return all
}

func TestFoldDoesNotDependOnOrderOrRepeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := anySnapshots(t)
		want := Fold(all)
		shuffled := append([]store.Facts(nil), all...)
		for range rapid.IntRange(0, 3).Draw(t, "repeats") {
			shuffled = append(shuffled, rapid.SampledFrom(all).Draw(t, "repeat"))
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(want, Fold(shuffled)); diff != "" {
			t.Errorf("in one order (-) and in another (+):\n%s", diff)
		}
	})
}

// What more is known never takes anything away: a job does not go backwards.
func TestFoldOnlyGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := anySnapshots(t)
		less, more := Fold(all), Fold(append(all, anyFacts(t, "more")))
		if store.Stage(more.Job.Status) < store.Stage(less.Job.Status) {
			t.Errorf("status went from %s to %s", less.Job.Status, more.Job.Status)
		}
		if less.Job.Conclusion != nil && more.Job.Conclusion == nil || less.Job.RunnerName != nil && more.Job.RunnerName == nil ||
			less.Job.CompletedAt != nil && more.Job.CompletedAt == nil || len(less.Labels) > 0 && len(more.Labels) == 0 ||
			len(less.Steps) > 0 && len(more.Steps) == 0 || less.Run.HeadSHA != nil && more.Run.HeadSHA == nil {
			t.Errorf("a value was lost between %+v and %+v", less, more)
		}
	})
}

func TestFoldTakesTheLatestName(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	id := int64(9)
	before := store.Facts{
		Repository: store.Repository{ID: 1, Owner: "acme", Name: "old", InstallationID: &id, SeenAt: at.Add(2 * time.Hour), NamedAt: at},
		Job:        store.Job{ID: 1, Status: store.StatusCompleted},
	}
	after := store.Facts{
		Repository: store.Repository{ID: 1, Owner: "acme", Name: "new", SeenAt: at, NamedAt: at.Add(time.Hour)},
		Job:        store.Job{ID: 1, Status: "queued"},
	}
	got := Fold([]store.Facts{before, after})
	if got.Repository.Name != "new" || *got.Repository.InstallationID != id || got.Job.Status != store.StatusCompleted {
		t.Errorf("folded to %+v", got)
	}
}
