package store_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/jobvault/jobvault/store"
)

// The id of a repository that needs more than 32 bits. GitHub's are half way there.
const largeID = 3_000_000_000

// page lists the ids of one page of the ledger.
func (f *fixture) page(filter store.LedgerFilter, after int64, limit int) (ids []int64) {
	f.t.Helper()
	lines, err := f.db.Ledger(f.t.Context(), filter, after, limit)
	f.check(err)
	for _, l := range lines {
		ids = append(ids, l.JobID)
	}
	return ids
}

// A line tells all of the log, and how to find the job.
func TestLedgerLineIsWhole(t *testing.T) {
	f := newFixture(t)
	facts := full(4, "completed", 2)
	facts.Repository.InstallationID, facts.Repository.Private = new(int64(5)), new(true)
	f.fetch(facts)
	f.settle(archivedAs(4))
	lines, err := f.db.Ledger(t.Context(), store.LedgerFilter{}, 0, 10)
	f.check(err)
	want := store.LedgerLine{
		JobLog: f.log(4), Repository: facts.Repository, RunID: 2, RunAttempt: facts.Job.RunAttempt, CreatedAt: facts.Job.CreatedAt,
	}
	want.Repository.HasName = true
	if diff := cmp.Diff([]store.LedgerLine{want}, lines, butTimes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want.ObjectKey == nil || want.SHA256 == nil {
		t.Errorf("the log is %+v", want.JobLog)
	}
}

// The ledger lists settled jobs alone, page after page by their ids, and counts
// what it lists.
func TestLedgerByPageAndFilter(t *testing.T) {
	f := newFixture(t)
	for i, state := range allStates {
		id := int64(i + 1)
		f.fetch(made(id, 1, "rocket", hour(i)))
		changed, err := f.db.Settle(t.Context(), settledAs(id, state), hour(20+i))
		f.check(err)
		if !changed {
			t.Fatalf("job %d is not settled", id)
		}
	}
	f.fetch(made(20, largeID, "lander", time.Time{}))
	f.settle(settledAs(20, store.LogNone))
	for _, c := range []struct {
		name   string
		filter store.LedgerFilter
		want   []int64
	}{
		{"all but pending and denied", store.LedgerFilter{}, []int64{2, 3, 4, 5, 7, 20}},
		{"of a repository", store.LedgerFilter{RepositoryID: 1}, []int64{2, 3, 4, 5, 7}},
		{"of one with a large id", store.LedgerFilter{RepositoryID: largeID}, []int64{20}},
		{"of one that is not there", store.LedgerFilter{RepositoryID: 99}, nil},
		{"created since", store.LedgerFilter{Since: hour(3)}, []int64{4, 5, 7}},
		{"settled by", store.LedgerFilter{SettledBy: hour(23)}, []int64{2, 3, 4, 20}},
		{"all of these", store.LedgerFilter{RepositoryID: 1, Since: hour(2), SettledBy: hour(24)}, []int64{3, 4, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fixture{t: t, pool: f.pool, db: f.db}
			for limit := 1; limit <= 10; limit += 3 {
				var got []int64
				for after := int64(0); ; after = got[len(got)-1] {
					page := f.page(c.filter, after, limit)
					if len(page) == 0 {
						break
					}
					if len(page) > limit {
						t.Errorf("%d lines, limit %d", len(page), limit)
					}
					got = append(got, page...)
				}
				if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("by %d (-want +got):\n%s", limit, diff)
				}
			}
			n, err := f.db.CountLedger(t.Context(), c.filter)
			f.check(err)
			if n != len(c.want) {
				t.Errorf("counted %d, want %d", n, len(c.want))
			}
		})
	}
}

// Lines can be read by id whatever their state.
func TestLedgerOfJobs(t *testing.T) {
	f := newFixture(t)
	want := map[int64]string{}
	for i, state := range allStates {
		f.fetch(factsOf(int64(i+1), "completed"))
		f.settle(settledAs(int64(i+1), state))
		want[int64(i+1)] = state
	}
	f.fetch(factsOf(50, "queued"))
	delete(want, 3)
	lines, err := f.db.LedgerOf(t.Context(), []int64{1, 2, 4, 5, 6, 7, 99})
	f.check(err)
	got := map[int64]string{}
	for id, l := range lines {
		got[id] = l.State
		if l.JobID != id || l.Repository.Name != "rocket" {
			t.Errorf("job %d: %+v", id, l)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if none, err := f.db.LedgerOf(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("of none: %v, %v", none, err)
	}
}

// How an archived log is stored may be corrected, but for another log never, nor
// for what is not archived.
func TestRepairIsForTheSameLogAlone(t *testing.T) {
	digest := func(job int64) [32]byte { return sha256.Sum256(fmt.Append(nil, job)) }
	for _, state := range allStates {
		for _, same := range []bool{true, false} {
			t.Run(fmt.Sprint(state, " ", same), func(t *testing.T) {
				f := newFixture(t)
				f.fetch(factsOf(4, "completed"))
				f.settle(settledAs(4, state))
				before := f.log(4)
				o := store.Object{
					Key: "v1/1/2/1/4/log.zst", RawBytes: 1, StoredBytes: 2, Lines: 3, SHA256: digest(4),
					FrameLines: []int64{1, 2}, FrameOffsets: []int64{0, 9}, StoredSHA256: digest(6), Truncated: true, ArchivedAt: hour(50),
				}
				if !same {
					o.SHA256 = digest(5)
				}
				repaired, err := f.db.RepairObject(t.Context(), 4, o)
				f.check(err)
				want := before
				if state == store.LogArchived && same {
					// When, and whether all of it, is a matter of the log, not of how it is stored.
					want.ObjectKey, want.RawBytes, want.StoredBytes, want.Lines = &o.Key, &o.RawBytes, &o.StoredBytes, &o.Lines
					want.FrameLines, want.FrameOffsets, want.StoredSHA256 = o.FrameLines, o.FrameOffsets, o.StoredSHA256[:]
				}
				if repaired != (state == store.LogArchived && same) {
					t.Errorf("repaired: %v", repaired)
				}
				if diff := cmp.Diff(want, f.log(4)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A job that nobody knows has nothing to repair.
func TestRepairOfNothing(t *testing.T) {
	f := newFixture(t)
	if repaired, err := f.db.RepairObject(t.Context(), 4, store.Object{}); repaired || err != nil {
		t.Errorf("repaired %v, %v", repaired, err)
	}
}
