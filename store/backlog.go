package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Backlog counts what waits.
type Backlog struct {
	Deliveries int64 // committed, not yet turned into rows
	Pending    int64 // completed jobs whose log is pending
	Denied     int64
}

// Backlog reads the counts. Partial indexes make it cost what waits, not what
// is done.
func (db *DB) Backlog(ctx context.Context) (Backlog, error) {
	var b Backlog
	err := db.inTx(ctx, "count backlog", func(ctx context.Context, tx pgx.Tx) (err error) {
		b, err = one[Backlog](ctx, tx, `
			SELECT (SELECT count(*) FROM deliveries WHERE state = 'received') AS deliveries, pending, denied
			FROM (SELECT count(*) FILTER (WHERE l.state = 'pending') AS pending, count(*) FILTER (WHERE l.state = 'denied') AS denied
			      FROM job_logs l JOIN jobs j ON j.id = l.job_id
			      WHERE l.state IN ('pending', 'denied') AND j.status = 'completed') unsettled`)
		return err
	})
	return b, err
}
