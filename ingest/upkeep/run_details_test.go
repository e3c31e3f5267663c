package upkeep_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/testenv"
)

// listRuns has GitHub's listings tell of the runs of all repositories.
func (r *rig) listRuns() {
	r.T.Helper()
	repos, err := r.DB.Repositories(r.T.Context())
	r.Check(err)
	for _, repo := range repos {
		_, err := r.Sweeper().Recent(r.T.Context(), repo, time.Now().Add(-48*time.Hour))
		r.Check(err)
	}
	r.Drain()
}

// runKeys are the keys of the attempts whose rows tell of a run.json.
func (r *rig) runKeys() (keys []archive.RunKey) {
	r.T.Helper()
	for _, row := range r.Rows(`SELECT repository_id, run_id, a.run_attempt FROM workflow_run_attempts a JOIN workflow_runs w ON w.id = run_id
		WHERE description_sha256 IS NOT NULL ORDER BY 2, 3`) {
		keys = append(keys, archive.RunKey{RepositoryID: row["repository_id"].(int64), RunID: row["run_id"].(int64), RunAttempt: row["run_attempt"].(int64)})
	}
	return keys
}

// A run.json that is lost is fetched again; one that was changed, and one that no row
// tells of, are named and left. One that is of no use keeps a rebuild from nothing else.
func TestVerifyLooksAfterDescriptionsOfRuns(t *testing.T) {
	t.Parallel()
	bucketURL := testenv.FileBucketURL(t)
	r, _ := settledDay(t, ingesttest.Options{BucketURL: bucketURL}, 35, 60)
	r.listRuns()
	keys := r.runKeys()
	if len(keys) < 5 {
		t.Fatalf("%d descriptions of runs", len(keys))
	}
	whole := upkeep.VerifyOptions{Deep: true}
	if faults, _ := r.verify(whole); faults != nil {
		t.Fatalf("of a whole archive: %v", faults)
	}
	lost, cut, changed, unknown := keys[0], keys[1], keys[2], keys[3]
	r.Check(r.Archive.Bucket().Remove(t.Context(), lost.Run()))
	r.Overwrite(cut.Run(), []byte(`{"id":`))
	text := r.Get(changed.Run())
	text[len(text)-2] ^= 1
	r.Overwrite(changed.Run(), text)
	r.Exec(`UPDATE workflow_run_attempts SET description_sha256 = NULL, description_bytes = NULL WHERE run_id = $1`, unknown.RunID)
	r.Now = func() time.Time { return time.Now().Add(2 * time.Hour) } // orphans are old
	if faults, _ := r.verify(upkeep.VerifyOptions{}); !cmp.Equal(faults, []string{"0 details", "0 details", "0 orphan"}) {
		t.Errorf("by sizes: %v", faults)
	}
	if faults, _ := r.verify(whole); !cmp.Equal(faults, []string{"0 details", "0 details", "0 details", "0 orphan"}) {
		t.Errorf("deep: %v", faults)
	}
	if faults, _ := r.verify(upkeep.VerifyOptions{Repair: true}); !cmp.Equal(faults, []string{"0 details", "0 details repaired", "0 orphan"}) {
		t.Errorf("repaired: %v", faults)
	}
	if got := r.Get(lost.Run()); len(got) == 0 {
		t.Error("nothing was fetched again")
	}

	again := newRig(t, ingesttest.Options{BucketURL: bucketURL})
	sum := again.rebuild(0)
	// What is no description of that run tells nothing; changed has become no JSON.
	if sum.Faults != 2 || sum.Runs != len(keys)-2 {
		t.Errorf("%+v", sum)
	}
	if got := len(again.runKeys()); got != len(keys)-2 {
		t.Errorf("%d of %d descriptions are noted", got, len(keys))
	}
}
