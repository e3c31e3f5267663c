package githubsim

import (
	"cmp"
	"slices"
	"time"
)

// Day is what a small organisation did in 24 hours.
type Day struct {
	Repositories []Repository
	Jobs         []Job      // in the order of their ids
	Deliveries   []Delivery // in the order of time
	// Expected is how each job's ledger row ends, by job id: archived, none,
	// expired or missing.
	Expected map[int64]string
	// CarriedOver are the jobs that a later attempt has and did not run again, each with
	// the job that ran.
	CarriedOver map[int64]int64
}

// The states that a job's log can end in.
const (
	archived = "archived"
	none     = "none"
	expired  = "expired"
	missing  = "missing"
)

// PlayableDay adds a day of work to the server: the 24 hours before its clock's
// now, with jobs jobs but at least one of everything that is odd about GitHub's
// jobs and logs, and one log of bigLog bytes (0: 50 MB). The same seed and clock
// give the same day; days of two seeds have no ids in common unless the seeds
// are equal modulo 1000.
//
// All logs can be had at once, but for one that appears at the third request.
// The one that never appears belongs to a job that ended 18 hours ago.
func (s *Server) PlayableDay(seed uint64, jobs int, bigLog int64) Day {
	m := newDayMaker(s, seed, cmp.Or(bigLog, 50<<20))
	scenes := m.oddScenes()
	count := 0
	for _, sc := range scenes {
		count += sc.jobs
	}
	for count < jobs {
		sc := m.ordinaryScene(jobs - count)
		count += sc.jobs
		scenes = append(scenes, sc)
	}
	// Ids grow with time, as GitHub's do.
	slices.SortStableFunc(scenes, func(a, b scene) int { return cmp.Compare(a.at, b.at) })
	for _, r := range m.day.Repositories {
		s.AddRepository(r)
	}
	for _, sc := range scenes {
		m.play(sc)
	}
	m.addJobs()
	m.tell()
	return m.day
}

// scene is one workflow run of the day.
type scene struct {
	at       time.Duration // since the day's begin
	jobs     int           // how many play makes
	repo     int           // index
	workflow string
	play     func(*dayRun)
}

// dayMaker makes a day.
type dayMaker struct {
	s       *Server
	rng     rng
	begin   time.Time
	bigLog  int64
	nextRun int64
	nextJob int64
	day     Day
}

func newDayMaker(s *Server, seed uint64, bigLog int64) *dayMaker {
	base := int64(seed % 1000)
	return &dayMaker{
		s:       s,
		rng:     rng(seed),
		begin:   s.now().UTC().Truncate(time.Second).Add(-24 * time.Hour),
		bigLog:  bigLog,
		nextRun: 9_000_000_000 + base*1_000_000,
		nextJob: 25_000_000_000 + base*10_000_000,
		day: Day{
			Repositories: []Repository{
				{ID: 510001 + base*100, Owner: "acme", Name: "rocket", InstallationID: 60001 + base*100},
				{ID: 510002 + base*100, Owner: "acme", Name: "launch.pad", Private: true, InstallationID: 60001 + base*100},
				{ID: 510003 + base*100, Owner: "acme", Name: "Website", InstallationID: 60001 + base*100},
				{ID: 510004 + base*100, Owner: "acme-labs", Name: "probe_7", Private: true, InstallationID: 60002 + base*100},
			},
			Expected:    map[int64]string{},
			CarriedOver: map[int64]int64{},
		},
	}
}

// dayRun is a run while its jobs are made.
type dayRun struct {
	m        *dayMaker
	id       int64
	repo     Repository
	workflow string
	branch   string
	sha      string
	at       time.Time
	attempt  int64
}

func (m *dayMaker) play(sc scene) {
	m.nextRun += 1 + int64(m.rng.below(900))
	branches := []string{"main", "main", "main", "feature/" + word(&m.rng) + "-" + word(&m.rng), "release/1.x"}
	run := &dayRun{
		m:        m,
		id:       m.nextRun,
		repo:     m.day.Repositories[sc.repo],
		workflow: sc.workflow,
		branch:   branches[m.rng.below(len(branches))],
		at:       m.begin.Add(sc.at),
		attempt:  1,
	}
	run.sha = fakeSHA(run.branch + run.at.String())
	m.s.SetRun(run.origin())
	sc.play(run)
}

// origin is what started the run, which goes by its workflow. Titles are as hostile as
// those who open pull requests.
func (u *dayRun) origin() Run {
	switch u.workflow {
	case "Nightly":
		return Run{ID: u.id, Event: "schedule", Actor: "Mona", Title: u.workflow}
	case "Deploy":
		return Run{ID: u.id, Event: "workflow_dispatch", Actor: "hubot[bot]", Referenced: []Referenced{
			{u.repo.Owner + "/workflows/.github/workflows/deploy.yml@v2", fakeSHA("deploy"), "refs/tags/v2"},
		}}
	case "Scan", "Docs":
		fork := u.repo
		fork.ID, fork.Owner = u.repo.ID+50, "mallory"
		return Run{ID: u.id, Event: "pull_request_target", Actor: "mallory", Title: "Fix <script>alert(1)</script> \x1b[31m\u202e", Head: &fork}
	case "CI":
		return Run{ID: u.id, Event: "pull_request", Actor: "Mona", StartedBy: []string{"Mona", "octocat"}, PullRequests: []int64{17}}
	}
	return Run{ID: u.id}
}

// add gives the job to the day, with the state its log shall end in.
func (m *dayMaker) add(j Job, expected string) Job {
	m.day.Jobs = append(m.day.Jobs, j)
	m.day.Expected[j.ID] = expected
	return j
}

// addJobs gives the server the day's jobs.
func (m *dayMaker) addJobs() {
	for _, j := range m.day.Jobs {
		m.s.AddJob(j)
	}
}

// tell makes the day's deliveries.
func (m *dayMaker) tell() {
	var (
		repositories = map[int64]Repository{}
		frames       = map[int64]frame{}
	)
	for _, r := range m.day.Repositories {
		repositories[r.ID], frames[r.ID] = r, m.s.frameOf(r)
	}
	for _, j := range m.day.Jobs {
		m.day.Deliveries = append(m.day.Deliveries, m.s.deliveries(j, repositories[j.RepositoryID], frames[j.RepositoryID])...)
	}
	slices.SortStableFunc(m.day.Deliveries, func(a, b Delivery) int { return a.At.Compare(b.At) })
}
