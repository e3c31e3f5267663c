package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// HookResolvedTo returns the time before which every delivery of a hook is accounted for;
// zero for a hook whose deliveries were never listed.
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

// LostDelivery is a delivery that failed and has not arrived since.
type LostDelivery struct {
	GUID        uuid.UUID  `json:"guid"`
	DeliveryID  int64      `json:"delivery_id"`  // of an attempt
	DeliveredAt time.Time  `json:"delivered_at"` // when that was made, by GitHub's clock
	Asked       int        `json:"asked"`        // how often GitHub was asked to send it again
	AskedAt     *time.Time `json:"asked_at"`
}

// HookLook is the result of listing a hook's deliveries once.
type HookLook struct {
	Lost       []LostDelivery // to be added to those that are known
	Arrived    []uuid.UUID    // by GitHub's account
	ResolvedTo time.Time      // every delivery before it is received, lost, or forgotten
	Forgotten  time.Time      // what was delivered before is out of GitHub's memory
	At         time.Time
}

// NoteLook writes how far a hook's deliveries are accounted for, which never goes back,
// and adds the lost ones. A delivery that was received meanwhile is not lost.
func (db *DB) NoteLook(ctx context.Context, name string, l HookLook) error {
	return db.inTx(ctx, "hook "+name, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO hooks AS h (name, resolved_to, succeeded_at) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET
				resolved_to = greatest(h.resolved_to, excluded.resolved_to), succeeded_at = greatest(h.succeeded_at, excluded.succeeded_at)`,
			name, l.ResolvedTo, l.At)
		if err != nil {
			return err
		}
		rows, err := records(l.Lost)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO lost_deliveries (hook, guid, delivery_id, delivered_at)
			SELECT $1, guid, delivery_id, delivered_at
			FROM jsonb_to_recordset($2::jsonb) AS f(guid uuid, delivery_id bigint, delivered_at timestamptz)
			ON CONFLICT DO NOTHING`, name, rows)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			DELETE FROM lost_deliveries l
			WHERE hook = $1 AND (delivered_at < $2 OR guid = ANY($3) OR EXISTS (SELECT FROM deliveries d WHERE d.guid = l.guid))`,
			name, l.Forgotten, l.Arrived)
		return err
	})
}

// LostDeliveries lists the lost deliveries of a hook, the oldest first.
func (db *DB) LostDeliveries(ctx context.Context, name string) ([]LostDelivery, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT guid, delivery_id, delivered_at, asked, asked_at FROM lost_deliveries
		WHERE hook = $1 ORDER BY delivered_at, delivery_id`, name)
	if err != nil {
		return nil, fmt.Errorf("store: lost deliveries of hook %s: %w", name, err)
	}
	lost, err := pgx.CollectRows(rows, pgx.RowToStructByName[LostDelivery])
	if err != nil {
		return nil, fmt.Errorf("store: lost deliveries of hook %s: %w", name, err)
	}
	return lost, nil
}

// AskedAgain notes that GitHub was asked to send a delivery again.
func (db *DB) AskedAgain(ctx context.Context, name string, guid uuid.UUID, at time.Time) error {
	_, err := db.pool.Exec(ctx, `UPDATE lost_deliveries SET asked = asked + 1, asked_at = $3 WHERE hook = $1 AND guid = $2`, name, guid, at)
	if err != nil {
		return fmt.Errorf("store: hook %s: delivery %s: %w", name, guid, err)
	}
	return nil
}
