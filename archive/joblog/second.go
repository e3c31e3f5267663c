package joblog

import (
	"slices"
	"sort"
)

// Second is the first line of a second.
type Second struct {
	Line int64 // from 1
	Unix int64
}

// Bounds of an index's seconds.
const (
	maxSeconds = 100_000 // more than a day; what comes after them is left out
	maxBack    = 2       // by how many a clock may step back without being another one's
)

// inOrderOfTime leaves out seconds that are not later than the ones before, as few as can
// be: somebody has worded the times of lines within a message.
func inOrderOfTime(seconds []Second) []Second {
	if slices.IsSortedFunc(seconds, func(a, b Second) int { return int(min(max(a.Unix-b.Unix, -1), 1)) }) {
		return seconds
	}
	// The longest rising subsequence: lasts has, for each length, where the one ends that
	// ends earliest by time.
	var lasts []int32
	before := make([]int32, len(seconds)) // the one before each, in the sequence that it ends
	for i, s := range seconds {
		n := sort.Search(len(lasts), func(n int) bool { return seconds[lasts[n]].Unix >= s.Unix })
		before[i] = -1
		if n > 0 {
			before[i] = lasts[n-1]
		}
		switch {
		case n == len(lasts):
			lasts = append(lasts, int32(i))
		case s.Unix < seconds[lasts[n]].Unix:
			lasts[n] = int32(i)
		}
	}
	rising := make([]Second, len(lasts))
	for n, i := len(lasts)-1, lasts[len(lasts)-1]; n >= 0; n, i = n-1, before[i] {
		rising[n] = seconds[i]
	}
	return rising
}
