package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/store"
)

func deliveryOf(job int64) store.Delivery {
	repository := int64(3)
	return store.Delivery{JobID: &job, RepositoryID: &repository, ReceivedAt: time.Unix(0, 0)}
}

// jobPayload is a usable payload of job 1, with more in its job.
func jobPayload(more string) []byte {
	return fmt.Appendf(nil, `{"workflow_job":{"id":1,"run_id":2,"status":"queued","name":"x"%s},"repository":{"id":3,"full_name":"a/b"}}`, more)
}

// A small compressed payload may be a large one: how many of a job's newest deliveries
// are read is bounded by their size as they were sent.
func TestDeliveriesOfAJobAreBoundedAsTheyWereSent(t *testing.T) {
	t.Parallel()
	w, err := NewDeliveryWorker(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	small := deliveryOf(1)
	small.Payload = enc.EncodeAll(jobPayload(`,"conclusion":"of the newest"`), nil)
	large := deliveryOf(1)
	large.Payload = enc.EncodeAll(append(jobPayload(`,"conclusion":"of before"`), bytes.Repeat([]byte(" "), 24<<20)...), nil)
	for n, c := range map[int]struct {
		read  int
		bytes int64
	}{0: {1, 0}, 2: {3, 48 << 20}, 3: {4, 72 << 20}, 5: {4, 72 << 20}} {
		u := w.interpret(append(slices.Repeat([]store.Delivery{large}, n), small))
		if len(u.Verdicts) != c.read || u.Read>>20 != c.bytes>>20 || len(u.Facts) != 1 || u.Verdicts[0].Error != "" {
			t.Errorf("%d large ones: %d verdicts, %d bytes, %d accounts", n, len(u.Verdicts), u.Read, len(u.Facts))
		}
	}
}

func TestABatchThatTakesTooLongIsHalved(t *testing.T) {
	late := fmt.Errorf("drain: %w", context.DeadlineExceeded)
	sizes := []int{drainBatch}
	for _, err := range []error{late, late, io.EOF, nil, late, late, late, late, late, late, late, late, late, nil} {
		sizes = append(sizes, nextBatch(sizes[len(sizes)-1], err))
	}
	if got, want := fmt.Sprint(sizes), "[200 100 50 50 200 100 50 25 12 6 3 1 1 1 200]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
