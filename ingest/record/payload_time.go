package record

import (
	"encoding/json"
	"time"

	"github.com/google/go-github/v60/github"
)

// clockDifference is how far GitHub's clock may be ahead of the database's.
const clockDifference = time.Minute

// tellsOf is the time of which a payload that was received at one speaks: the latest
// that it names itself. It is a time at which, or shortly before which, GitHub made the
// payload: a delivery that comes late, again, or is replayed has none but old ones. The
// zero time: it names none.
//
// Nothing tells of the future: what is ahead by the difference of clocks counts as when
// it was received, and what is further ahead does not count at all. When a job was
// created and a repository changed is GitHub's own word; when a job started and ended
// may be that of its runner's clock, or of whoever made a check run.
func (p payload) tellsOf(received time.Time) time.Time {
	return LatestPlausible(received, timeIn(p.Repository.UpdatedAt), timeIn(p.Repository.PushedAt),
		TimeOf(p.Job.CreatedAt), TimeOf(p.Job.StartedAt), TimeOf(p.Job.CompletedAt))
}

// LatestPlausible is the latest of the times that something names which was received at
// a time. A time ahead of that by no more than clocks differ counts as that; one that is
// further ahead does not count. The zero time: none counts.
func LatestPlausible(received time.Time, told ...*time.Time) time.Time {
	var latest time.Time
	for _, at := range told {
		if at == nil || at.After(received.Add(clockDifference)) {
			continue
		}
		if at.After(received) {
			at = &received
		}
		if at.After(latest) {
			latest = *at
		}
	}
	return latest
}

// timeIn reads a time as GitHub writes it: a text, or, in some payloads, seconds since
// 1970. What is none of these tells nothing.
func timeIn(raw json.RawMessage) *time.Time {
	var at github.Timestamp
	if len(raw) == 0 || json.Unmarshal(raw, &at) != nil {
		return nil
	}
	return TimeOf(&at)
}
