package ingest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/klauspost/compress/zstd"
	"github.com/tidwall/gjson"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/ghapi"
	"github.com/jobvault/jobvault/store"
)

// storeDetails puts a job into the bucket as GitHub sent it. It may be repeated: if the
// job's details are there already (a worker was killed, a database restored), they are
// the truth from now on, so that the rows can always be rebuilt from the bucket, and the
// facts that it returns are theirs.
func storeDetails(ctx context.Context, a *archive.Archive, key archive.JobKey, raw []byte, facts store.Facts, logger *slog.Logger) (store.Facts, error) {
	kept, found, err := putDetails(ctx, a, key, raw, facts.Repository, logger)
	if err != nil {
		return facts, err
	}
	facts.Details = record.DetailsOf(kept)
	if string(kept) == string(raw) || found.Job.Status != store.StatusCompleted && facts.Job.Status == store.StatusCompleted {
		// What was kept of a job that GitHub had given up for lost says less.
		return facts, nil
	}
	found.Details = facts.Details
	return found, nil
}

// putDetails puts what GitHub sent of a job into the bucket, and returns what is there then,
// and what that tells. What was there before stays, unless it is of no use: it cannot be
// read, or is of another job. Then what GitHub sent takes its place, if that is of use: no
// row was ever made of the other, and nothing could be.
func putDetails(ctx context.Context, a *archive.Archive, key archive.JobKey, raw []byte, repo store.Repository, logger *slog.Logger) ([]byte, store.Facts, error) {
	kept, err := a.PutDetails(ctx, key, raw)
	if err == nil && string(kept) == string(raw) {
		return kept, store.Facts{}, nil
	}
	var found store.Facts
	if err == nil {
		if found, err = record.FactsOfDetails(kept, key, repo); err == nil {
			return kept, found, nil
		}
	} else if !errors.Is(err, bucket.ErrUnreadable) {
		return nil, found, err
	}
	if found, ferr := record.FactsOfDetails(raw, key, repo); ferr != nil {
		return nil, found, errors.Join(err, ferr)
	}
	if err := a.ReplaceDetails(ctx, key, raw); err != nil {
		return nil, found, err
	}
	logger.WarnContext(ctx, "job.json was of no use, and is replaced by what GitHub sent", KeyJob, key.JobID, KeyError, err,
		KeyBytes, len(kept), KeyDigest, hex.EncodeToString(record.DetailsOf(kept).SHA256[:]))
	return raw, found, nil
}

// undescribed says whether the job itself was asked for in vain on more days than any is
// waited for: only its log is asked for any more.
func (t *task) undescribed() bool {
	over := func(days *int, limit int) bool { return days != nil && *days > limit }
	l := t.known.Log
	return l.State != store.LogMissing && (over(l.FailedDays, maxFailedDays) || over(l.RefusedDays, t.DeniedDays))
}

// factsOf reads what the REST API tells of the job. What cannot be, or contradicts what is
// known, is no answer, as a page would be.
func (t *task) factsOf(job ghapi.Job) (store.Facts, error) {
	facts, err := record.FactsOfJob(job.WorkflowJob, t.known.Repository)
	if err != nil {
		return facts, t.unusable(err)
	}
	if facts.Job.RunID != t.known.Job.RunID {
		// Nothing of another run's is put into this job's folder.
		return facts, t.unusable(fmt.Errorf("it is of run %d, and was of run %d", facts.Job.RunID, t.known.Job.RunID))
	}
	if facts.Job.RunAttempt == nil {
		facts.Job.RunAttempt = t.known.Job.RunAttempt
	}
	return facts, nil
}

// unusable is the error for an answer about the job that is of no use.
func (t *task) unusable(why error) error {
	return &ghapi.Error{
		Class: ghapi.Transient, Op: fmt.Sprintf("get job %d", t.id), Status: http.StatusOK, Message: "the answer is of no use", Err: why,
	}
}

// keepDetails keeps the description of a completed job and writes its rows. What neither
// bucket nor Postgres can take, whoever sent it, is no answer either.
func (t *task) keepDetails(ctx context.Context, facts store.Facts, raw []byte) (bool, error) {
	key := record.KeyOf(facts.Job)
	kept, err := storeDetails(ctx, t.Archive, key, raw, facts, t.logger)
	if err == nil && kept.Job.Status == store.StatusCompleted {
		err = t.DB.RecordFetched(ctx, kept, t.Now())
	}
	if errors.Is(err, archive.ErrTooLong) || store.IsBadData(err) {
		err = t.unusable(err)
	}
	if err != nil {
		return t.handleJobError(ctx, err)
	}
	t.facts, t.key, t.detailsStored = kept, key, true
	if t.known.Log.TryingSince == nil || kept.Job.Status != store.StatusCompleted {
		return true, nil
	}
	t.known.Log.TryingSince = nil
	err = t.DB.NoteAnswer(ctx, t.id)
	return err == nil, err
}

// ErrNoWebhook says that no webhook ever told of a job.
var ErrNoWebhook = errors.New("no webhook told of it")

// LatestWebhookJob returns the workflow_job of the webhook by which the job had come
// furthest, as GitHub sent it, and its status. It fails with ErrNoWebhook if there is none.
func LatestWebhookJob(ctx context.Context, db *store.DB, jobID int64) (raw []byte, status string, err error) {
	deliveries, err := db.Deliveries(ctx, jobID)
	if err != nil {
		return nil, "", err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*maxBody))
	if err != nil {
		return nil, "", err
	}
	defer dec.Close()
	furthest := -1
	for _, d := range deliveries {
		body, err := dec.DecodeAll(d.Payload, nil)
		if err != nil {
			return nil, "", fmt.Errorf("delivery %s: %w", d.GUID, err)
		}
		payload, err := record.StoredPayloadJSON(body)
		if err != nil {
			return nil, "", fmt.Errorf("delivery %s: %w", d.GUID, err)
		}
		job := gjson.GetBytes(payload, "workflow_job")
		said := job.Get("status").String()
		if stage := store.Stage(said); job.IsObject() && stage >= furthest {
			furthest, raw, status = stage, []byte(job.Raw), said
		}
	}
	if raw == nil {
		return nil, "", ErrNoWebhook
	}
	return raw, status, nil
}
