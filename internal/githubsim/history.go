package githubsim

import (
	"cmp"
	"fmt"
	"time"
)

// History says what to make of the past: many jobs, few of them odd. The zero
// value is none.
type History struct {
	// Seed decides everything, ids and names included; those of two seeds differ
	// unless the seeds are equal modulo 1000.
	Seed uint64
	// Runs is how many there are; 0: one for each six jobs. Every one has a job,
	// so that there are never fewer Jobs than Runs.
	Runs, Jobs int
	// Repositories are of one organisation with one installation, and by turns
	// public and private; 0: 4, at most 10,000.
	Repositories int
	// Begin and End are the span over which the runs were created, evenly. Zero:
	// until 20 minutes ago, and from 30 days before the End. All jobs have ended
	// 20 minutes after their run was created.
	Begin, End time.Time
	// LogSize is the mean of the logs' sizes in bytes; 0: 2,000.
	LogSize int64
	// NoDeliveries leaves out the webhooks, which are 10 KB each.
	NoDeliveries bool
}

// historyRunTime is how long a run takes at most, its second attempt included.
const historyRunTime = 20 * time.Minute

func (h History) withDefaults(now time.Time) History {
	h.Runs = cmp.Or(h.Runs, (h.Jobs+5)/6)
	h.Jobs = max(h.Jobs, h.Runs)
	h.Repositories = cmp.Or(h.Repositories, 4)
	h.LogSize = cmp.Or(h.LogSize, 2000)
	if h.End.IsZero() {
		h.End = now.Add(-historyRunTime)
	}
	if h.Begin.IsZero() {
		h.Begin = h.End.AddDate(0, 0, -30)
	}
	h.Begin, h.End = h.Begin.UTC().Truncate(time.Second), h.End.UTC().Truncate(time.Second)
	return h
}

// AddHistory adds a past to the server and tells what it added. Most jobs ended
// well and have a log; three of a hundred were skipped, two have a log that
// expired, and one of a hundred runs has a second attempt. The same history and
// clock give the same day.
func (s *Server) AddHistory(h History) Day {
	h = h.withDefaults(s.now())
	m := h.maker(s)
	for _, r := range m.day.Repositories {
		s.AddRepository(r)
	}
	step := h.End.Sub(h.Begin) / time.Duration(max(1, h.Runs))
	for i, n := range h.jobsPerRun(&m.rng) {
		at := step*time.Duration(i) + time.Duration(m.rng.float()*float64(step))
		p := pastRun{jobs: n, logSize: h.LogSize}
		play := p.once
		if rerun(i) && n >= rerunJobs {
			play = p.twice
		}
		m.play(scene{
			at:       at.Truncate(time.Second),
			jobs:     n,
			repo:     m.rng.below(h.Repositories),
			workflow: workflowNames[m.rng.below(len(workflowNames))],
			play:     play,
		})
	}
	m.addJobs()
	if !h.NoDeliveries {
		m.tell()
	}
	return m.day
}

// maker has ids that no PlayableDay has.
func (h History) maker(s *Server) *dayMaker {
	base := int64(h.Seed % 1000)
	m := &dayMaker{
		s:       s,
		rng:     rng(h.Seed),
		begin:   h.Begin,
		nextRun: 100_000_000_000 + base*100_000_000,
		nextJob: 1_000_000_000_000 + base*1_000_000_000,
		day:     Day{Expected: make(map[int64]string, h.Jobs), CarriedOver: map[int64]int64{}},
	}
	for i := range h.Repositories {
		m.day.Repositories = append(m.day.Repositories, Repository{
			ID:             10_000_000 + base*10_000 + int64(i),
			Owner:          fmt.Sprintf("acme-%d", base),
			Name:           fmt.Sprintf("%s-%d", word(&m.rng), i),
			Private:        i%2 == 1,
			InstallationID: 1_000_001 + base,
		})
	}
	return m
}

// rerunJobs is the least number of jobs in a run that was run again: one that is
// carried over and one that failed, twice.
const rerunJobs = 4

// rerun tells which runs have a second attempt: one of a hundred, and one already
// in a short history.
func rerun(i int) bool { return i%100 == 7 }

// jobsPerRun shares the jobs out.
func (h History) jobsPerRun(r *rng) []int {
	counts := make([]int, h.Runs)
	left := h.Jobs - h.Runs
	for i := range counts {
		counts[i] = 1
		if rerun(i) && left >= rerunJobs-1 {
			counts[i] = rerunJobs
			left -= rerunJobs - 1
		}
	}
	for range left {
		counts[r.below(h.Runs)]++
	}
	return counts
}
