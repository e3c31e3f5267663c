package joblog

import "sort"

// markTimes finds marks by their time. They are almost in its order: clocks step back, and
// lines of a message have the time that somebody has worded.
type markTimes struct {
	latest   []int64 // of the marks up to each
	earliest []int64 // of those from each on
	found    []int32 // what within returned last
}

func newMarkTimes(marks []Mark) *markTimes {
	t := &markTimes{latest: make([]int64, len(marks)), earliest: make([]int64, len(marks))}
	for i, m := range marks {
		t.latest[i] = m.At
		if i > 0 {
			t.latest[i] = max(m.At, t.latest[i-1])
		}
	}
	for i := len(marks) - 1; i >= 0; i-- {
		t.earliest[i] = marks[i].At
		if i+1 < len(marks) {
			t.earliest[i] = min(marks[i].At, t.earliest[i+1])
		}
	}
	return t
}

// within returns which marks are from one time to another; of very many, the first and the
// last. It holds until the next call.
func (t *markTimes) within(marks []Mark, from, to int64) []int32 {
	t.found = t.found[:0]
	first := sort.Search(len(marks), func(i int) bool { return t.latest[i] >= from })
	end := sort.Search(len(marks), func(i int) bool { return t.earliest[i] > to })
	for i := first; i < end; i++ {
		if at := marks[i].At; at >= from && at <= to {
			t.found = append(t.found, int32(i))
		}
	}
	if n := len(t.found); n > maxInspected {
		t.found = append(t.found[:maxInspected/2], t.found[n-maxInspected/2:]...)
	}
	return t.found
}
