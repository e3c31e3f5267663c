package record

import (
	"fmt"
	"strings"
	"testing"
	"time"

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
		for n, fits := range map[int]bool{MaxListed - 1: true, MaxListed: true, MaxListed + 1: false} {
			each := `{"number":%d}`
			if list == "labels" {
				each = `"l%d"`
			}
			f, err := FactsOfDelivery(jobPayload(`,"`+list+`":`+listOf(n, each)), deliveryOf(1), time.Now())
			if (err == nil) != fits || fits && len(f.Steps)+len(f.Labels) != n {
				t.Errorf("%d %s: %v", n, list, err)
			}
		}
	}
}

// What stands for nothing among steps and labels is nothing.
func TestNullsInListsAreNothing(t *testing.T) {
	f, err := FactsOfDelivery(jobPayload(`,"steps":[null,{"number":1,"name":"s"},null],"labels":[null,"l"]`), deliveryOf(1), time.Now())
	if err != nil || len(f.Steps) != 1 || f.Steps[0].Name != "s" {
		t.Errorf("steps %v, %v", f.Steps, err)
	}
}

// Folding takes time in proportion to what is folded.
func TestFoldIsLinear(t *testing.T) {
	growth.Linear(t, MaxListed/8, func(n int) func() {
		var snapshots []store.Facts
		for i := range 4 {
			f, err := FactsOfDelivery(jobPayload(fmt.Sprintf(`,"labels":["%d"],"steps":%s`, i, listOf(n, `{"number":%d,"name":"a step"}`))), deliveryOf(1), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			snapshots = append(snapshots, f)
		}
		return func() { Fold(snapshots) }
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
		allocated := testing.AllocsPerRun(1, func() { _, err = FactsOfDelivery(body, deliveryOf(1), time.Now()) })
		if err == nil || allocated > 1000 {
			t.Errorf("%s: %v, after %.0f allocations", name, err, allocated)
		}
	}
}
