package main

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// killRounds is how often the process is killed, unless
// JOBVAULT_TEST_KILL_ROUNDS says otherwise.
const killRounds = 50

// jobvault is killed at random moments of a stream of deliveries, again and
// again, and then runs to the end: every delivery answered 202 has become rows,
// every job is settled, every archived log is what was served, nothing is there
// twice, and no job ever went backwards.
func TestKilledAtRandomMoments(t *testing.T) {
	rounds := killRounds
	if s := os.Getenv("JOBVAULT_TEST_KILL_ROUNDS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t)
	day := w.github.PlayableDay(21, 6*rounds, 3<<20)
	random := rand.New(rand.NewPCG(21, 1))
	random.Shuffle(len(day.Deliveries), func(i, j int) { day.Deliveries[i], day.Deliveries[j] = day.Deliveries[j], day.Deliveries[i] })
	accepted := make(map[string]bool)
	watch := newWatch(w)
	share := len(day.Deliveries) / rounds
	for round := range rounds {
		ds := day.Deliveries[round*share : (round+1)*share]
		if round == rounds-1 {
			ds = day.Deliveries[round*share:]
		}
		p := startProcess(t, w.settings...)
		for guid := range sendAndKill(t, p, ds, random) {
			accepted[guid] = true
		}
		watch.look()
	}
	p := startProcess(t, w.settings...)
	var lost []githubsim.Delivery
	for _, d := range day.Deliveries {
		if !accepted[d.GUID] {
			lost = append(lost, d)
		}
	}
	t.Logf("%d of %d deliveries were answered before a kill; the others are sent again", len(accepted), len(day.Deliveries))
	for _, r := range githubsim.Send(t.Context(), p.url+"/webhook", lost, githubsim.SendOptions{Secret: processSecret, Concurrency: 8}) {
		if r.Err != nil || r.Status != 202 {
			t.Fatalf("delivery %s: %d, %v", r.Delivery.GUID, r.Status, r.Err)
		}
	}
	w.awaitSettled(2*time.Minute, len(day.Jobs))
	p.terminate()
	watch.look()
	w.compare(day)
	w.checkDeliveries(accepted)
}

// sendAndKill delivers and kills the process at a random moment: after a number of
// answers, or after a number of settled jobs, whichever comes first. It returns the GUIDs
// that were answered 202.
func sendAndKill(t *testing.T, p *process, ds []githubsim.Delivery, random *rand.Rand) map[string]bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answers, jobs := 1+random.IntN(len(ds)+8), int64(1+random.IntN(16))
	accepted := make(map[string]bool)
	enough := make(chan struct{})
	sent := make(chan struct{})
	var mu sync.Mutex
	var sending sync.WaitGroup
	sending.Go(func() {
		defer close(sent)
		for i := 0; i < len(ds); i += 4 {
			for _, r := range githubsim.Send(ctx, p.url+"/webhook", ds[i:min(i+4, len(ds))], githubsim.SendOptions{Secret: processSecret, Concurrency: 4}) {
				mu.Lock()
				if r.Status == 202 {
					accepted[r.Delivery.GUID] = true
				}
				if len(accepted) == answers {
					close(enough)
					answers = -1
				}
				mu.Unlock()
			}
		}
	})
	for waiting := true; waiting; {
		select {
		case <-enough:
			waiting = false
		case <-p.moved:
			waiting = p.settled.Load() < jobs
		case <-sent:
			// All are answered: kill it at its work on them, if it has any.
			sent = nil
		case <-time.After(300 * time.Millisecond):
			waiting = false
		}
	}
	p.kill()
	cancel()
	sending.Wait()
	return accepted
}

// watch sees to it that no job goes backwards from one look to the next.
type watch struct {
	w    *world
	jobs map[int64][2]string // status and ledger state
}

func newWatch(w *world) *watch { return &watch{w: w, jobs: make(map[int64][2]string)} }

func (s *watch) look() {
	s.w.t.Helper()
	rank := map[string]int{"queued": 1, "waiting": 1, "in_progress": 2, "completed": 3}
	rows, err := s.w.pool.Query(s.w.t.Context(), `SELECT j.id, j.status, l.state FROM jobs j JOIN job_logs l ON l.job_id = j.id`)
	s.w.check(err)
	defer rows.Close()
	for rows.Next() {
		var id int64
		var now [2]string
		s.w.check(rows.Scan(&id, &now[0], &now[1]))
		if before, known := s.jobs[id]; known {
			if rank[now[0]] < rank[before[0]] || before[1] != "pending" && now[1] != before[1] {
				s.w.t.Errorf("job %d went from %v to %v", id, before, now)
			}
		}
		s.jobs[id] = now
	}
	s.w.check(rows.Err())
}

// checkDeliveries wants every answered delivery to be there and done, and no
// row twice.
func (w *world) checkDeliveries(accepted map[string]bool) {
	w.t.Helper()
	done := make(map[string]bool)
	rows, err := w.pool.Query(w.t.Context(), `SELECT guid::text FROM deliveries WHERE state = 'done'`)
	w.check(err)
	defer rows.Close()
	for rows.Next() {
		var guid string
		w.check(rows.Scan(&guid))
		done[guid] = true
	}
	w.check(rows.Err())
	for guid := range accepted {
		if !done[guid] {
			w.t.Errorf("delivery %s was answered 202 and is not done", guid)
		}
	}
	for _, table := range []string{"jobs", "job_logs"} {
		var twice int
		w.check(w.pool.QueryRow(w.t.Context(), `SELECT count(*) - count(DISTINCT `+map[string]string{"jobs": "id", "job_logs": "job_id"}[table]+`) FROM `+table).Scan(&twice))
		if twice > 0 {
			w.t.Errorf("%d rows of %s are there twice", twice, table)
		}
	}
}

// Three replicas share a database and a bucket, and one of them is killed in the
// middle: its jobs are taken over, nothing is done twice, nothing is left.
func TestThreeReplicasOneKilled(t *testing.T) {
	w := newWorld(t)
	day := w.github.PlayableDay(22, 300, 3<<20)
	replicas := []*process{startProcess(t, w.settings...), startProcess(t, w.settings...), startProcess(t, w.settings...)}
	var wg sync.WaitGroup
	results := make([][]githubsim.SendResult, len(replicas))
	for i, p := range replicas {
		wg.Go(func() {
			var mine []githubsim.Delivery
			for n := i; n < len(day.Deliveries); n += len(replicas) {
				mine = append(mine, day.Deliveries[n])
			}
			results[i] = githubsim.Send(t.Context(), p.url+"/webhook", mine, githubsim.SendOptions{Secret: processSecret, Concurrency: 4, Duplicates: .1, Seed: uint64(i)})
		})
	}
	victim := replicas[1]
	for victim.settled.Load() < 10 {
		select {
		case <-victim.moved:
		case <-time.After(time.Minute):
			t.Fatalf("the victim settles nothing\n%s", victim.said())
		}
	}
	victim.kill()
	wg.Wait()
	var lost []githubsim.Delivery
	for _, rs := range results {
		for _, r := range rs {
			if r.Status != 202 {
				lost = append(lost, r.Delivery)
			}
		}
	}
	for _, r := range githubsim.Send(t.Context(), replicas[0].url+"/webhook", lost, githubsim.SendOptions{Secret: processSecret, Concurrency: 4}) {
		if r.Status != 202 {
			t.Fatalf("delivery %s: %d, %v", r.Delivery.GUID, r.Status, r.Err)
		}
	}
	w.awaitSettled(time.Minute, len(day.Jobs))
	for _, i := range []int{0, 2} {
		replicas[i].terminate()
		if replicas[i].settled.Load() == 0 {
			t.Errorf("replica %d settled nothing", i)
		}
	}
	w.compare(day)
	w.checkDeliveries(nil)
	if sum := replicas[0].settled.Load() + replicas[1].settled.Load() + replicas[2].settled.Load(); sum > int64(len(day.Jobs)) {
		t.Errorf("%d settlements of %d jobs", sum, len(day.Jobs))
	}
}
