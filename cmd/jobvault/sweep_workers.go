package main

import (
	"context"
	"errors"
	"sync"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/store"
)

// working runs f while this process archives what is in the queue. A jobvault
// that serves does so too, if there is one. If this machine's clock turns out to be wrong
// meanwhile, the context that f gets ends, and it fails with store.SkewError.
func (s *session) working(ctx context.Context, f func(context.Context) error) error {
	c := s.workers()
	c.Backfill, c.Temporary = s.config.workers, true
	workers, err := ingest.NewWorkers(c)
	if err != nil {
		return err
	}
	if err := workers.Start(ctx); err != nil {
		return err
	}
	working, stop := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		s.clock.Watch(working, func(skew error) {
			if skew != nil {
				stop(skew)
			}
		})
	})
	err = f(working)
	var skew *store.SkewError
	if cause := context.Cause(working); errors.As(cause, &skew) {
		err = cause
	}
	stop(nil)
	watching.Wait()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.shutdown)
	defer cancel()
	return errors.Join(err, workers.Stop(stopping))
}
