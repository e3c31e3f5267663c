package upkeep_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
)

// verifyRows gives the faults as "kind table column", sorted, of a rig.
func (r *rig) verifyRows(o upkeep.VerifyOptions) ([]string, upkeep.VerifyDatabaseResult) {
	r.T.Helper()
	v := &upkeep.Verifier{DB: r.DB, Archive: r.Archive, Now: r.Now}
	return verifyRows(r.T, v, o)
}

func verifyRows(t testing.TB, v *upkeep.Verifier, o upkeep.VerifyOptions) (faults []string, sum upkeep.VerifyDatabaseResult) {
	t.Helper()
	done, total := 0, 0
	sum, err := v.VerifyDatabase(t.Context(), o, func(f upkeep.Fault) {
		text := f.Kind
		if f.Table != "" {
			text += " " + f.Table + " " + f.Column
		}
		faults = append(faults, text)
		if f.Key == "" || f.Detail == "" || f.Kind == archive.FaultRow && (f.Row == "" || f.Database == f.Bucket) {
			t.Errorf("a fault that does not tell enough: %+v", f)
		}
		if testing.Verbose() {
			t.Log(f.Error())
		}
	}, func(d, n int) { done, total = d, n })
	if err != nil {
		t.Fatal(err)
	}
	if done != total || sum.Faults != len(faults) {
		t.Errorf("progress ended at %d of %d; %d faults reported, %d counted", done, total, len(faults), sum.Faults)
	}
	slices.Sort(faults)
	return faults, sum
}

// A day of real jobs, from webhooks in any order and from the REST API: every row is
// what the bucket tells. So is every row of a database that was rebuilt.
func TestRowsOfADayAreWhatTheBucketTells(t *testing.T) {
	t.Parallel()
	bucketURL := testenv.FileBucketURL(t)
	r, _ := settledDay(t, ingesttest.Options{BucketURL: bucketURL}, 77, 80)
	faults, sum := r.verifyRows(upkeep.VerifyOptions{})
	if faults != nil || sum.Jobs != 80 || sum.Logs == 0 || sum.RawBytes == 0 {
		t.Errorf("%q %+v", faults, sum)
	}
	if _, some := r.verifyRows(upkeep.VerifyOptions{Sample: .2}); some.Jobs == 0 || some.Jobs > 50 {
		t.Errorf("a sample is %d jobs", some.Jobs)
	}
	if _, none := r.verifyRows(upkeep.VerifyOptions{Since: time.Now().AddDate(1, 0, 0)}); none.Jobs != 0 {
		t.Errorf("of the future there are %d jobs", none.Jobs)
	}
	lost := newRig(t, ingesttest.Options{BucketURL: bucketURL})
	lost.rebuild(0)
	if faults, again := lost.verifyRows(upkeep.VerifyOptions{}); faults != nil || again.Jobs != sum.Jobs-sum.Untold {
		t.Errorf("rebuilt: %q %+v", faults, again)
	}
}

// What the bucket cannot tell is no fault: jobs that only webhooks told of, what a
// webhook filled in, and when a row was written.
func TestRowsThatTheBucketCannotTell(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	j := ingesttest.Completed(1, r.Now(), githubsim.TextLog([]byte("x\n")))
	j.Omit = []string{"runner_id", "runner_name", "runner_group_id", "runner_group_name", "head_branch", "labels"}
	r.Know(j)
	r.Try(1)
	r.pending(2)
	r.Exec(`UPDATE jobs SET runner_name = 'by a webhook', runner_id = 7, fetched_at = now() WHERE id = 1`)
	r.Exec(`UPDATE workflow_runs SET head_branch = 'main'`)
	r.Exec(`INSERT INTO labels (name) VALUES ('by a webhook')`)
	r.Exec(`DELETE FROM job_labels`)
	r.Exec(`INSERT INTO job_labels SELECT 1, id, 0 FROM labels WHERE name = 'by a webhook'`)
	r.Exec(`UPDATE repositories SET owner = 'moved', private = NOT private`)
	r.Exec(`UPDATE job_logs SET attempts = 9, archived_at = now()`)
	if faults, sum := r.verifyRows(upkeep.VerifyOptions{}); faults != nil || sum.Jobs != 2 || sum.Untold != 1 || sum.Logs != 1 || sum.Unread != 0 {
		t.Errorf("%q %+v", faults, sum)
	}
	r.Exec(`UPDATE job_logs SET usage_version = 0`)
	r.Exec(`DELETE FROM job_environment`)
	if faults, sum := r.verifyRows(upkeep.VerifyOptions{}); faults != nil || sum.Unread != 1 {
		t.Errorf("of an older way of reading: %q %+v", faults, sum)
	}
}

// If the jobs of a run contradict each other about it, the row has the greatest value:
// that is no fault, and any other value is one.
func TestRowsOfARunWhoseJobsContradictEachOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	for id, branch := range map[int64]string{1: "main", 2: "trunk"} {
		j := ingesttest.Completed(id, r.Now(), githubsim.TextLog([]byte("x\n")))
		j.RunID, j.HeadBranch = 100, branch
		r.Know(j)
		r.Try(id)
	}
	if faults, _ := r.verifyRows(upkeep.VerifyOptions{}); faults != nil {
		t.Errorf("%q", faults)
	}
	r.Exec(`UPDATE workflow_runs SET head_branch = 'zzz'`)
	if faults, _ := r.verifyRows(upkeep.VerifyOptions{}); !cmp.Equal(faults, []string{"row workflow_runs head_branch", "row workflow_runs head_branch"}) {
		t.Errorf("%q", faults)
	}
}

// Wrong rows are cured by reindex, as far as an archived log tells, and by a rebuild of
// an empty database. A rebuild of a database that has the jobs changes none of their
// rows.
func TestWhatCuresARow(t *testing.T) {
	t.Parallel()
	w := newEvidenceWorld(t)
	w.Exec(`UPDATE job_actions SET resolved_sha = repeat('f', 40) WHERE job_id = 1`)
	w.Exec(`DELETE FROM job_annotations WHERE job_id = 1`)
	w.Exec(`UPDATE job_environment SET runner_version = '1' WHERE job_id = 1`)
	w.Exec(`UPDATE job_permissions SET level = 'write' WHERE job_id = 1`)
	x := &upkeep.Reindexer{DB: w.DB, Archive: w.Archive}
	_, err := x.Reindex(t.Context(), true, 2, func(f archive.Fault) { t.Error(f.Error()) }, func(upkeep.ReindexResult) {})
	w.Check(err)
	if faults, _ := w.verifyRows(upkeep.VerifyOptions{}); faults != nil {
		t.Errorf("reindexed: %q", faults)
	}
	w.Exec(`UPDATE jobs SET name = 'innocent' WHERE id = 1`)
	w.Exec(`UPDATE log_removals SET actor = 'mallory' WHERE job_id = 6`)
	w.rebuild(0)
	if faults, _ := w.verifyRows(upkeep.VerifyOptions{}); !cmp.Equal(faults, []string{"row jobs name", "row log_removals actor"}) {
		t.Errorf("rebuilt over what was there: %q", faults)
	}
	empty := newRig(t, ingesttest.Options{Now: w.Now, BucketURL: "file://" + w.dir})
	empty.rebuild(0)
	if faults, sum := empty.verifyRows(upkeep.VerifyOptions{}); faults != nil || sum.Listed == 0 {
		t.Errorf("rebuilt from nothing: %q %+v", faults, sum)
	}
}

// Every column that the bucket tells of: another value is named, with table and column.
func TestEveryColumnThatTheBucketTells(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	day := r.GitHub.PlayableDay(5, 30, 100_000)
	r.Work()
	r.Send(day.Deliveries, githubsim.SendOptions{Concurrency: 16})
	r.Await(time.Minute, ingesttest.Settled)
	r.StopWork()
	now.Advance(24 * time.Hour)
	r.writeManifests()
	if faults, sum := r.verifyRows(upkeep.VerifyOptions{}); faults != nil || sum.Listed == 0 {
		t.Fatalf("%q %+v", faults, sum)
	}
	archived := `(SELECT min(l.job_id) FROM job_logs l JOIN steps s USING (job_id) JOIN job_actions a USING (job_id) JOIN job_annotations n USING (job_id) WHERE state = 'archived')`
	for sql, want := range map[string][]string{
		`UPDATE jobs SET name = name || '!' WHERE id = ` + archived:                                                                                                                           {"row jobs name"},
		`UPDATE jobs SET carried_over_from = (SELECT max(id) FROM jobs) WHERE id = ` + archived:                                                                                               {"row jobs carried_over_from"},
		`UPDATE jobs SET conclusion = 'neutral' WHERE id = ` + archived:                                                                                                                       {"row jobs conclusion"},
		`UPDATE jobs SET conclusion = NULL WHERE id = ` + archived:                                                                                                                            {"row jobs conclusion"},
		`UPDATE jobs SET status = 'in_progress' WHERE id = ` + archived:                                                                                                                       {"row jobs status"},
		`UPDATE jobs SET started_at = started_at - interval '1 second' WHERE id = ` + archived:                                                                                                {"row jobs started_at"},
		`UPDATE jobs SET runner_name = 'mallory' WHERE id = ` + archived:                                                                                                                      {"row jobs runner_name"},
		`UPDATE jobs SET html_url = 'https://example.com' WHERE id = ` + archived:                                                                                                             {"row jobs html_url"},
		`UPDATE workflow_runs SET head_sha = repeat('f', 40) WHERE id = (SELECT run_id FROM jobs WHERE id = ` + archived + `)`:                                                                nil, // of each job of it
		`UPDATE steps SET name = 'innocent' WHERE (job_id, number) = (SELECT job_id, min(number) FROM steps WHERE job_id = ` + archived + ` GROUP BY 1)`:                                      {"row steps name"},
		`UPDATE steps SET conclusion = 'neutral' WHERE (job_id, number) = (SELECT job_id, min(number) FROM steps WHERE job_id = ` + archived + ` GROUP BY 1)`:                                 {"row steps conclusion"},
		`DELETE FROM steps WHERE (job_id, number) = (SELECT job_id, min(number) FROM steps WHERE job_id = ` + archived + ` GROUP BY 1)`:                                                       {"row steps "},
		`INSERT INTO steps (job_id, number, name, status) VALUES (` + archived + `, 999, 'x', 'completed')`:                                                                                   {"row steps "},
		`WITH forged AS (INSERT INTO labels (name) VALUES ('forged') RETURNING id) UPDATE job_labels SET label_id = (SELECT id FROM forged) WHERE (job_id, position) = (` + archived + `, 0)`: {"row job_labels label"},
		`DELETE FROM job_labels WHERE job_id = ` + archived:                                                                                                                                   nil,
		`UPDATE job_actions SET resolved_sha = repeat('e', 40) WHERE (job_id, seq) = (` + archived + `, 0)`:                                                                                   {"row job_actions resolved_sha"},
		`DELETE FROM job_actions WHERE (job_id, seq) = (` + archived + `, 0)`:                                                                                                                 {"row job_actions "},
		`INSERT INTO job_permissions VALUES (` + archived + `, 'Forged', 'write')`:                                                                                                            {"row job_permissions "},
		`UPDATE job_environment SET runner_version = '0' WHERE job_id = ` + archived:                                                                                                          {"row job_environment runner_version"},
		`UPDATE job_actions SET kind = 'image' WHERE (job_id, seq) = (` + archived + `, 0)`:                                                                                                   {"row job_actions kind"},
		`UPDATE job_environment SET (machine, cache_mode, runner_group, runner_name) = ('x', 'x', 'x', 'x') WHERE job_id = ` + archived: {
			"row job_environment cache_mode", "row job_environment machine", "row job_environment runner_group", "row job_environment runner_name"},
		`UPDATE job_environment SET (actions_locked, defined_from) = (true, 'run') WHERE job_id = ` + archived: {"row job_environment actions_locked", "row job_environment defined_from"},
		`UPDATE job_environment SET (errors_cut, warnings_cut, notices_cut, annotations_cut) = (1, 1, 1, 1) WHERE job_id = ` + archived: {
			"row job_environment annotations_cut", "row job_environment errors_cut", "row job_environment notices_cut", "row job_environment warnings_cut"},
		`UPDATE job_annotations SET (tolerated, file, file_line) = (true, 'x', 1) WHERE (job_id, log_line) = (SELECT job_id, min(log_line) FROM job_annotations WHERE job_id = ` + archived + ` GROUP BY 1)`: {
			"row job_annotations file", "row job_annotations file_line", "row job_annotations tolerated"},
		`DELETE FROM job_environment WHERE job_id = ` + archived: {"row job_environment "},
		`UPDATE steps SET log_lines = CASE log_lines WHEN 'exact' THEN 'shared' ELSE 'exact' END WHERE (job_id, number) = (SELECT job_id, min(number) FROM steps WHERE log_first_line IS NOT NULL AND job_id = ` + archived + ` GROUP BY 1)`: {"row steps log_lines"},
		`UPDATE steps SET log_last_line = log_last_line + 1 WHERE (job_id, number) = (SELECT job_id, min(number) FROM steps WHERE log_first_line IS NOT NULL AND job_id = ` + archived + ` GROUP BY 1)`:                                      {"row steps log_last_line"},
		`UPDATE steps SET log_first_line = NULL, log_last_line = NULL, log_lines = NULL WHERE (job_id, number) = (SELECT job_id, min(number) FROM steps WHERE log_first_line IS NOT NULL AND job_id = ` + archived + ` GROUP BY 1)`:          {"row steps log_first_line", "row steps log_last_line", "row steps log_lines"},
		`UPDATE job_annotations SET step_number = 999 WHERE (job_id, log_line) = (SELECT job_id, min(log_line) FROM job_annotations WHERE job_id = ` + archived + ` GROUP BY 1)`:                                                             {"row job_annotations step_number"},
		`UPDATE job_annotations SET message = 'all is well' WHERE (job_id, log_line) = (SELECT job_id, min(log_line) FROM job_annotations WHERE job_id = ` + archived + ` GROUP BY 1)`:                                                       {"row job_annotations message"},
		`INSERT INTO job_annotations VALUES (` + archived + `, 999999, 'error', 'forged')`:                                                                                                                                                   {"row job_annotations "},
		`UPDATE job_logs SET lines = lines + 1 WHERE job_id = ` + archived:                                                                       {"row job_logs lines", "row job_logs lines"},
		`UPDATE job_logs SET frame_lines[1] = 9 WHERE job_id = ` + archived:                                                                      {"row job_logs frame_lines"},
		`UPDATE job_logs SET sha256 = sha256('') WHERE job_id = ` + archived:                                                                     {"row job_logs sha256", "row job_logs sha256"},
		`UPDATE job_logs SET settled_at = settled_at - interval '1 hour' WHERE job_id = ` + archived:                                             {"row job_logs settled_at"},
		`UPDATE job_logs SET reason = 'because' WHERE job_id = ` + archived:                                                                      {"row job_logs reason"},
		`UPDATE job_logs SET truncated = true WHERE job_id = ` + archived:                                                                        {"row job_logs truncated"},
		`UPDATE job_logs SET state = 'pending', settled_at = NULL WHERE job_id = ` + archived:                                                    {"row job_logs state"},
		`UPDATE job_logs SET state = 'expired' WHERE job_id = ` + archived:                                                                       {"row job_logs state", "settled"},
		`DELETE FROM job_logs WHERE job_id = ` + archived:                                                                                        {"row job_logs ", "row job_logs "},
		`UPDATE job_logs SET details_sha256 = sha256('') WHERE job_id = ` + archived:                                                             {"details"},
		`UPDATE job_logs SET reason = 'because' WHERE job_id = (SELECT min(job_id) FROM job_logs WHERE state = 'none')`:                          {"row job_logs reason", "row job_logs reason"},
		`UPDATE job_logs SET settled_at = settled_at - interval '1 hour' WHERE job_id = (SELECT min(job_id) FROM job_logs WHERE state = 'none')`: {"row job_logs settled_at", "row job_logs settled_at"},
		`UPDATE manifests SET jobs = jobs + 1`:                                                                                                   {"row manifests jobs"},
		`UPDATE manifests SET sha256 = sha256('')`:                                                                                               {"row manifests sha256"},
	} {
		undo := r.tampered(sql)
		got, _ := r.verifyRows(upkeep.VerifyOptions{})
		slices.Sort(want)
		if want != nil && !cmp.Equal(got, want) || got == nil {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
		undo()
	}
	if faults, _ := r.verifyRows(upkeep.VerifyOptions{}); faults != nil {
		t.Errorf("put back: %q", faults)
	}
}
