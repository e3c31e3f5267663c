package store_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobvault/jobvault/store"
)

// linesOf gives the steps these lines, whatever the steps are.
func linesOf(lines ...store.StepLines) store.StepAligner {
	return func([]store.Step) []store.StepLines { return lines }
}

// archivedAs is a settlement of a job whose log is in the bucket.
func archivedAs(job int64, lines ...store.StepLines) store.Settlement {
	return store.Settlement{
		JobID: job, State: store.LogArchived, HTTPStatus: 200, Asked: true, Steps: linesOf(lines...),
		Object: &store.Object{
			Key: fmt.Sprintf("v1/1/2/1/%d/log.zst", job), RawBytes: 3 << 20, StoredBytes: 1 << 18, Lines: 9,
			SHA256: sha256.Sum256(fmt.Append(nil, job)), FrameLines: []int64{1, 4, 7}, FrameOffsets: []int64{0, 1000, 2000},
			StoredSHA256: sha256.Sum256(fmt.Append(nil, "stored ", job)), ArchivedAt: day.Add(time.Minute), FilterBytes: 5000,
		},
	}
}

func settledAs(job int64, state string) store.Settlement {
	if state == store.LogArchived {
		return archivedAs(job)
	}
	return store.Settlement{JobID: job, State: state, Reason: "so it is", HTTPStatus: 404, Asked: true}
}

// settle wants the ledger to take it.
func (f *fixture) settle(s store.Settlement) {
	f.t.Helper()
	changed, err := f.db.Settle(f.t.Context(), s, day.Add(2*time.Minute))
	f.check(err)
	if !changed {
		f.t.Fatalf("job %d was not settled as %s", s.JobID, s.State)
	}
}

// completed are jobs whose logs are pending.
func (f *fixture) completed(ids ...int64) {
	f.t.Helper()
	for _, id := range ids {
		f.tell(factsOf(id, "completed"))
	}
}

func TestEveryJobHasExactlyOneRowInTheLedger(t *testing.T) {
	f := newFixture(t)
	f.tell(factsOf(3, "queued"), factsOf(3, "completed"), factsOf(4, "waiting"))
	f.fetch(factsOf(3, "completed"))
	f.fetch(factsOf(5, "in_progress"))
	got := column[string](f, `SELECT format('%s %s', j.id, l.state) FROM jobs j FULL JOIN job_logs l ON l.job_id = j.id ORDER BY 1`)
	if diff := cmp.Diff([]string{"3 pending", "4 pending", "5 pending"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestArchivedLogIsRecordedWhole(t *testing.T) {
	f := newFixture(t)
	f.fetch(withSteps(3, "completed", steps(3, "set up", "build", "skipped")...))
	s := archivedAs(3, store.StepLines{Number: 1, First: 1, Last: 4}, store.StepLines{Number: 2, First: 5, Last: 9}, store.StepLines{Number: 99, First: 9, Last: 9})
	s.Object.Truncated, s.Reason = true, "cut at 3145728 bytes"
	f.settle(s)
	o := s.Object
	want := store.JobLog{
		JobID: 3, State: "archived", Reason: &s.Reason, HTTPStatus: new(200), Attempts: 1, ObjectKey: &o.Key, RawBytes: &o.RawBytes,
		StoredBytes: &o.StoredBytes, Lines: &o.Lines, SHA256: o.SHA256[:], FrameLines: o.FrameLines, FrameOffsets: o.FrameOffsets,
		Truncated: true, ArchivedAt: &o.ArchivedAt, SettledAt: new(day.Add(2 * time.Minute)), StoredSHA256: o.StoredSHA256[:], FilterBytes: new(int64(5000)),
		SettledBytes: new(int64(0)),
	}
	if diff := cmp.Diff(want, f.log(3)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got := column[string](f, `SELECT format('%s: %s-%s', number, log_first_line, log_last_line) FROM steps ORDER BY number`)
	if diff := cmp.Diff([]string{"1: 1-4", "2: 5-9", "3: -"}, got); diff != "" {
		t.Errorf("lines of the steps (-want +got):\n%s", diff)
	}
}

func TestAnEmptyLogIsArchivedToo(t *testing.T) {
	f := newFixture(t)
	f.completed(3)
	s := archivedAs(3)
	s.Object.RawBytes, s.Object.Lines, s.Object.FrameLines, s.Object.FrameOffsets = 0, 0, nil, nil
	f.settle(s)
	if l := f.log(3); l.State != "archived" || *l.RawBytes != 0 || *l.Lines != 0 || len(l.FrameLines) != 0 {
		t.Errorf("%+v", l)
	}
}

func TestAnArchivedLogNeedsItsObject(t *testing.T) {
	f := newFixture(t)
	f.completed(3)
	before := f.log(3)
	for name, spoil := range map[string]func(*store.Settlement){
		"no object":         func(s *store.Settlement) { s.Object = nil },
		"too few offsets":   func(s *store.Settlement) { s.Object.FrameOffsets = s.Object.FrameOffsets[:2] },
		"an unknown state":  func(s *store.Settlement) { s.State = "lost" },
		"a NUL in a reason": func(s *store.Settlement) { s.Reason = "\x00" },
	} {
		s := archivedAs(3)
		spoil(&s)
		if changed, err := f.db.Settle(t.Context(), s, day); !store.IsBadData(err) || changed {
			t.Errorf("%s: %v, %v", name, changed, err)
		}
	}
	if diff := cmp.Diff(before, f.log(3)); diff != "" {
		t.Errorf("changed:\n%s", diff)
	}
}

func TestReasonAndStatusAreTheLatestKnown(t *testing.T) {
	f := newFixture(t)
	f.completed(3)
	f.check(f.db.NoteAttempt(t.Context(), store.Attempt{JobID: 3, Asked: true, Status: 404, Reason: "not yet"}))
	f.check(f.db.NoteAttempt(t.Context(), store.Attempt{JobID: 3, Asked: true, Status: 0, Reason: "no answer"}))
	if l := f.log(3); *l.HTTPStatus != 404 || *l.Reason != "no answer" || l.Attempts != 2 || l.State != "pending" || l.SettledAt != nil {
		t.Errorf("after two attempts: %+v", l)
	}
	f.settle(store.Settlement{JobID: 3, State: store.LogDenied, HTTPStatus: 403, Reason: "no access", Asked: true})
	if l := f.log(3); *l.HTTPStatus != 403 || *l.Reason != "no access" || l.Attempts != 3 || l.SettledAt != nil {
		t.Errorf("denied: %+v", l)
	}
	f.check(f.db.NoteAttempt(t.Context(), store.Attempt{JobID: 3, Asked: true, Status: 500, Reason: ""}))
	if l := f.log(3); *l.HTTPStatus != 500 || l.Reason != nil || l.Attempts != 4 || l.State != "pending" {
		t.Errorf("pending again: %+v", l)
	}
	f.settle(store.Settlement{JobID: 3, State: store.LogNone})
	if l := f.log(3); *l.HTTPStatus != 500 || l.Reason != nil || l.Attempts != 4 || !l.SettledAt.Equal(day.Add(2*time.Minute)) {
		t.Errorf("settled without asking: %+v", l)
	}
}

func TestUnknownJobsAreNotInTheLedger(t *testing.T) {
	f := newFixture(t)
	if _, err := f.db.JobLog(t.Context(), 99); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("JobLog: %v", err)
	}
	if _, err := f.db.JobToArchive(t.Context(), 99); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("JobToArchive: %v", err)
	}
	if changed, err := f.db.Settle(t.Context(), archivedAs(99, store.StepLines{Number: 1, First: 1, Last: 1}), day); changed || err != nil {
		t.Errorf("Settle: %v, %v", changed, err)
	}
	f.check(f.db.NoteAttempt(t.Context(), store.Attempt{JobID: 99, Asked: true, Status: 404, Reason: "not there"}))
	if n := scalar[int](f, `SELECT count(*) FROM job_logs`); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestOfManyWorkersOneSettles(t *testing.T) {
	f := newFixture(t)
	for job := range int64(10) {
		f.completed(job + 1)
		var mu sync.Mutex
		var winners []store.Settlement
		var running sync.WaitGroup
		for worker := range 6 {
			s := archivedAs(job + 1)
			s.Object.RawBytes = int64(worker)
			if worker%2 == 1 {
				s = settledAs(job+1, store.LogNone)
			}
			running.Go(func() {
				changed, err := f.db.Settle(t.Context(), s, day)
				if err != nil {
					t.Error(err)
				}
				if changed {
					mu.Lock()
					winners = append(winners, s)
					mu.Unlock()
				}
			})
		}
		running.Wait()
		l := f.log(job + 1)
		if len(winners) != 1 || l.State != winners[0].State || l.Attempts != 1 {
			t.Errorf("job %d: %d settled it; it is %s after %d attempts", job+1, len(winners), l.State, l.Attempts)
		} else if o := winners[0].Object; o != nil && *l.RawBytes != o.RawBytes {
			t.Errorf("job %d has the object of another", job+1)
		}
	}
}
