package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/store"
)

// drainBatch is how many deliveries one transaction of the delivery worker takes, at most.
const drainBatch = 200

// nextBatch is how many deliveries the next transaction may take, after one of a size: half
// as many if that did not come to its end in time, whatever it was that took so long.
func nextBatch(size int, err error) int {
	switch {
	case err == nil:
		return drainBatch
	case errors.Is(err, context.DeadlineExceeded):
		return max(size/2, 1)
	}
	return size
}

// drainPoll is how long deliveries of another process wait at most to be seen.
const drainPoll = time.Second

// drainBackoff bounds how long the delivery worker pauses while Postgres is away.
const drainBackoff = 10 * time.Second

// DeliveryWorker turns deliveries into rows, in batches. It drains the table
// deliveries itself instead of having a queue row for each: the delivery is the
// queue row, and a batch of one repository's deliveries shares its writes.
type DeliveryWorker struct {
	Selected func(fullName string) bool // as of a Receiver; set it before Run

	db      *store.DB
	logger  *slog.Logger
	metrics *Metrics
	zstd    *zstd.Decoder
	wake    chan struct{}
	batch   int // how many deliveries the next drain may take
}

// NewDeliveryWorker prepares a worker; Run runs it.
func NewDeliveryWorker(db *store.DB, logger *slog.Logger, metrics *Metrics) (*DeliveryWorker, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*maxBody))
	if err != nil {
		return nil, err
	}
	return &DeliveryWorker{db: db, logger: logger, metrics: metrics, zstd: dec, wake: make(chan struct{}, 1), batch: drainBatch}, nil
}

// Wake tells the worker that a delivery was committed. It never blocks.
func (w *DeliveryWorker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run drains until the context ends. What is claimed then is rolled back, and
// another worker's.
func (w *DeliveryWorker) Run(ctx context.Context) {
	poll := time.NewTicker(drainPoll)
	defer poll.Stop()
	pause := time.Duration(0)
	for ctx.Err() == nil {
		n, err := w.Drain(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			pause = min(max(2*pause, 100*time.Millisecond), drainBackoff)
			w.logger.ErrorContext(ctx, "deliveries not drained", KeyError, err, KeyWait, pause)
			wait(ctx, pause)
		case n == 0:
			pause = 0
			select {
			case <-w.wake:
			case <-poll.C:
			case <-ctx.Done():
			}
		default:
			pause = 0
		}
	}
}

// Drain works on one batch and returns how many deliveries are done with.
func (w *DeliveryWorker) Drain(ctx context.Context) (int, error) {
	verdicts, err := w.db.DrainDeliveries(ctx, w.batch, w.interpret)
	w.batch = nextBatch(w.batch, err)
	if store.IsBadData(err) {
		return w.drainSingly(ctx, len(verdicts))
	}
	if err != nil {
		return 0, err
	}
	w.report(ctx, verdicts)
	return len(verdicts), nil
}

// drainSingly works on n deliveries one by one, and quarantines those that
// Postgres refuses: one harms no other.
func (w *DeliveryWorker) drainSingly(ctx context.Context, n int) (int, error) {
	for i := range n {
		verdicts, err := w.db.DrainOneDelivery(ctx, w.interpret)
		if store.IsBadData(err) && len(verdicts) == 1 {
			verdicts[0].Error = record.Reason(err)
			err = w.db.QuarantineDelivery(ctx, verdicts[0])
		}
		if err != nil {
			return i, err
		}
		w.report(ctx, verdicts)
	}
	return n, nil
}

func (w *DeliveryWorker) report(ctx context.Context, vs []store.Verdict) {
	for _, v := range vs {
		if v.Error == "" {
			w.metrics.drained.Inc()
			continue
		}
		w.metrics.quarantined.Inc()
		w.logger.WarnContext(ctx, "delivery quarantined", KeyDelivery, v.GUID, KeyReason, v.Error)
	}
}

// maxRead bounds what is read of a job's deliveries, in bytes as they were sent. With
// more, the newest count.
const maxRead = 64 << 20

// interpret folds the deliveries of a job, of which the oldest come first, into one
// account of it.
func (w *DeliveryWorker) interpret(ds []store.Delivery) store.Interpretation {
	u := store.Interpretation{Selected: func(r store.Repository) bool { return selects(w.Selected, r) }}
	// A payload that comes again is of when it came first.
	sums, first := make([][sha256.Size]byte, len(ds)), make(map[[sha256.Size]byte]time.Time)
	for i, d := range ds {
		sums[i] = sha256.Sum256(d.Payload)
		if _, again := first[sums[i]]; !again {
			first[sums[i]] = d.ReceivedAt
		}
	}
	var all []store.Facts
	for i, d := range slices.Backward(ds) {
		if u.Read >= maxRead {
			break
		}
		verdict := store.Verdict{GUID: d.GUID}
		body, err := w.zstd.DecodeAll(d.Payload, nil)
		u.Read += int64(len(body))
		var facts store.Facts
		if err == nil {
			facts, err = record.FactsOfDelivery(body, d, first[sums[i]])
		}
		if err != nil {
			verdict.Error = record.Reason(err)
		} else {
			all = append(all, facts)
		}
		u.Verdicts = append(u.Verdicts, verdict)
	}
	if len(all) > 0 {
		u.Facts = []store.Facts{record.Fold(all)}
	}
	return u
}

// wait returns after d or when the context ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
