package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Trouble says which deadline a try counts for that came to nothing.
type Trouble string

// The kinds of trouble. The zero value is none: the deadlines are left as they are.
const (
	NotYet  Trouble = "not yet" // what was asked for is not there yet; no day is counted
	Failed  Trouble = "failed"  // GitHub failed, or answered with what is no answer
	Refused Trouble = "refused" // GitHub refused or limited us, or could not be reached: settings may have to change, perhaps ours
)

// Troubles are what is counted while something is asked for in vain: a job and its log, the
// list of an attempt's jobs, a repository's listing of runs.
type Troubles struct {
	TryingSince *time.Time // since when it is asked for in vain; nil: it is not
	FailedDays  *int       // distinct days of Failed; nil: none
	RefusedDays *int       // of Refused
	FailedOn    *time.Time // the last day among those, UTC
}

// noteTrouble counts a day of trouble, once, in the row of a table that has Troubles, which
// the condition selects with its key, $3 and so on. A day is counted for what was met first
// on it. A time or a day that a wrong clock has left in the future counts as none.
func noteTrouble(ctx context.Context, tx pgx.Tx, t Trouble, at time.Time, table, where string, key ...any) error {
	if t == "" {
		return nil
	}
	_, err := tx.Exec(ctx, `
		UPDATE `+table+` SET
			trying_since = least(trying_since, $2),
			failed_days = CASE WHEN $1 = 'failed' AND failed_on IS DISTINCT FROM today THEN coalesce(failed_days, 0) + 1 ELSE failed_days END,
			refused_days = CASE WHEN $1 = 'refused' AND failed_on IS DISTINCT FROM today THEN coalesce(refused_days, 0) + 1 ELSE refused_days END,
			failed_on = CASE WHEN $1 <> 'not yet' THEN today ELSE failed_on END
		FROM (SELECT ($2::timestamptz AT TIME ZONE 'UTC')::date AS today) d
		WHERE `+where, append([]any{string(t), at}, key...)...)
	return err
}

// TroubleDays are the distinct days on which trouble of a kind was met, that of now
// included, if it is met now.
func (l Troubles) TroubleDays(t Trouble, now time.Time) int {
	days := 0
	switch counted := map[Trouble]*int{Failed: l.FailedDays, Refused: l.RefusedDays}[t]; {
	case t != Failed && t != Refused:
		return 0
	case counted != nil:
		days = *counted
	}
	if l.FailedOn == nil || l.FailedOn.Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		days++
	}
	return days
}

// TryingFor is for how long it has been asked for in vain; 0: it was not, or by a clock that
// was wrong.
func (l Troubles) TryingFor(now time.Time) time.Duration {
	if l.TryingSince == nil {
		return 0
	}
	return max(now.Sub(*l.TryingSince), 0)
}
