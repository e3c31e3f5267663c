package githubsim

import "testing"

// BenchmarkAddHistory makes 10,000 jobs in 1,500 runs.
func BenchmarkAddHistory(b *testing.B) {
	for name, none := range map[string]bool{"all": false, "no deliveries": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				start(b, Options{}).AddHistory(History{Runs: 1500, Jobs: 10_000, NoDeliveries: none})
			}
		})
	}
}
