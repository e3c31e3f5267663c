package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"github.com/tidwall/gjson"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// storeDetails puts a job into the bucket as GitHub sent it. It may be repeated: if the
// job's details are there already (a worker was killed, a database restored), they are
// the truth from now on, so that the rows can always be rebuilt from the bucket, and the
// facts that it returns are theirs.
func storeDetails(ctx context.Context, a *archive.Archive, key archive.JobKey, raw []byte, facts store.Facts) (store.Facts, error) {
	kept, err := a.PutDetails(ctx, key, raw)
	if err != nil {
		return facts, err
	}
	facts.Details = record.DetailsOf(kept)
	if string(kept) == string(raw) {
		return facts, nil
	}
	found, err := record.FactsOfDetails(kept, key, facts.Repository)
	if err != nil || found.Job.Status != store.StatusCompleted && facts.Job.Status == store.StatusCompleted {
		// What was kept of a job that GitHub had given up for lost says less.
		return facts, err
	}
	found.Details = facts.Details
	return found, nil
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
