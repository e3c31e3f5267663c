package githubsim

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// world is what the simulated GitHub knows. The lock is held for look-ups only,
// never while an answer is written.
type world struct {
	mu           sync.Mutex
	repositories map[int64]Repository
	names        map[string]int64 // lower-case owner/name, now
	formerNames  map[string]int64
	jobs         map[int64]Job
	runJobs      map[int64][]int64 // by run, in the order of arrival
	suspended    map[int64]time.Time
	late         map[int64]int // log requests still to be answered 404
}

func newWorld() *world {
	return &world{
		repositories: map[int64]Repository{},
		names:        map[string]int64{},
		formerNames:  map[string]int64{},
		jobs:         map[int64]Job{},
		runJobs:      map[int64][]int64{},
		suspended:    map[int64]time.Time{},
		late:         map[int64]int{},
	}
}

// nameKey is how names are looked up: case does not matter.
func nameKey(owner, name string) string {
	return strings.ToLower(owner) + "/" + strings.ToLower(name)
}

// AddRepository adds a repository, or replaces the one with its ID.
func (s *Server) AddRepository(r Repository) {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if old, ok := w.repositories[r.ID]; ok {
		delete(w.names, nameKey(old.Owner, old.Name))
	}
	w.repositories[r.ID] = r
	w.names[nameKey(r.Owner, r.Name)] = r.ID
}

// RenameRepository gives a repository a new owner or name. The old one is
// answered 301 to /repositories/ID/…, as GitHub does, until another repository
// takes it.
func (s *Server) RenameRepository(id int64, owner, name string) {
	w := s.world
	w.mu.Lock()
	r, ok := w.repositories[id]
	if ok {
		w.formerNames[nameKey(r.Owner, r.Name)] = id
	}
	w.mu.Unlock()
	if ok {
		r.Owner, r.Name = owner, name
		s.AddRepository(r)
	}
}

// AddJob adds a job, or replaces the one with its ID. What its pointers and
// slices refer to must not change any more.
func (s *Server) AddJob(j Job) {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if old, ok := w.jobs[j.ID]; !ok || old.RunID != j.RunID {
		w.forget(j.ID)
		w.runJobs[j.RunID] = append(w.runJobs[j.RunID], j.ID)
	}
	w.jobs[j.ID] = j
}

// RemoveJob makes a job unknown: 404 from then on.
func (s *Server) RemoveJob(id int64) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.forget(id)
}

func (w *world) forget(id int64) {
	old, ok := w.jobs[id]
	if !ok {
		return
	}
	delete(w.jobs, id)
	rest := slices.DeleteFunc(w.runJobs[old.RunID], func(other int64) bool { return other == id })
	if len(rest) == 0 {
		delete(w.runJobs, old.RunID)
		return
	}
	w.runJobs[old.RunID] = rest
}

// SuspendInstallation suspends an App's installation: it is listed with
// suspended_at and gets no tokens.
func (s *Server) SuspendInstallation(id int64, at time.Time) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.suspended[id] = at
}

// LogAvailableAt lets the job's log appear late: the first nth-1 requests for
// its text are answered 404.
func (s *Server) LogAvailableAt(jobID int64, nth int) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.late[jobID] = nth - 1
}

// log is the text that a request for it gets now, if any. It counts the request
// for LogAvailableAt.
func (w *world) log(jobID int64) (Job, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	j, ok := w.jobs[jobID]
	if w.late[jobID] > 0 {
		w.late[jobID]--
		return j, false
	}
	return j, ok && j.Status == "completed" && j.Log.Exists()
}

func (w *world) job(id int64) (Job, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	j, ok := w.jobs[id]
	return j, ok
}

func (w *world) repository(id int64) (Repository, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.repositories[id]
	return r, ok
}

// named finds a repository by its present name, or tells that it was renamed.
func (w *world) named(owner, name string) (r Repository, renamed, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := nameKey(owner, name)
	if id, ok := w.names[key]; ok {
		return w.repositories[id], false, true
	}
	if id, ok := w.formerNames[key]; ok {
		return w.repositories[id], true, true
	}
	return Repository{}, false, false
}

// allRepositories has them by ID.
func (w *world) allRepositories() []Repository {
	w.mu.Lock()
	defer w.mu.Unlock()
	rs := slices.Collect(maps.Values(w.repositories))
	slices.SortFunc(rs, func(a, b Repository) int { return cmp.Compare(a.ID, b.ID) })
	return rs
}

// jobsOf has a run's jobs in the order in which they were added.
func (w *world) jobsOf(repositoryID, runID int64) []Job {
	w.mu.Lock()
	defer w.mu.Unlock()
	var js []Job
	for _, id := range w.runJobs[runID] {
		if j := w.jobs[id]; j.RepositoryID == repositoryID {
			js = append(js, j)
		}
	}
	return js
}

// runsOf has the ids of a repository's runs, newest first as far as ids tell.
func (w *world) runsOf(repositoryID int64) []int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	var runs []int64
	for run, ids := range w.runJobs {
		if slices.ContainsFunc(ids, func(id int64) bool { return w.jobs[id].RepositoryID == repositoryID }) {
			runs = append(runs, run)
		}
	}
	slices.SortFunc(runs, func(a, b int64) int { return cmp.Compare(b, a) })
	return runs
}

// listedAttempt is the attempt whose list has the job.
func (j Job) listedAttempt() int64 { return cmp.Or(j.ListedAttempt, j.RunAttempt) }
