package ingest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/ingest"
)

// Logs that were archived before jobvault knew how to read them for it tell the same
// as those that are read while they are archived; stopped in the middle, the
// reading goes on; what cannot be read is named and costs no other.
func TestReindexReadsWhatArchivingWould(t *testing.T) {
	t.Parallel()
	r, _ := settledDay(t, rigOptions{}, 35, 100)
	usage := func() map[string][]string {
		all := make(map[string][]string)
		for table, query := range rebuilt {
			if table == "job_logs" || strings.HasPrefix(table, "job_") {
				all[table] = tables(r, query)
			}
		}
		return all
	}
	before := usage()
	if len(before["job_actions"]) == 0 || len(before["job_annotations"]) == 0 || len(before["job_permissions"]) == 0 {
		t.Fatal("the day's logs tell nothing")
	}
	if got := tables(r, `SELECT count(*) > 0 AS called FROM job_actions WHERE path LIKE '.github/workflows/%' AND in_setup`); got[0] != tables(r, `SELECT true AS called`)[0] {
		t.Errorf("no reusable workflow is named: %v", got)
	}
	for table, rows := range before {
		if all := strings.Join(rows, "\n"); strings.Contains(strings.ToLower(all), "forged") {
			t.Errorf("%s has what an input of a reusable workflow says: %s", table, all)
		}
	}
	for _, table := range []string{"job_actions", "job_environment", "job_permissions", "job_annotations"} {
		r.exec(`DELETE FROM ` + table)
	}
	r.exec(`UPDATE job_logs SET usage_version = NULL`)
	x := &ingest.Reindexer{DB: r.db, Archive: r.archive}
	reindex := func(stopAfter int) (ingest.Reindexed, []string, error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var faults []string
		sum, err := x.Reindex(ctx, false, 3, func(f ingest.Fault) { faults = append(faults, f.Kind) }, func(sum ingest.Reindexed) {
			if sum.Jobs == stopAfter {
				cancel()
			}
		})
		return sum, faults, err
	}
	if _, _, err := reindex(5); err == nil {
		t.Error("it was stopped and does not say so")
	}
	if _, faults, err := reindex(0); err != nil || faults != nil {
		t.Errorf("%v, %v", faults, err)
	}
	if diff := cmp.Diff(before, usage()); diff != "" {
		t.Errorf("(-archived +read again):\n%s", diff)
	}
	if sum, _, err := reindex(0); err != nil || sum.Jobs != 0 {
		t.Errorf("with nothing to read: %+v, %v", sum, err)
	}
	ids := archivedJobs(r, 10_000)
	log := r.get(r.object(ids[0], "log.zst"))
	r.overwrite(r.object(ids[0], "log.zst"), log[:len(log)-20])
	r.exec(`UPDATE job_logs SET usage_version = 0`)
	sum, faults, err := reindex(0)
	if err != nil || sum.Faults != 1 || len(faults) != 1 || faults[0] != ingest.FaultUnread {
		t.Errorf("%+v, %v, %v", sum, faults, err)
	}
}
