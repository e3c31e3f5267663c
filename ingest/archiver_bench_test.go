package ingest_test

import (
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// BenchmarkArchiver is the archive worker's work on one job with a 20 KB log,
// beside the simulator and into a Postgres without fsync.
func BenchmarkArchiver(b *testing.B) {
	r := newRig(b, rigOptions{})
	r.github.AddRepository(repository)
	var ds []githubsim.Delivery
	for id := range int64(b.N) {
		j := completed(id+1, time.Now(), githubsim.GeneratedLog(uint64(id), 20<<10, githubsim.LogStyle{}))
		r.github.AddJob(j)
		ds = append(ds, r.github.Deliveries(j)...)
	}
	r.send(ds, githubsim.SendOptions{Concurrency: 16})
	r.drain()
	b.ResetTimer()
	for id := range int64(b.N) {
		if says, _ := r.try(id + 1); says != "done" {
			b.Fatal(says)
		}
	}
}
