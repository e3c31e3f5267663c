package joblog_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive/joblog"
)

// combination is a job in words: first its steps, "NUMBER FROM-TO NAME", with "?" for times
// that are not known, and "!failure" behind one that did not succeed; then, each behind its time, the lines of its log. A line
// without a time has no timestamp.
type combination struct {
	name, steps, log string
	want             string // as told writes it
}

var stepInWords = regexp.MustCompile(`^(\d+) (-?\d+|\?)-(-?\d+|\?) (.*?)(?: !(\w+))?$`)

func (c combination) read(t *testing.T) (steps []joblog.Step, x *joblog.Index) {
	for line := range strings.SplitSeq(c.steps, "; ") {
		m := stepInWords.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%s: no step: %q", c.name, line)
		}
		var n [3]int64
		for i := range n {
			n[i], _ = strconv.ParseInt(m[i+1], 10, 64)
		}
		s := joblog.Step{Number: n[0], Name: m[4], Conclusion: "success", StartedAt: base.Add(time.Duration(n[1]) * time.Second), CompletedAt: base.Add(time.Duration(n[2]) * time.Second)}
		if m[2] == "?" {
			s.StartedAt, s.CompletedAt = time.Time{}, time.Time{}
		}
		if m[5] != "" {
			s.Conclusion = m[5]
		}
		steps = append(steps, s)
	}
	ix := joblog.NewIndexer()
	for line := range strings.SplitSeq(strings.TrimSpace(c.log), "\n") {
		line = strings.TrimLeft(line, "\t")
		at, text, _ := strings.Cut(line, " ")
		if after, err := time.ParseDuration(at + "s"); err == nil {
			line = base.Add(after).Format(stamp) + text
		}
		ix.Add([]byte(line + "\n"))
	}
	return steps, ix.Finish()
}

const setUpOf = "0.1 Current runner version: '2.337.0'\n0.9 Complete job name: build\n"

func TestCombinations(t *testing.T) {
	for _, c := range slices.Concat(combinations, doubtful) {
		steps, x := c.read(t)
		got := joblog.AlignSteps(x, steps)
		covers(t, got, x, len(steps)-strings.Count(c.steps, "?-?"))
		if told(got) != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, told(got), c.want)
		}
	}
	if len(combinations) < 40 {
		t.Errorf("%d combinations", len(combinations))
	}
}

// Steps that take no time, as many as a job may have.
func TestManySteps(t *testing.T) {
	for _, c := range []struct{ steps, second int }{{40, 40}, {200, 200}, {200, 7}} {
		log, steps, want := setUpOf, "1 0-1 Set up job", "1:1-2e"
		for i := range c.steps {
			at := 1 + i/c.second
			log += fmt.Sprintf("%d.%06d ##[group]Run true\n%d.%06d ##[endgroup]\n", at, i, at, i)
			steps += fmt.Sprintf("; %d %d-%d Step %d", i+2, at, at, i)
			want += fmt.Sprintf(" %d:%d-%d", i+2, 3+2*i, 4+2*i)
		}
		x := combination{name: "many", log: log, steps: steps}
		ran, index := x.read(t)
		if got := told(joblog.AlignSteps(index, ran)); lines(got) != lines(want) {
			t.Errorf("%d steps, %d in a second:\n got %s\nwant %s", c.steps, c.second, got, want)
		}
	}
}
