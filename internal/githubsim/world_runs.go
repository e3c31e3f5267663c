package githubsim

import (
	"cmp"
	"slices"
)

// runJobs are the ids of a repository's jobs by run, in the order of arrival.
type runJobs map[int64][]int64

// index puts a job into its run. It needs the lock.
func (w *world) index(j Job) {
	runs := w.runs[j.RepositoryID]
	if runs == nil {
		runs = runJobs{}
		w.runs[j.RepositoryID] = runs
	}
	runs[j.RunID] = append(runs[j.RunID], j.ID)
}

// unindex takes a job out of its run. It needs the lock.
func (w *world) unindex(j Job) {
	runs := w.runs[j.RepositoryID]
	rest := slices.DeleteFunc(runs[j.RunID], func(other int64) bool { return other == j.ID })
	if len(rest) == 0 {
		delete(runs, j.RunID)
		return
	}
	runs[j.RunID] = rest
}

// jobsOf has a run's jobs in the order in which they were added.
func (w *world) jobsOf(repositoryID, runID int64) []Job {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.jobsWith(w.runs[repositoryID][runID])
}

// jobsWith needs the lock.
func (w *world) jobsWith(ids []int64) []Job {
	js := make([]Job, len(ids))
	for i, id := range ids {
		js[i] = w.jobs[id]
	}
	return js
}

// runsOf has a repository's runs, newest first. They are kept until one of the
// repository's jobs changes: a listing has many pages, and searches slice it. The
// caller must not change them.
func (w *world) runsOf(repositoryID int64) []*run {
	w.mu.Lock()
	defer w.mu.Unlock()
	if runs, ok := w.listed[repositoryID]; ok {
		return runs
	}
	runs := make([]*run, 0, len(w.runs[repositoryID]))
	for _, ids := range w.runs[repositoryID] {
		runs = append(runs, runOf(w.jobsWith(ids)))
	}
	slices.SortFunc(runs, func(a, b *run) int {
		return cmp.Or(b.created.Compare(a.created), cmp.Compare(b.first.RunID, a.first.RunID))
	})
	w.listed[repositoryID] = runs
	return runs
}
