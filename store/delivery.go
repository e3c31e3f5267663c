package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// States of a delivery.
const (
	DeliveryReceived    = "received"
	DeliveryDone        = "done"
	DeliveryQuarantined = "quarantined"
)

// Delivery is one webhook delivery as it was accepted.
type Delivery struct {
	GUID         uuid.UUID
	Event        string
	Action       *string
	ReceivedAt   time.Time
	RepositoryID *int64
	JobID        *int64
	Payload      []byte // the signed body, zstd; nil once pruned
	State        string
	Error        *string
}

// InsertDeliveries commits a group of deliveries at once. A GUID that is there
// already is left as it is. ReceivedAt is the database's clock.
func (db *DB) InsertDeliveries(ctx context.Context, ds []Delivery) error {
	n := len(ds)
	guids, events := make([]uuid.UUID, n), make([]string, n)
	actions, repositories, jobs := make([]*string, n), make([]*int64, n), make([]*int64, n)
	payloads, states, errs := make([][]byte, n), make([]string, n), make([]*string, n)
	for i, d := range ds {
		guids[i], events[i], actions[i] = d.GUID, d.Event, d.Action
		repositories[i], jobs[i], payloads[i] = d.RepositoryID, d.JobID, d.Payload
		states[i], errs[i] = d.State, d.Error
	}
	// One statement is one transaction, without the round trips of BEGIN and
	// COMMIT. The order within a group is kept in received_at; the rows are taken in
	// that of their keys, so that two groups cannot deadlock.
	_, err := db.pool.Exec(ctx, `
		INSERT INTO deliveries (guid, event, action, received_at, repository_id, job_id, payload, state, error)
		SELECT guid, event, action, statement_timestamp() + place * interval '1 microsecond', repository_id, job_id, payload, state, error
		FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bytea[], $7::text[], $8::text[])
			WITH ORDINALITY AS d(guid, event, action, repository_id, job_id, payload, state, error, place)
		ORDER BY guid, place
		ON CONFLICT (guid) DO NOTHING`,
		guids, events, actions, repositories, jobs, payloads, states, errs)
	if err != nil {
		return fmt.Errorf("store: insert deliveries: %w", err)
	}
	return nil
}

// Verdict is what became of one delivery: done, or quarantined with an error.
type Verdict struct {
	GUID  uuid.UUID
	Error string // empty: done
}

// Interpretation is what a batch of deliveries means: rows to write, and a verdict
// for each delivery that was in state received.
type Interpretation struct {
	Facts    []Facts
	Verdicts []Verdict
	Read     int64 // bytes of the payloads, as they were sent
	// Selected says whether the jobs of a repository, as it is known now, are to be
	// archived; nil: all are. A late delivery may be of a repository that is not selected
	// any more: what it says of the repository is kept, and a job that has no row yet gets
	// none. It must not use the database.
	Selected func(Repository) bool
}

// Bounds of what is read of deliveries at a time, which may be anything that was signed.
// No real job has a tenth of these; of more deliveries the newest are read.
const (
	deliveriesPerJob = 200
	payloadsPerJob   = 64 << 20 // bytes, as they are kept
	readPerDrain     = 8 << 20  // bytes, as they were sent, after which a drain takes no further job
)

// DrainDeliveries works on up to limit deliveries that wait, oldest first, in one
// transaction: job by job it hands interpret all deliveries of the job (old ones too,
// oldest first), writes the rows that it returns, enqueues an archive job for each
// completed job that is pending in the ledger, and marks the deliveries. Deliveries that
// another process works on are passed over, and so are those of jobs beyond readPerDrain.
// It returns the verdicts on those that it took; with an error they wait as before, and
// the verdicts are empty but for the GUIDs.
//
// interpret gets everything that GitHub sent of a job, so that the rows do not depend on
// the order in which deliveries come; it must be a pure function.
func (db *DB) DrainDeliveries(ctx context.Context, limit int, interpret func([]Delivery) Interpretation) ([]Verdict, error) {
	return db.drain(ctx, limit, false, interpret)
}

// DrainOneDelivery is DrainDeliveries for the oldest delivery alone: others of its
// job that wait are left out, so that bad data is surely its own.
func (db *DB) DrainOneDelivery(ctx context.Context, interpret func([]Delivery) Interpretation) ([]Verdict, error) {
	return db.drain(ctx, 1, true, interpret)
}

func (db *DB) drain(ctx context.Context, limit int, alone bool, interpret func([]Delivery) Interpretation) ([]Verdict, error) {
	var taken []Verdict
	err := db.inTx(ctx, "drain deliveries", func(ctx context.Context, tx pgx.Tx) error {
		claimed, jobs, err := claimDeliveries(ctx, tx, limit)
		taken = slices.Clone(claimed)
		if err != nil || len(taken) == 0 {
			return err
		}
		jobIDs := slices.Collect(maps.Values(jobs))
		if err := lockJobs(ctx, tx, jobIDs); err != nil {
			return err
		}
		u, left, err := interpretJobs(ctx, tx, jobIDs, func(ds []Delivery) Interpretation {
			if alone {
				ds = slices.DeleteFunc(ds, func(d Delivery) bool { return d.State == DeliveryReceived && d.GUID != claimed[0].GUID })
			}
			return interpret(ds)
		})
		if err != nil {
			return err
		}
		claimed = slices.DeleteFunc(claimed, func(v Verdict) bool { return left[jobs[v.GUID]] })
		if err := writeInterpreted(ctx, tx, u); err != nil {
			return err
		}
		if err := db.enqueueCompleted(ctx, tx, jobIDs, PriorityLive); err != nil {
			return err
		}
		// Only what is claimed here: a delivery of the same job may be locked by
		// a process that waits for our lock on the job.
		verdicts := append(among(u.Verdicts, claimed), unread(claimed, u.Verdicts)...)
		if err := markDeliveries(ctx, tx, verdicts); err != nil {
			return err
		}
		if err := db.recheckCompletedAgain(ctx, tx, verdicts); err != nil {
			return err
		}
		taken = verdicts
		return nil
	})
	return taken, err
}

// interpretJobs has all deliveries of one job after the other understood, and says
// which jobs are left because they come after readPerDrain. It holds the deliveries of
// one job.
func interpretJobs(ctx context.Context, tx pgx.Tx, jobIDs []int64, interpret func([]Delivery) Interpretation) (all Interpretation, left map[int64]bool, err error) {
	rows, err := tx.Query(ctx, deliveriesOfJobs, jobIDs, deliveriesPerJob, payloadsPerJob)
	if err != nil {
		return all, nil, err
	}
	defer rows.Close()
	var ds []Delivery // of one job
	end := func() {
		if len(ds) > 0 {
			u := interpret(ds)
			all.Facts, all.Verdicts = append(all.Facts, u.Facts...), append(all.Verdicts, u.Verdicts...)
			all.Read, all.Selected = all.Read+u.Read, u.Selected
			ds = nil
		}
	}
	for rows.Next() {
		d, err := pgx.RowToStructByName[Delivery](rows)
		if err != nil {
			return all, nil, err
		}
		if len(ds) > 0 && *ds[0].JobID != *d.JobID {
			if end(); all.Read >= readPerDrain {
				return all, from(jobIDs, *d.JobID), nil
			}
		}
		ds = append(ds, d)
	}
	end()
	return all, nil, rows.Err()
}

// from are the jobs with an id that is not below one.
func from(jobIDs []int64, first int64) map[int64]bool {
	left := make(map[int64]bool)
	for _, id := range jobIDs {
		left[id] = id >= first
	}
	return left
}

// unread are verdicts on what was taken and, being one too many of its job, not
// read: it counts for nothing, and is done.
func unread(taken, understood []Verdict) []Verdict {
	read := make(map[uuid.UUID]bool, len(understood))
	for _, v := range understood {
		read[v.GUID] = true
	}
	return slices.DeleteFunc(slices.Clone(taken), func(v Verdict) bool { return read[v.GUID] })
}

// among keeps the verdicts on what was taken.
func among(vs, taken []Verdict) []Verdict {
	mine := make(map[uuid.UUID]bool, len(taken))
	for _, v := range taken {
		mine[v.GUID] = true
	}
	return slices.DeleteFunc(vs, func(v Verdict) bool { return !mine[v.GUID] })
}

// claimDeliveries locks waiting deliveries and returns them with their jobs.
func claimDeliveries(ctx context.Context, tx pgx.Tx, limit int) (taken []Verdict, jobs map[uuid.UUID]int64, err error) {
	rows, err := tx.Query(ctx, `
		SELECT guid, job_id FROM deliveries
		WHERE state = 'received'
		ORDER BY received_at
		LIMIT $1
		FOR UPDATE SKIP LOCKED`, limit)
	if err != nil {
		return nil, nil, err
	}
	jobs = make(map[uuid.UUID]int64)
	var guid uuid.UUID
	var jobID int64
	_, err = pgx.ForEachRow(rows, []any{&guid, &jobID}, func() error {
		taken, jobs[guid] = append(taken, Verdict{GUID: guid}), jobID
		return nil
	})
	return taken, jobs, err
}

// deliveriesOfJobs reads what GitHub sent of jobs, job by job, oldest first. A payload's
// size is known without reading it.
const deliveriesOfJobs = `
	SELECT guid, event, action, received_at, repository_id, job_id, payload, state, error
	FROM (SELECT *, row_number() OVER newest_first AS newest, sum(octet_length(payload)) OVER newest_first AS bytes
	      FROM deliveries
	      WHERE job_id = ANY($1) AND payload IS NOT NULL AND state <> 'quarantined'
	      WINDOW newest_first AS (PARTITION BY job_id ORDER BY received_at DESC, guid)) d
	WHERE newest = 1 OR newest <= $2 AND bytes <= $3
	ORDER BY job_id, received_at, guid`

// Deliveries lists what GitHub sent of a job, as far as it is usable and kept,
// oldest first.
func (db *DB) Deliveries(ctx context.Context, jobID int64) ([]Delivery, error) {
	var ds []Delivery
	err := db.inTx(ctx, fmt.Sprintf("deliveries of job %d", jobID), func(ctx context.Context, tx pgx.Tx) (err error) {
		ds, err = pgx.CollectRows(query(ctx, tx, deliveriesOfJobs, []int64{jobID}, deliveriesPerJob, payloadsPerJob), pgx.RowToStructByName[Delivery])
		return err
	})
	return ds, err
}

// lockJobs makes this transaction the only one that writes rows of these jobs.
// Always taken in the order of the ids, so that two cannot wait for each other.
func lockJobs(ctx context.Context, tx pgx.Tx, jobIDs []int64) error {
	_, err := tx.Exec(ctx, `
		SELECT pg_advisory_xact_lock(hashtextextended('jobvault job', id))
		FROM (SELECT DISTINCT id FROM unnest($1::bigint[]) id ORDER BY id) ordered`, jobIDs)
	return err
}

// gatherTime is how long a live job waits for others of its attempt to complete, so that
// one list describes them all.
const gatherTime = 2 * time.Second

// enqueueCompleted enqueues those of the jobs that have completed and whose log
// is not settled. A live one that is not described, and whose attempt goes on, is due after
// gatherTime.
func (db *DB) enqueueCompleted(ctx context.Context, tx pgx.Tx, jobIDs []int64, p Priority) error {
	rows, err := tx.Query(ctx, `
		SELECT j.id, $2 AND j.fetched_at IS NULL AND EXISTS (
			SELECT FROM jobs o
			WHERE o.run_id = j.run_id AND coalesce(o.run_attempt, 1) = coalesce(j.run_attempt, 1) AND o.status <> 'completed')
		FROM jobs j JOIN job_logs l ON l.job_id = j.id
		WHERE j.id = ANY($1) AND j.status = 'completed' AND l.state = 'pending'
		ORDER BY j.id`, jobIDs, p == PriorityLive)
	if err != nil {
		return err
	}
	var id int64
	var gathers bool
	var ids, gathering []int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &gathers}, func() error {
		if ids = append(ids, id); gathers {
			gathering = append(gathering, id)
		}
		return nil
	}); err != nil {
		return err
	}
	// All at once, so that rows are inserted in the order of ids.
	inserted, err := db.enqueueArgs(ctx, tx, archiveArgs(ids), p)
	if err != nil {
		return err
	}
	return putOff(ctx, tx, inserted, gathering, gatherTime)
}

// markDeliveries gives deliveries that wait their verdict.
func markDeliveries(ctx context.Context, tx pgx.Tx, vs []Verdict) error {
	guids, errs := make([]uuid.UUID, len(vs)), make([]string, len(vs))
	for i, v := range vs {
		guids[i], errs[i] = v.GUID, v.Error
	}
	_, err := tx.Exec(ctx, `
		UPDATE deliveries d
		SET state = CASE WHEN v.error = '' THEN 'done' ELSE 'quarantined' END, error = nullif(v.error, '')
		FROM unnest($1::uuid[], $2::text[]) AS v(guid, error)
		WHERE d.guid = v.guid AND d.state = 'received'`, guids, errs)
	return err
}

// QuarantineDelivery sets one delivery aside with the reason, if it still waits.
func (db *DB) QuarantineDelivery(ctx context.Context, v Verdict) error {
	return db.inTx(ctx, "quarantine delivery", func(ctx context.Context, tx pgx.Tx) error {
		return markDeliveries(ctx, tx, []Verdict{v})
	})
}
