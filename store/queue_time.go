package store

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// DueNow is a hook of every River client here: a job that is inserted to be done at once
// is due at Postgres' now(). River itself would use this process's clock: if that were
// ahead, the job would wait that long, and being unique could not be inserted again.
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

// QueueTime adapts a Clock to River: snoozes, retries and periods are counted from
// Postgres' time.
type QueueTime struct{ Clock *Clock }

// Now implements rivertype.TimeGenerator.
func (t QueueTime) Now() time.Time { return t.Clock.Now() }

// NowOrNil implements rivertype.TimeGenerator: where a query can say now(), it does.
func (t QueueTime) NowOrNil() *time.Time { return nil }
