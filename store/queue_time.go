package store

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// DueNow is a hook of every River client here: what is put into the queue to be done
// at once is due at Postgres' now(). River itself takes this process's clock, and if
// that is ahead, nobody may do the work for so long, nor put it into the queue again.
type DueNow struct{ river.HookDefaults }

// InsertBegin implements rivertype.HookInsertBegin. River's SQL puts now() in the
// place of the zero time.
func (*DueNow) InsertBegin(_ context.Context, p *rivertype.JobInsertParams) error {
	p.CreatedAt = new(time.Time)
	if p.State == rivertype.JobStateAvailable {
		p.ScheduledAt = new(time.Time)
	}
	return nil
}

// QueueTime is a Clock as River takes one: snoozes, retries and periods are counted
// from Postgres' time.
type QueueTime struct{ Clock *Clock }

// Now implements rivertype.TimeGenerator.
func (t QueueTime) Now() time.Time { return t.Clock.Now() }

// NowOrNil implements rivertype.TimeGenerator: where a query can say now(), it does.
func (t QueueTime) NowOrNil() *time.Time { return nil }
