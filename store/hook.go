package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// HookResolvedTo is the time before which every delivery of a hook is accounted
// for; the zero time for a hook that was never looked at.
func (db *DB) HookResolvedTo(ctx context.Context, name string) (time.Time, error) {
	rows, err := db.pool.Query(ctx, `SELECT resolved_to FROM hooks WHERE name = $1`, name)
	if err != nil {
		return time.Time{}, fmt.Errorf("store: hook %s: %w", name, err)
	}
	times, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err != nil || len(times) == 0 {
		if err != nil {
			err = fmt.Errorf("store: hook %s: %w", name, err)
		}
		return time.Time{}, err
	}
	return times[0], nil
}

// ResolveHook notes that every delivery before a time is accounted for. The time
// never goes back.
func (db *DB) ResolveHook(ctx context.Context, name string, to, at time.Time) error {
	_, err := db.pool.Exec(ctx, `
		INSERT INTO hooks AS h (name, resolved_to, succeeded_at) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET
			resolved_to = greatest(h.resolved_to, excluded.resolved_to), succeeded_at = greatest(h.succeeded_at, excluded.succeeded_at)`,
		name, to, at)
	if err != nil {
		return fmt.Errorf("store: hook %s: %w", name, err)
	}
	return nil
}

// CommittedDeliveries tells which of the GUIDs were received.
func (db *DB) CommittedDeliveries(ctx context.Context, guids []uuid.UUID) (map[uuid.UUID]bool, error) {
	committed := make(map[uuid.UUID]bool)
	rows, err := db.pool.Query(ctx, `SELECT guid FROM deliveries WHERE guid = ANY($1)`, guids)
	if err != nil {
		return nil, fmt.Errorf("store: committed deliveries: %w", err)
	}
	var guid uuid.UUID
	if _, err := pgx.ForEachRow(rows, []any{&guid}, func() error { committed[guid] = true; return nil }); err != nil {
		return nil, fmt.Errorf("store: committed deliveries: %w", err)
	}
	return committed, nil
}
