package record

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jobvault/jobvault/internal/growth"
	"github.com/jobvault/jobvault/store"
)

// FuzzPayload: no signed body, however odd, makes anything but rows or a reason,
// and no text that Postgres cannot keep.
func FuzzPayload(f *testing.F) {
	f.Add([]byte(`{"action":"queued","workflow_job":{"id":1,"run_id":2,"status":"queued","name":"x","labels":["a"],"steps":[{"number":1}]},"repository":{"id":3,"full_name":"a/b"}}`))
	f.Add([]byte(`payload=%7B%22workflow_job%22%3Anull%7D`))
	f.Add([]byte(`{"workflow_job":{"id":1e3},"repository":{"id":1}}`))
	f.Add([]byte(`{"workflow_job":{"id":1,"run_id":1,"status":"\u0000","started_at":"0001-01-01T00:00:00Z"},"repository":{"id":1,"name":"\ud800","owner":{"login":"x"}}}`))
	f.Add([]byte(`{"workflow_job":{"id":1,"run_id":1,"status":"x","steps":[null],"labels":[null]},"repository":{"id":1,"full_name":"a/b"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		defer growth.Within(t, time.Now(), len(body))
		raw, err := StoredPayloadJSON(body)
		if err != nil {
			return
		}
		h := ReadHead(raw)
		if !storable(h.Unusable) || h.Action != nil && !storable(*h.Action) {
			t.Errorf("head %+v cannot be stored", h)
		}
		if h.Unusable != "" || !json.Valid(raw) {
			return
		}
		facts, err := FactsOfDelivery(body, store.Delivery{JobID: h.JobID, RepositoryID: h.RepositoryID, ReceivedAt: time.Now()}, time.Now())
		if err != nil {
			if !storable(err.Error()) {
				t.Errorf("reason %q cannot be stored", err)
			}
			return
		}
		if facts.Job.ID != *h.JobID || facts.Job.ID <= 0 || facts.Run.ID <= 0 || facts.Repository.ID != *h.RepositoryID || facts.Job.Status == "" {
			t.Errorf("facts %+v do not fit head %+v", facts, h)
		}
		seen := make(map[int64]bool)
		for _, s := range facts.Steps {
			if seen[s.Number] || s.JobID != facts.Job.ID || !storable(s.Name) {
				t.Errorf("step %+v", s)
			}
			seen[s.Number] = true
		}
		for _, s := range append(facts.Labels, facts.Job.Name, facts.Job.Status, facts.Repository.Owner, facts.Repository.Name) {
			if !storable(s) {
				t.Errorf("%q cannot be stored", s)
			}
		}
		if again := Fold([]store.Facts{facts, facts}); again.Job.Status != facts.Job.Status {
			t.Errorf("folded with itself it is %+v", again)
		}
	})
}

func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
