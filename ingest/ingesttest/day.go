package ingesttest

import (
	"bytes"
	"crypto/sha256"
	"io"
	"maps"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// CompareDay compares ledger and bucket with what the simulator served.
func (r *Rig) CompareDay(day githubsim.Day) {
	r.T.Helper()
	for _, row := range r.Rows(`SELECT job_id, state, reason FROM job_logs`) {
		if want := day.Expected[row["job_id"].(int64)]; row["state"] != want {
			r.T.Errorf("job %d is %s (%v), want %s", row["job_id"], row["state"], row["reason"], want)
		}
	}
	if n := Scalar[int](r, `SELECT count(*) FROM job_logs`); n != len(day.Expected) {
		r.T.Errorf("%d jobs in the ledger, want %d", n, len(day.Expected))
	}
	r.compareCarriedOver(day)
	for _, j := range day.Jobs {
		if day.Expected[j.ID] == "archived" {
			r.CompareLog(j)
		}
	}
}

// compareCarriedOver compares which jobs did not run again with what the simulator knows.
func (r *Rig) compareCarriedOver(day githubsim.Day) {
	r.T.Helper()
	carried := make(map[int64]int64)
	for _, row := range r.Rows(`SELECT id, carried_over_from FROM jobs WHERE carried_over_from IS NOT NULL`) {
		carried[row["id"].(int64)] = row["carried_over_from"].(int64)
	}
	if !maps.Equal(carried, day.CarriedOver) {
		r.T.Errorf("carried over are %v, want %v", carried, day.CarriedOver)
	}
}

// CompareLog compares a job's ledger line and object with the log served.
func (r *Rig) CompareLog(j githubsim.Job) {
	r.T.Helper()
	entry, err := r.DB.JobLog(r.T.Context(), j.ID)
	r.Check(err)
	want := j.Log.SHA256()
	if !bytes.Equal(entry.SHA256, want[:]) || *entry.RawBytes != j.Log.Size() {
		r.T.Errorf("job %d: ledger has %x, %d bytes; served %x, %d bytes", j.ID, entry.SHA256, *entry.RawBytes, want, j.Log.Size())
		return
	}
	body, err := r.Archive.OpenLog(r.T.Context(), *entry.ObjectKey)
	r.Check(err)
	defer body.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, body)
	r.Check(err)
	if !bytes.Equal(sum.Sum(nil), want[:]) {
		r.T.Errorf("job %d: the object is not the log that was served", j.ID)
	}
}

// SettledDay is a rig with an archived day.
func SettledDay(t testing.TB, o Options, seed uint64, jobs int) (*Rig, githubsim.Day) {
	t.Helper()
	r := New(t, o)
	day := r.GitHub.PlayableDay(seed, jobs, 3<<20)
	r.Work()
	r.Send(day.Deliveries, githubsim.SendOptions{Shuffle: true, Seed: 1, Concurrency: 16})
	r.Await(time.Minute, Settled)
	r.StopWork()
	return r, day
}
