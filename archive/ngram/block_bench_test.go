package ngram

import (
	"bytes"
	"testing"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// How fast words are looked for in the output of builds: one that no line has, one of few
// lines and one of a quarter of them, in logs without colours, and in such as have them in a
// third of the lines.
func BenchmarkEachOfLog(b *testing.B) {
	for name, style := range map[string]githubsim.LogStyle{"plain": {}, "coloured": {ANSI: true}} {
		block := githubsim.GeneratedLog(1, 1<<20, style).Bytes()
		block = block[:bytes.LastIndexByte(block, '\n')+1]
		for _, word := range []string{"not there", "warning", "downloading"} {
			b.Run(name+"/"+word, func(b *testing.B) {
				p, err := ParsePattern(word, PatternOptions{Fixed: true})
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(block)))
				for b.Loop() {
					_ = p.Each(block, !style.ANSI, func(_, _ int) error { return nil })
				}
			})
		}
	}
}
