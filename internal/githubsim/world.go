package githubsim

import (
	"cmp"
	"sync"
	"time"
)

// world is what the simulated GitHub knows. The lock is held for look-ups only,
// never while an answer is written.
type world struct {
	mu            sync.Mutex
	repositories  map[int64]Repository
	names         map[string]int64 // lower-case owner/name, now
	formerNames   map[string]int64
	installations map[int64]string // their accounts
	suspended     map[int64]time.Time
	jobs          map[int64]Job
	runs          map[int64]runJobs // by repository
	listed        map[int64][]*run  // by repository, see runsOf
	origins       map[int64]Run     // by run, see SetRun
	late          map[int64]int     // log requests still to be answered 404
	expired       map[int64]bool    // jobs whose logs are gone
	whole         map[int64]bool    // jobs whose logs are not cut any more, see Job.LogCutAt
}

func newWorld() *world {
	return &world{
		repositories:  map[int64]Repository{},
		names:         map[string]int64{},
		formerNames:   map[string]int64{},
		installations: map[int64]string{},
		suspended:     map[int64]time.Time{},
		jobs:          map[int64]Job{},
		runs:          map[int64]runJobs{},
		listed:        map[int64][]*run{},
		origins:       map[int64]Run{},
		late:          map[int64]int{},
		expired:       map[int64]bool{},
		whole:         map[int64]bool{},
	}
}

// AddJob adds a job, or replaces the one with its ID. What its pointers and
// slices refer to must not change any more.
func (s *Server) AddJob(j Job) {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if old, ok := w.jobs[j.ID]; !ok || old.RunID != j.RunID || old.RepositoryID != j.RepositoryID {
		w.forget(j.ID)
		w.index(j)
	}
	w.jobs[j.ID] = j
	delete(w.listed, j.RepositoryID)
}

// RemoveJob makes a job unknown: 404 from then on.
func (s *Server) RemoveJob(id int64) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.forget(id)
}

// forget needs the lock.
func (w *world) forget(id int64) {
	if old, ok := w.jobs[id]; ok {
		delete(w.jobs, id)
		delete(w.listed, old.RepositoryID)
		w.unindex(old)
	}
}

// LogAvailableAt lets the job's log appear late: the first nth-1 requests for
// its text are answered 404.
func (s *Server) LogAvailableAt(jobID int64, nth int) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.late[jobID] = nth - 1
}

// ExpireLog lets the job's log be gone, as after its retention: the API answers
// 410 from then on, or a Gitea's 404 that says so.
func (s *Server) ExpireLog(jobID int64) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.expired[jobID] = true
}

func (w *world) logExpired(jobID int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.expired[jobID]
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

// listedAttempt is the attempt whose list has the job.
func (j Job) listedAttempt() int64 { return cmp.Or(j.ListedAttempt, j.RunAttempt) }
