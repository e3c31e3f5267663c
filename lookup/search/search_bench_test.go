package search_test

import (
	"testing"

	"github.com/jobvault/jobvault/archive/ngram"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/search"
)

// How fast logs of builds are searched, from the ledger to the matches: for words of few
// lines and of a quarter of them, in logs without colours, and in such as have them in a third
// of the lines.
func BenchmarkRun(b *testing.B) {
	const logs, size = 100, 1 << 20
	for name, style := range map[string]githubsim.LogStyle{"plain": {}, "coloured": {ANSI: true}} {
		v := testenv.NewVault(b)
		for id := range int64(logs) {
			v.Record(v.Facts(id + 1))
			v.Log(id+1, githubsim.GeneratedLog(uint64(id), size, style).Bytes())
		}
		for _, word := range []string{"warning", "downloading", "xqzwvkjy"} {
			b.Run(name+"/"+word, func(b *testing.B) {
				p, err := ngram.ParsePattern(word, ngram.PatternOptions{Fixed: true})
				v.Check(err)
				b.SetBytes(logs * size)
				for b.Loop() {
					_, err := search.Run(b.Context(), lookup.Logs{DB: v.DB, Archive: v.Archive}, search.Query{Pattern: p, Parallel: 2}, &heard{}, nil)
					v.Check(err)
				}
			})
		}
	}
}
