package main

import (
	"context"
	"net/http"

	"github.com/jobvault/jobvault/ingest"
)

// receiveOnly leaves a service that began beside a newer schema with the webhooks: what
// nobody receives is lost, and every newer schema takes the deliveries of an older
// jobvault. It knows too little of the rest. One that began before the schema was brought
// up goes on with all, for as long as an upgrade takes.
func (s *service) receiveOnly(ctx context.Context) {
	s.config.roles = []string{roleReceive}
	s.logger.ErrorContext(ctx, "this jobvault is older than the database's schema: it receives webhooks, and neither archives nor answers readers, until it is replaced",
		ingest.KeyError, s.newer)
	s.lookup = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this jobvault is older than its database's schema, and only receives webhooks until it is replaced", http.StatusServiceUnavailable)
	})
}
