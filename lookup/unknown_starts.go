package lookup

import (
	"fmt"

	"github.com/jobvault/jobvault/store"
)

// SayUnknownStarts says, for people, how many jobs a filter leaves out since it is not known
// what started them; empty: none, or the filter does not ask.
func SayUnknownStarts(u *store.UnknownStarts) string {
	const why = "left out: it is not known what started them, as no listing has told"
	switch {
	case u == nil, u.NotListed == 0 && !u.AtLeast:
		return ""
	case u.NotListed == 0:
		return "there may be jobs that are " + why
	case u.AtLeast:
		return fmt.Sprintf("%d or more jobs are %s", u.NotListed, why)
	case u.NotListed == 1:
		return "1 job is left out: it is not known what started it, as no listing has told"
	}
	return fmt.Sprintf("%d jobs are %s", u.NotListed, why)
}
