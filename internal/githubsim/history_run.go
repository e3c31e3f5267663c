package githubsim

import (
	"fmt"
	"time"
)

// pastRun is a run of a history.
type pastRun struct {
	jobs    int
	logSize int64
}

// once is a run with one attempt.
func (p pastRun) once(u *dayRun) {
	m := u.m
	for i := range p.jobs {
		d := p.draft(u, i)
		switch n := m.rng.below(100); {
		case n < 3:
			d.conclusion, d.labels = "skipped", []string{}
			m.add(u.bare(d), none)
		case n < 5:
			m.s.ExpireLog(m.add(u.job(d), expired).ID)
		case n < 8:
			d.conclusion = "failure"
			m.add(u.job(d), archived)
		default:
			m.add(u.job(d), archived)
		}
	}
}

// twice is a run whose last job failed and was run again; the others were carried
// over. An odd number of jobs leaves one that the first attempt did not come to.
func (p pastRun) twice(u *dayRun) {
	m := u.m
	half := p.jobs / 2
	var well []Job
	for i := range half - 1 {
		well = append(well, m.add(u.job(p.draft(u, i)), archived))
	}
	flaky := p.draft(u, half-1)
	flaky.conclusion = "failure"
	m.add(u.job(flaky), archived)

	u.attempt = 2
	u.at = u.at.Add(historyRunTime / 2)
	for _, old := range well {
		m.add(u.carriedOver(old), archived)
	}
	for i := half - 1; i < p.jobs-half; i++ {
		m.add(u.job(p.draft(u, i)), archived)
	}
}

// draft is the i-th job of a run. All are created within the run's first minute,
// since none may end later than half the time that a run has.
func (p pastRun) draft(u *dayRun, i int) draft {
	d := draft{
		name:  jobNames[i%len(jobNames)],
		after: time.Duration(60*i/p.jobs) * time.Second,
		size:  p.logSize/2 + int64(u.m.rng.below(int(p.logSize))),
	}
	if n := i / len(jobNames); n > 0 {
		d.name = fmt.Sprintf("%s (%d)", d.name, n+1)
	}
	return d
}
