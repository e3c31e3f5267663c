package store_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

// deliveryArgs is the queue row that each delivery would have if River fed the
// delivery worker.
type deliveryArgs struct {
	GUID string `json:"guid"`
}

func (deliveryArgs) Kind() string { return "delivery" }

// BenchmarkFeed is why the delivery worker drains the table deliveries: what a
// group of 32 deliveries costs to commit as it is, and with a queue row each,
// before any of those rows is claimed, worked and completed.
func BenchmarkFeed(b *testing.B) {
	const group = 32
	payload := make([]byte, 2000)
	deliveries := func() []store.Delivery {
		ds := make([]store.Delivery, group)
		for i := range ds {
			id := int64(i + 1)
			ds[i] = store.Delivery{GUID: uuid.New(), Event: "workflow_job", RepositoryID: &id, JobID: &id, Payload: payload, State: store.DeliveryReceived}
		}
		return ds
	}
	b.Run("drained", func(b *testing.B) {
		db := testenv.DB(b)
		for b.Loop() {
			if err := db.InsertDeliveries(b.Context(), deliveries()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N*group)/b.Elapsed().Seconds(), "deliveries/s")
	})
	b.Run("queue row each", func(b *testing.B) {
		db := testenv.DB(b)
		queue, err := river.NewClient(riverpgxv5.New(db.Pool()), &river.Config{Schema: store.QueueSchema, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			ds := deliveries()
			if err := db.InsertDeliveries(b.Context(), ds); err != nil {
				b.Fatal(err)
			}
			if err := insertQueueRows(b.Context(), db, queue, ds); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N*group)/b.Elapsed().Seconds(), "deliveries/s")
	})
}

func insertQueueRows(ctx context.Context, db *store.DB, queue *river.Client[pgx.Tx], ds []store.Delivery) error {
	params := make([]river.InsertManyParams, len(ds))
	for i, d := range ds {
		params[i] = river.InsertManyParams{Args: deliveryArgs{GUID: d.GUID.String()}}
	}
	return pgx.BeginFunc(ctx, db.Pool(), func(tx pgx.Tx) error {
		_, err := queue.InsertManyFastTx(ctx, tx, params)
		return err
	})
}
