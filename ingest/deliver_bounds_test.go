package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/jobvault/jobvault/ingest/record"
	"github.com/jobvault/jobvault/internal/growth"
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

// listOf is a JSON list of n things, each made of its number.
func listOf(n int, format string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, format, i)
	}
	return "[" + b.String() + "]"
}

// A job has no more steps and labels than its rows can be written for at once.
func TestStepsAndLabelsAreBounded(t *testing.T) {
	for _, list := range []string{"steps", "labels"} {
		for n, fits := range map[int]bool{record.MaxListed - 1: true, record.MaxListed: true, record.MaxListed + 1: false} {
			each := `{"number":%d}`
			if list == "labels" {
				each = `"l%d"`
			}
			f, err := record.FactsOfDelivery(jobPayload(`,"`+list+`":`+listOf(n, each)), deliveryOf(1), time.Now())
			if (err == nil) != fits || fits && len(f.Steps)+len(f.Labels) != n {
				t.Errorf("%d %s: %v", n, list, err)
			}
		}
	}
}

// What stands for nothing among steps and labels is nothing.
func TestNullsInListsAreNothing(t *testing.T) {
	f, err := record.FactsOfDelivery(jobPayload(`,"steps":[null,{"number":1,"name":"s"},null],"labels":[null,"l"]`), deliveryOf(1), time.Now())
	if err != nil || len(f.Steps) != 1 || f.Steps[0].Name != "s" {
		t.Errorf("steps %v, %v", f.Steps, err)
	}
}

// Small payloads may be large ones: of a job's deliveries the newest are read that have
// some bytes together, as they were sent.
func TestDeliveriesOfAJobAreBoundedAsTheyWereSent(t *testing.T) {
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
		u := w.understand(append(slices.Repeat([]store.Delivery{large}, n), small))
		if len(u.Verdicts) != c.read || u.Read>>20 != c.bytes>>20 || len(u.Facts) != 1 || u.Verdicts[0].Error != "" {
			t.Errorf("%d large ones: %d verdicts, %d bytes, %d accounts", n, len(u.Verdicts), u.Read, len(u.Facts))
		}
	}
}

// Folding takes time in proportion to what is folded.
func TestFoldIsLinear(t *testing.T) {
	growth.Linear(t, record.MaxListed/8, func(n int) func() {
		var snapshots []store.Facts
		for i := range 4 {
			f, err := record.FactsOfDelivery(jobPayload(fmt.Sprintf(`,"labels":["%d"],"steps":%s`, i, listOf(n, `{"number":%d,"name":"a step"}`))), deliveryOf(1), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			snapshots = append(snapshots, f)
		}
		return func() { record.Fold(snapshots) }
	})
}

// What is too much is refused before it is decoded: also under a key that comes twice, or
// is written another way.
func TestTooManyStepsAreNotDecoded(t *testing.T) {
	const n = 1_000_000
	list := "[" + strings.Repeat("{},", n) + "{}]"
	for name, body := range map[string][]byte{
		"steps":        jobPayload(`,"steps":` + list),
		"labels":       jobPayload(`,"labels":` + list),
		"twice":        jobPayload(`,"steps":[],"steps":` + list),
		"in capitals":  jobPayload(`,"STEPS":` + list),
		"escaped":      jobPayload(`,"\u0073teps":` + list),
		"of a second":  fmt.Appendf(nil, `{"workflow_job":{"id":1},"Workflow_job":{"id":1,"steps":%s}}`, list),
		"the long ſ":   jobPayload(`,"ſteps":` + list),
		"the kelvin K": fmt.Appendf(nil, `{"wor`+"\u212a"+`flow_job":{"id":1,"steps":%s}}`, list),
	} {
		var err error
		allocated := testing.AllocsPerRun(1, func() { _, err = record.FactsOfDelivery(body, deliveryOf(1), time.Now()) })
		if err == nil || allocated > 1000 {
			t.Errorf("%s: %v, after %.0f allocations", name, err, allocated)
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
