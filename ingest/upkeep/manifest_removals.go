package upkeep

import (
	"context"
	"fmt"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/ingest"
)

// adoptRemovals has the ledger hear of removals that it may be too old to know: else it would
// be listed as archived, for ever, what is removed.
func (m *Manifests) adoptRemovals(ctx context.Context) error {
	jobs, err := (&RemovalLog{DB: m.DB, Archive: m.Archive}).CatchUp(ctx)
	if jobs > 0 {
		m.Logger.WarnContext(ctx, "the database is older than removals that the bucket tells of; they are done in it now", ingest.KeyCount, jobs)
	}
	if err != nil {
		return fmt.Errorf("no manifest is written from a database that may be older than removals of logs: %w", err)
	}
	return nil
}

// removals is the last record of the log of removals that this database knows, which is
// in the bucket before it is known.
func (m *Manifests) removals(ctx context.Context) (*archive.RemovalsHead, error) {
	number, sum, err := (&RemovalLog{DB: m.DB, Archive: m.Archive}).Head(ctx)
	if err != nil || number == 0 {
		return nil, err
	}
	return &archive.RemovalsHead{Number: number, SHA256: sum}, nil
}
