package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNoSessions says that a pooler before Postgres gives a session to a transaction, or a
// statement, and not to a connection.
var ErrNoSessions = errors.New("a pooler before Postgres does not pool by session, to which jobvault's locks belong:" +
	" set pool_mode=session for this database, or connect to Postgres itself")

// poolerConns is the least that a pooler must have for a process: those of a pool, and one
// on which River listens.
const poolerConns = MinConns + 1

// ErrSmallPooler says that a pooler before Postgres has fewer connections than one process
// needs.
var ErrSmallPooler = fmt.Errorf("a pooler before Postgres did not give %d connections at once: raise its default_pool_size for this database", poolerConns)

// poolerRounds is how often a pooler is tried. One round finds out a pooler by transaction
// that nobody else uses; others may have taken the very connection that would tell.
const poolerRounds = 3

// CheckSessions fails with ErrNoSessions where a pooler does not keep a connection's
// session, and with ErrSmallPooler where it has too few. Without a pooler it takes one
// connection for a moment, with one five. It leaves no setting behind in a session
// that may be given to others, and may be repeated.
func CheckSessions(ctx context.Context, pool *pgxpool.Pool) error {
	config := &pool.Config().ConnConfig.Config
	first, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("store: connect: %w", err)
	}
	defer first.Close(context.WithoutCancel(ctx))
	backend, err := askBackend(ctx, first, "")
	if err != nil {
		return fmt.Errorf("store: ask which backend answers: %w", err)
	}
	// Postgres says the same number when the connection begins; a pooler makes one up.
	if backend == first.PID() {
		return nil
	}
	for range poolerRounds {
		if err := checkPooler(ctx, config, first, backend); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	return nil
}

// checkPooler begins a transaction on more connections, one after the other. Where the
// first one, which does nothing meanwhile, has a session, none of them gets its backend,
// and it still has it at the end.
func checkPooler(ctx context.Context, config *pgconn.Config, first *pgconn.PgConn, backend uint32) error {
	for range poolerConns - 1 {
		conn, err := pgconn.ConnectConfig(ctx, config)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		other, err := askBackend(ctx, conn, "BEGIN; ")
		if err != nil {
			return err
		}
		if other == backend {
			return ErrNoSessions
		}
	}
	again, err := askBackend(ctx, first, "")
	if err == nil && again != backend {
		err = ErrNoSessions
	}
	return err
}

// askBackend returns the process of Postgres that answers, after another statement. It
// prepares nothing: by a pooler, that would be left behind.
func askBackend(ctx context.Context, conn *pgconn.PgConn, before string) (uint32, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	results, err := conn.Exec(ctx, before+"SELECT pg_backend_pid()").ReadAll()
	switch pg, is := errors.AsType[*pgconn.PgError](err); {
	case is && strings.Contains(pg.Message, "statement pooling"): // PgBouncer's words for BEGIN
		return 0, ErrNoSessions
	case err != nil && (ctx.Err() != nil || is && strings.Contains(pg.Message, "query_wait_timeout")):
		return 0, fmt.Errorf("%w: %w", ErrSmallPooler, err)
	case err != nil:
		return 0, err
	}
	pid, err := strconv.ParseUint(string(results[len(results)-1].Rows[0][0]), 10, 32)
	return uint32(pid), err
}
