package ingesttest

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/store"
)

// Told is a payload about a job of a repository, all of whose times are so long ago.
func Told(job, repo int64, fullName, status string, ago time.Duration, private bool) []byte {
	at := time.Now().Add(-ago).UTC().Format(time.RFC3339)
	started, completed := "null", "null"
	if status == store.StatusCompleted {
		started, completed = `"`+at+`"`, `"`+at+`"`
	}
	return fmt.Appendf(nil, `{"action":%q,"workflow_job":{"id":%d,"run_id":%d,"status":%q,"name":"x","created_at":%q,"started_at":%s,"completed_at":%s},
		"repository":{"id":%d,"full_name":%q,"private":%t,"updated_at":"2022-03-01T09:00:00Z","pushed_at":1646125200}}`,
		status, job, job+1000, status, at, started, completed, repo, fullName, private)
}

// Hears delivers payloads, each as a delivery of its own, and drains after each.
func (r *Rig) Hears(payloads ...[]byte) {
	r.T.Helper()
	for _, p := range payloads {
		r.Send([]githubsim.Delivery{{GUID: uuid.NewString(), Event: "workflow_job", Body: p, ContentType: "application/json"}}, githubsim.SendOptions{})
		r.Drain()
	}
}
