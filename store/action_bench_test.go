package store_test

import (
	"fmt"
	"testing"
)

// BenchmarkInsertActions is what the note of a job's actions costs whoever archives it:
// six rows of job_actions for each of a number of jobs, in one transaction. Who sums
// them up is another, see RollUpActions.
func BenchmarkInsertActions(b *testing.B) {
	const jobs = 20000 // there before, in batches
	for _, batch := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d jobs", batch), func(b *testing.B) {
			f := newFixture(b)
			f.usedBy(1, 1, day, usage(goodSHA, true))
			last, next := 1, 2
			for b.Loop() {
				if next+batch > last {
					b.StopTimer()
					f.exec(`INSERT INTO jobs (id, run_id, repository_id, name, status, created_at)
						SELECT i, 100, 1, 'j', 'completed', timestamptz '2024-01-01Z' + i * interval '1 min' FROM generate_series($1::bigint, $2::bigint) i`, last+1, last+jobs)
					last += jobs
					b.StartTimer()
				}
				f.exec(`INSERT INTO job_actions (job_id, seq, action, ref, resolved_sha, log_line, in_setup)
					SELECT i, n, 'acme/tool-' || n, 'v4', $3, 20 + n, true FROM generate_series($1::bigint, $2::bigint) i, generate_series(0, 5) n`, next, next+batch-1, goodSHA)
				next += batch
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}
