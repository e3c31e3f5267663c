package docs_test

import (
	"bytes"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strings"

	"github.com/jobvault/jobvault/archive/ngram"
)

// words are what the lines of the example are made of.
var words = strings.Fields("added package audited found checking restored cache key saved module test passed suite running compile link build output warning deprecated use instead file written copied layer pulled waiting done started finished seconds from with into version")

// frameOf is a frame of 1 MiB: lines as builds print them, some with a digest, and in the
// middle some more lines.
func frameOf(r *rand.Rand, more ...string) []byte {
	const size = 1 << 20
	var b bytes.Buffer
	line := func(text string) { fmt.Fprintf(&b, "2026-11-25T10:00:00.0000000Z %s\n", text) }
	for n := 0; b.Len() < size-200; n++ {
		if b.Len() > size/2 {
			for _, text := range more {
				line(text)
			}
			more = nil
		}
		var text strings.Builder
		for range 6 + r.IntN(6) {
			text.WriteString(words[r.IntN(len(words))] + " ")
		}
		if n%8 == 0 {
			fmt.Fprintf(&text, "sha256:%016x%016x", r.Uint64(), r.Uint64())
		}
		line(text.String())
	}
	b.Write(bytes.Repeat([]byte{'.'}, size-b.Len()-1))
	b.WriteByte('\n')
	return b.Bytes()
}

// example is the log of design.md#search: what is among the lines of each frame.
var example = [][]string{
	nil,
	{"connection closed by peer, attempt 1"},
	{"connection refused"},
	{"connection reset by peer, attempt 2"},
	{"connection refused", "giving up at attempt 3"},
	nil,
}

// The worked example of design.md#search: whether the filter of a frame says that parts of
// an expression, and all of it, may be there.
func Example_search() {
	r := rand.New(rand.NewPCG(1, 2))
	var filters ngram.FilterBuilder
	for _, more := range example {
		filters.Add(frameOf(r, more...))
	}
	causes, attempt, whole := pattern("connection (reset|refused)"), pattern("attempt [0-9]+"), pattern("connection (reset|refused).*attempt [0-9]+")
	for i, f := range filters.Finish() {
		fmt.Printf("frame %d, %d bytes: %-5t %-5t %t\n", i, len(f.Bits), causes.MayBeIn(f), attempt.MayBeIn(f), whole.MayBeIn(f))
	}
	// Output:
	// frame 0, 16384 bytes: false false false
	// frame 1, 16384 bytes: false true  false
	// frame 2, 16384 bytes: true  false false
	// frame 3, 16384 bytes: true  true  true
	// frame 4, 16384 bytes: true  true  true
	// frame 5, 16384 bytes: false true  false
}

// Why a gram has five bytes: how much of all that there is of so many hexadecimal digits is
// in one frame, and how many of 2,000 commits, written with so many digits, the filter of
// that frame lets pass that are not there.
func Example_digests() {
	r := rand.New(rand.NewPCG(1, 2))
	frame := frameOf(r)
	for digits := 3; digits <= 5; digits++ {
		fmt.Printf("%d digits: %d of %d\n", digits, len(runsOf(frame, digits)), 1<<(4*digits))
	}
	var filters ngram.FilterBuilder
	filters.Add(frame)
	f := filters.Finish()[0]
	set := 0
	for _, b := range f.Bits {
		set += bits.OnesCount8(b)
	}
	fmt.Printf("%d of %d bits are set\n", set, 8*len(f.Bits))
	for _, digits := range []int{8, 10, 12, 40} {
		pass := 0
		for range 2000 {
			commit := fmt.Sprintf("%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64())[:digits]
			if pattern(commit).MayBeIn(f) {
				pass++
			}
		}
		fmt.Printf("%d digits: %d pass\n", digits, pass)
	}
	// Output:
	// 3 digits: 4096 of 4096
	// 4 digits: 30432 of 65536
	// 5 digits: 38859 of 1048576
	// 22490 of 131072 bits are set
	// 8 digits: 153 pass
	// 10 digits: 35 pass
	// 12 digits: 3 pass
	// 40 digits: 0 pass
}

func pattern(expression string) *ngram.Pattern {
	p, err := ngram.ParsePattern(expression, ngram.PatternOptions{})
	if err != nil {
		panic(err)
	}
	return p
}

// runsOf are the different runs of N hexadecimal digits in a text.
func runsOf(text []byte, digits int) map[string]bool {
	runs := make(map[string]bool)
	for i := range len(text) - digits + 1 {
		if run := text[i : i+digits]; len(bytes.Trim(run, "0123456789abcdef")) == 0 {
			runs[string(run)] = true
		}
	}
	return runs
}
