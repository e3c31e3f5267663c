package joblog

import (
	"bytes"
	"slices"
	"time"
)

// call is the call of a reusable workflow: its inputs are printed between the line that
// names it and the job's name. What looks like something within them is nobody's.
//
// An input may look like the job's name too. The runner prints all of it at once, so what
// was worded beforehand does not have its time, but for luck: a line of another time within
// the inputs shows that they cannot be believed, and a job's name of another time is
// believed only until one of the right time comes. A step could forge such a one only in a
// job whose inputs are forged, or were printed slowly.
type call struct {
	at      time.Time
	before  Usage // what was found until then
	kept    LevelCounts
	odd     bool // a line is of another time
	jobSeen bool // there was a line with a job's name
}

// maxCall is how long the runner takes from the line that names the workflow to the one
// that names the job. It takes two milliseconds for ten inputs.
const maxCall = 10 * time.Millisecond

func newCall(stamp []byte, u *usageReader) *call {
	c := &call{at: ParseLine(stamp).Time, before: u.usage, kept: u.annotations.kept}
	// Without room, so that what is appended to one is not in the other.
	c.before.Actions, c.before.Annotations = slices.Clip(u.usage.Actions), slices.Clip(u.usage.Annotations)
	return c
}

// inCall is a line after one that names a reusable workflow. A job's name ends its inputs,
// and what was found in them is forgotten.
func (u *usageReader) inCall(stamp, text []byte) {
	c := u.setUp.call
	after := ParseLine(stamp).Time.Sub(c.at)
	timely := after >= 0 && after <= maxCall
	if bytes.HasPrefix(text, []byte(jobName)) && (timely || !c.jobSeen) {
		u.usage, u.frozen, c.jobSeen = c.before, nil, true
		u.containers, u.annotations = containers{}, annotations{kept: c.kept}
		if timely && !c.odd {
			u.setUp.begun, u.setUp.call = true, nil
		}
	}
	c.odd = c.odd || !timely
}
