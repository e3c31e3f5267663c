package ingest_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"

	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/internal/githubsim"
)

// BenchmarkReceiver is the receiver's work on one delivery among many at once,
// into a Postgres without fsync: what it costs, not how durable it is.
func BenchmarkReceiver(b *testing.B) {
	r := newRig(b, ingesttest.Options{})
	body := r.GitHub.PlayableDay(1, 50, 1<<20).Deliveries[0].Body
	signature := githubsim.Sign(ingesttest.Secret, body)
	handler := r.Receiver.Config.Handler
	b.SetBytes(int64(len(body)))
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/webhook", bytes.NewReader(body))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("X-GitHub-Event", "workflow_job")
			req.Header.Set("X-GitHub-Delivery", uuid.NewString())
			req.Header.Set("X-Hub-Signature-256", signature)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, req)
			if w.Code != http.StatusAccepted {
				b.Errorf("answered %d", w.Code)
			}
		}
	})
}
