package lookup

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Selection says which part of a log is wanted: lines First to Last or, if Step is set,
// the lines of that step. The zero value selects all of it.
type Selection struct {
	First, Last int64  // numbers of lines, from 1 and inclusive
	Step        *int64 // the lines of the step with this number, also those that it shares with others
}

// ParseSelection reads "100-200", "100-" or "100".
func ParseSelection(s string) (Selection, error) {
	from, to, ranged := strings.Cut(s, "-")
	first, err := strconv.ParseInt(from, 10, 64)
	sel := Selection{First: first, Last: first}
	if err == nil && ranged {
		sel.Last = math.MaxInt64
		if to != "" {
			sel.Last, err = strconv.ParseInt(to, 10, 64)
		}
	}
	if err != nil || sel.First < 1 || sel.Last < sel.First {
		return Selection{}, fmt.Errorf("%q: want lines from 1, such as 100-200, 100- or 100", s)
	}
	return sel, nil
}

// IsWhole says whether it is all of the log.
func (s Selection) IsWhole() bool { return s == Selection{} }

// String is "whole", "lines 100-200", "lines 100-" or "step 4", as the table reads has it.
func (s Selection) String() string {
	switch {
	case s.Step != nil:
		return fmt.Sprintf("step %d", *s.Step)
	case s.IsWhole():
		return "whole"
	case s.Last == math.MaxInt64:
		return fmt.Sprintf("lines %d-", s.First)
	}
	return fmt.Sprintf("lines %d-%d", s.First, s.Last)
}
