package joblog

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Marks are found by their time in whatever order they stand.
func TestMarksWithinTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var marks []Mark
		for _, at := range rapid.SliceOfN(rapid.Int64Range(0, 20), 0, 30).Draw(t, "times") {
			marks = append(marks, Mark{At: at})
		}
		times := newMarkTimes(marks)
		for range 3 {
			from := rapid.Int64Range(-1, 21).Draw(t, "from")
			to := from + rapid.Int64Range(0, 5).Draw(t, "length")
			var want []int32
			for i, m := range marks {
				if m.At >= from && m.At <= to {
					want = append(want, int32(i))
				}
			}
			if got := times.within(marks, from, to); !slices.Equal(got, want) {
				t.Errorf("from %d to %d: %v, want %v", from, to, got, want)
			}
		}
	})
}

// Of very many marks, the first and the last are found.
func TestMarksWithinTimesAreBounded(t *testing.T) {
	marks := make([]Mark, 2*maxInspected)
	got := newMarkTimes(marks).within(marks, 0, 0)
	if len(got) != maxInspected || got[0] != 0 || got[maxInspected-1] != 2*maxInspected-1 {
		t.Errorf("%d marks, from %d to %d", len(got), got[0], got[len(got)-1])
	}
}

// A message may word the times of its lines, early and late; as few seconds as can be are
// left out, and none of a log that has none such.
func TestSecondsInOrderOfTime(t *testing.T) {
	for name, c := range map[string]struct{ unix, want []int64 }{
		"none":           {nil, nil},
		"in order":       {[]int64{1, 2, 5}, []int64{1, 2, 5}},
		"one to come":    {[]int64{1, 2, 99, 2, 3, 4}, []int64{1, 2, 3, 4}},
		"one gone by":    {[]int64{10, 11, 2, 11, 12}, []int64{10, 11, 12}},
		"both":           {[]int64{10, 11, 99, 2, 11, 12}, []int64{10, 11, 12}},
		"first of a log": {[]int64{99, 10, 11}, []int64{10, 11}},
	} {
		var seconds []Second
		for i, unix := range c.unix {
			seconds = append(seconds, Second{Line: int64(i + 1), Unix: unix})
		}
		var got []int64
		line := int64(0)
		for _, s := range inOrderOfTime(seconds) {
			if got = append(got, s.Unix); s.Line <= line || s.Line != int64(slices.Index(c.unix, s.Unix)+1) {
				t.Errorf("%s: second %d begins at line %d", name, s.Unix, s.Line)
			}
			line = s.Line
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
