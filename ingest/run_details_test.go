package ingest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// keptRuns are the keys of the descriptions of runs that rows tell of.
func (r *rig) keptRuns() (keys []string) {
	r.T.Helper()
	for _, row := range r.Rows(`SELECT concat_ws('/', 'v1', repository_id, run_id, a.run_attempt, 'run.json') AS key FROM workflow_run_attempts a
		JOIN workflow_runs w ON w.id = run_id WHERE description_sha256 IS NOT NULL AND description_bytes > 0 ORDER BY 1`) {
		keys = append(keys, row["key"].(string))
	}
	return keys
}

// What a listing says of a completed attempt is kept in the bucket as GitHub sent it: each
// attempt once, whatever later listings say; nothing of one that goes on.
func TestListingsKeepRunsAsSent(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	r := newRig(t, ingesttest.Options{})
	r.forkedAndRerun(now)
	repo := r.knowRepository()
	r.sweepRecent(repo)
	want := []string{"v1/3/101/2/run.json", "v1/3/104/1/run.json"}
	if diff := cmp.Diff(want, r.keptRuns()); diff != "" {
		t.Errorf("after the first listing (-want +got):\n%s", diff)
	}
	first := r.Get(want[0])
	if run := gjson.ParseBytes(first); run.Get("id").Int() != 101 || run.Get("event").Str != "pull_request_target" || run.Get("repository.id").Int() != repo.ID ||
		!bytes.Contains(first, []byte(`"triggering_actor":{`)) {
		t.Errorf("not as GitHub sent it: %s", first)
	}

	r.GitHub.SetRun(githubsim.Run{ID: 101, Event: "pull_request_target", Actor: "mallory-renamed", Path: ".github/workflows/label.yml"})
	third := ingesttest.Completed(3, now, githubsim.Log{})
	r.GitHub.AddJob(third)
	r.sweepRecent(repo)
	if diff := cmp.Diff([]string{want[0], "v1/3/103/1/run.json", want[1]}, r.keptRuns()); diff != "" {
		t.Errorf("after a run has completed (-want +got):\n%s", diff)
	}
	if got := r.Get(want[0]); !bytes.Equal(got, first) {
		t.Errorf("the description of a completed attempt was %s, and is %s", first, got)
	}
}

// While the bucket is away nothing is noted, and nothing counts as swept; the next sweep
// makes up for it.
func TestRunsAreKeptOnceTheBucketIsBack(t *testing.T) {
	t.Parallel()
	now, dir := time.Now().UTC().Truncate(time.Second), t.TempDir()
	r := newRig(t, ingesttest.Options{BucketURL: "file://" + dir})
	r.forkedAndRerun(now)
	repo := r.knowRepository()
	// A file where the folder belongs: the directory takes nothing of this repository.
	inTheWay := filepath.Join(dir, "v1", strconv.FormatInt(ingesttest.Repository.ID, 10))
	r.Check(os.MkdirAll(filepath.Dir(inTheWay), 0o750))
	r.Check(os.WriteFile(inTheWay, nil, 0o600))
	_, err := r.Sweeper().Recent(t.Context(), repo, time.Time{})
	if err == nil || !strings.Contains(err.Error(), "run 101") {
		t.Errorf("with a bucket that takes nothing: %v", err)
	}
	if r.keptRuns() != nil || ingesttest.Scalar[bool](r.Rig, `SELECT EXISTS (SELECT FROM sweeps WHERE watermark IS NOT NULL)`) {
		t.Errorf("kept %q, and perhaps a watermark: %v", r.keptRuns(), err)
	}
	r.Check(os.Remove(inTheWay))
	r.sweepRecent(repo)
	if got := r.keptRuns(); len(got) != 2 || r.jobs() != 4 {
		t.Errorf("kept once it is back: %q, with %d jobs", got, r.jobs())
	}
}
