package upkeep

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// inBatches calls visit for all that list returns, parallel ones at a time. list returns
// the next batch after an id, by ascending ids; an empty one is the end. The first error
// ends it.
func inBatches[T any](ctx context.Context, parallel int, list func(after int64) ([]T, error), id func(T) int64, visit func(context.Context, T) error) error {
	for after := int64(0); ; {
		batch, err := list(after)
		if err != nil || len(batch) == 0 {
			return err
		}
		after = id(batch[len(batch)-1])
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(parallel)
		for _, v := range batch {
			g.Go(func() error { return visit(gctx, v) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
}
