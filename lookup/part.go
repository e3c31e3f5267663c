package lookup

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Part says what of a log is wanted; the zero one is all of it.
type Part struct {
	First, Last int64  // lines, from 1 and inclusive
	Step        *int64 // the lines of the step with this number, by estimate
}

// ParseLines reads "100-200", "100-" or "100".
func ParseLines(s string) (Part, error) {
	from, to, ranged := strings.Cut(s, "-")
	first, err := strconv.ParseInt(from, 10, 64)
	p := Part{First: first, Last: first}
	if err == nil && ranged {
		p.Last = math.MaxInt64
		if to != "" {
			p.Last, err = strconv.ParseInt(to, 10, 64)
		}
	}
	if err != nil || p.First < 1 || p.Last < p.First {
		return Part{}, fmt.Errorf("%q: want lines from 1, such as 100-200, 100- or 100", s)
	}
	return p, nil
}

// IsWhole says whether it is all of the log.
func (p Part) IsWhole() bool { return p == Part{} }

// String is "whole", "lines 100-200", "lines 100-" or "step 4".
func (p Part) String() string {
	switch {
	case p.Step != nil:
		return fmt.Sprintf("step %d", *p.Step)
	case p.IsWhole():
		return "whole"
	case p.Last == math.MaxInt64:
		return fmt.Sprintf("lines %d-", p.First)
	}
	return fmt.Sprintf("lines %d-%d", p.First, p.Last)
}
