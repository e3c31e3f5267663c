package githubsim

import (
	"fmt"
	"strings"
	"sync"
)

// A log of a gigabyte takes its build output from one pool of lines, made once.
// The pool is larger than a compressor's frame, so that within a frame nothing
// repeats, and each use of a line fills its slot with other digits.
const poolLines = 16 << 10

// outputLine is a line of build output without its timestamp.
type outputLine struct {
	text string
	slot int // where eight hexadecimal digits may change; -1: nowhere
}

// slotMark stands for the changing digits while lines are made.
const slotMark = "????????"

var outputPool = sync.OnceValue(func() []outputLine {
	r := rng(0x6a6f62)
	pool := make([]outputLine, 0, poolLines)
	for len(pool) < poolLines {
		for _, text := range outputBurst(&r) {
			slot := strings.Index(text, slotMark)
			pool = append(pool, outputLine{strings.Replace(text, slotMark, "00000000", 1), slot})
		}
	}
	return pool[:poolLines]
})

var poolAverage = sync.OnceValue(func() int64 {
	var n int64
	for _, l := range outputPool() {
		n += int64(len(l.text) + stampSize + 1)
	}
	return n / poolLines
})

// outputBurst is a few lines of one tool about one topic, as tools print them.
func outputBurst(r *rng) []string {
	makers := []func(*rng, string) string{goTestLine, downloadLine, compileLine, dockerLine, npmLine, passLine, copyLine}
	var (
		line  = makers[r.below(len(makers))]
		topic = word(r)
		lines []string
	)
	for range 3 + r.below(40) {
		lines = append(lines, line(r, topic))
	}
	switch r.below(12) {
	case 0:
		lines = append(lines, "##[warning]"+word(r)+": the option '"+word(r)+"' is deprecated and will be removed; use '"+word(r)+"' instead")
	case 1:
		lines = append(lines, "##[error]"+path(r)+".go:"+fmt.Sprint(1+r.below(900))+":"+fmt.Sprint(1+r.below(80))+": undefined: "+word(r))
	case 2:
		lines = append(lines, "")
	case 3:
		lines = append(lines, "##[group]Resolving "+word(r), "  "+path(r)+" -> "+path(r), "##[endgroup]")
	}
	return lines
}

var words = strings.Fields(`adapter archive backend batch bridge broker buffer bundle cache channel client cluster codec
	collector config connector context controller cursor daemon decoder deploy digest dispatch driver encoder engine event
	exporter fetch filter frame gateway graph handler harness header index ingest invoice kernel ledger lexer limiter loader
	locale logger manifest matcher metrics migrate module monitor mutex network object observer order packet parser payload
	planner policy pool proxy query queue reader record registry render replica report resolver retry router runtime sampler
	scanner schedule schema session shard signal snapshot socket storage stream supply table template tenant token tracker
	transport vector verifier watcher webhook worker writer`)

func word(r *rng) string { return words[r.below(len(words))] }

func path(r *rng) string {
	return "internal/" + word(r) + "/" + word(r) + "_" + word(r)
}

func goTestLine(r *rng, topic string) string {
	return fmt.Sprintf("=== RUN   Test%s%s/%s_%s#%02d", strings.ToUpper(topic[:1]), topic[1:], word(r), word(r), r.below(100))
}

func passLine(r *rng, topic string) string {
	return fmt.Sprintf("ok  \tgithub.example/acme/%s/%s\t%d.%03ds\tcoverage: %d.%d%% of statements", topic, path(r), r.below(30), r.below(1000), 30+r.below(70), r.below(10))
}

func downloadLine(r *rng, topic string) string {
	return fmt.Sprintf("go: downloading github.example/%s/%s v%d.%d.%d", topic, word(r), r.below(5), r.below(40), r.below(20))
}

func compileLine(r *rng, topic string) string {
	return fmt.Sprintf("[%d/%d] Building CXX object src/%s/CMakeFiles/%s.dir/%s_%s.cc.o", r.below(4000), 4000, topic, topic, word(r), word(r))
}

func dockerLine(r *rng, _ string) string {
	return fmt.Sprintf("#%d sha256:%s%016x %d.%02dMB / %d.%02dMB %d.%ds", r.below(40), slotMark, r.next(), r.below(90), r.below(100), 90+r.below(90), r.below(100), r.below(20), r.below(10))
}

func npmLine(r *rng, topic string) string {
	return fmt.Sprintf("npm http fetch GET 200 https://registry.example/%s-%s %dms (cache miss) request-id %s", topic, word(r), r.below(900), slotMark)
}

func copyLine(r *rng, topic string) string {
	from := path(r)
	return fmt.Sprintf("  copying build/lib/%s.py -> dist/%s-1.%d.0/%s.py (%d bytes)", from, topic, len(topic), from, 100+r.below(90000))
}
