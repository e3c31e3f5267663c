package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Why Postgres answers and does not write.
var (
	ErrStandby  = errors.New("a standby, which only reads")
	ErrReadOnly = errors.New("transactions only read: default_transaction_read_only is on")
	ErrDiskFull = errors.New("the disk is full")
)

// diskFull is SQLSTATE 53100, and readOnly 25006.
const (
	diskFull = "53100"
	readOnly = "25006"
)

// write has Postgres take new room on the disk, for half a megabyte that does not fit into
// work_mem and is given back at once, and write to its log, which the commit waits for as
// that of a delivery does. A table could have room left where the disk has none.
const write = `
	SET LOCAL work_mem = '64kB';
	SET LOCAL temp_tablespaces = '';
	SELECT count(*) FROM generate_series(1, 20000);
	SELECT pg_logical_emit_message(true, 'jobvault', 'writes')`

// CheckWrites asks Postgres whether it could commit a delivery now. It leaves no row
// behind. It fails with ErrStandby, ErrReadOnly, ErrDiskFull, or as any use of a Postgres
// that is away.
func (db *DB) CheckWrites(ctx context.Context) error {
	err := db.inTx(ctx, "check that Postgres writes", func(ctx context.Context, tx pgx.Tx) error {
		var standby, reads bool
		if err := tx.QueryRow(ctx, `SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::boolean`).Scan(&standby, &reads); err != nil {
			return err
		}
		switch {
		case standby:
			return ErrStandby
		case reads:
			return ErrReadOnly
		}
		_, err := tx.Conn().PgConn().Exec(ctx, write).ReadAll()
		return err
	})
	pg, answered := errors.AsType[*pgconn.PgError](err)
	if answered && pg.Code == diskFull {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}

// OnlyReads says whether Postgres refused something because it only reads.
func OnlyReads(err error) bool {
	pg, answered := errors.AsType[*pgconn.PgError](err)
	return answered && pg.Code == readOnly
}
