package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// MinConns is the least that a pool may be: a worker's lock (Claimant), that of manifests
// (LockManifests) and that of the log of removals (LockRemovals) keep a connection each,
// for as long as they are held, and whoever holds one needs another to work with.
const MinConns = 4

// ErrFewConns says that the database URL allows fewer connections than MinConns.
var ErrFewConns = fmt.Errorf("pool_max_conns is less than %d: three locks keep a connection each, and there must be one to work with", MinConns)

// connectTime bounds how long it takes until a connection can be used. A pooler takes a
// connection at once, and then may have it wait for one to Postgres.
const connectTime = 10 * time.Second

// sessionSettings are those of every connection. A process whose machine died
// holds locks until Postgres notices; the keepalives make that half a minute
// instead of the two hours that are Linux's default.
var sessionSettings = map[string]string{
	"timezone":                            "UTC",
	"tcp_keepalives_idle":                 "15",
	"tcp_keepalives_interval":             "5",
	"tcp_keepalives_count":                "3",
	"idle_in_transaction_session_timeout": "60s",
	"lock_timeout":                        "30s",
	// Of jobs with a longer log, triggers take certain notes from those only who know of it.
	"jobvault.shorter_logs": "known",
}

// setSession is one statement for each of sessionSettings. They are set once connected:
// PgBouncer refuses most of them as parameters of the start.
var setSession = func() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(sessionSettings)) {
		fmt.Fprintf(&b, "SET %s = '%s'; ", name, sessionSettings[name])
	}
	return b.String()
}()

// OpenPool connects lazily: an unreachable Postgres is not an error here but at
// the first use. maxConns counts unless the URL has a pool_max_conns, which ErrFewConns
// refuses if it is less than MinConns. The URL may carry a password; no error repeats it.
func OpenPool(ctx context.Context, url string, maxConns int32) (*pgxpool.Pool, error) {
	config, err := parsePool(url)
	if err != nil {
		return nil, err
	}
	if !limitsConns(url) {
		config.MaxConns = maxConns
	}
	config.ConnConfig.ConnectTimeout = connectTime
	config.ConnConfig.RuntimeParams["application_name"] = "jobvault"
	config.AfterConnect = prepareSession
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("store: open pool: %w", err)
	}
	return pool, nil
}

// CheckURL says whether OpenPool takes the URL, without the password that it may carry.
func CheckURL(url string) error {
	_, err := parsePool(url)
	return err
}

func parsePool(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx redacts passwords it recognises; a URL it cannot parse it may not.
		return nil, errors.New("store: the database URL cannot be parsed")
	}
	if limitsConns(url) && config.MaxConns < MinConns {
		return nil, fmt.Errorf("store: %w", ErrFewConns)
	}
	return config, nil
}

func limitsConns(url string) bool { return strings.Contains(url, "pool_max_conns") }

// prepareSession makes a new connection one of ours.
func prepareSession(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	if _, err := conn.PgConn().Exec(ctx, setSession).ReadAll(); err != nil {
		return fmt.Errorf("settings of the session: %w", err)
	}
	// Times are read as UTC, whatever the machine's zone: days are cut by it.
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}
