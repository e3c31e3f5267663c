package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/jobvault/jobvault/store"
)

// One transaction of the committer takes maxGroup deliveries, and no further one when
// they have groupBytes.
const (
	maxGroup   = 256
	groupBytes = 32 << 20
)

// commitTime bounds it in time, and likewise the wait for a place in it: GitHub
// hangs up after 10 seconds.
const commitTime = 4 * time.Second

// errClosing says that the receiver is shutting down.
var errClosing = errors.New("shutting down")

// maxCommits bounds the transactions of the committer that are under way at once: while
// one waits for the disk, the next is made.
const maxCommits = 2

// committer commits deliveries in groups: whatever waits when a commit is done
// goes into the next one together. Nothing waits for company.
type committer struct {
	insert  func(context.Context, []store.Delivery) error
	waiting chan pending
	closing chan struct{}
	done    sync.WaitGroup
}

type pending struct {
	delivery store.Delivery
	result   chan error
}

func newCommitter(insert func(context.Context, []store.Delivery) error) *committer {
	c := &committer{insert: insert, waiting: make(chan pending), closing: make(chan struct{})}
	for range maxCommits {
		c.done.Go(c.run)
	}
	return c
}

func (c *committer) close() {
	close(c.closing)
	c.done.Wait()
}

// commit returns nil once the delivery is committed. Before it is in a group,
// the context may end the wait; after that it may not, since it may be
// committed.
func (c *committer) commit(ctx context.Context, d store.Delivery) error {
	p := pending{delivery: d, result: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(ctx, commitTime)
	defer cancel()
	select {
	case c.waiting <- p:
		return <-p.result
	case <-ctx.Done():
		return ctx.Err()
	case <-c.closing:
		return errClosing
	}
}

func (c *committer) run() {
	for {
		select {
		case p := <-c.waiting:
			c.commitGroup(c.gather(p))
		case <-c.closing:
			return
		}
	}
}

// gather adds whatever waits right now.
func (c *committer) gather(first pending) []pending {
	group, size := []pending{first}, len(first.delivery.Payload)
	for len(group) < maxGroup && size < groupBytes {
		select {
		case p := <-c.waiting:
			group, size = append(group, p), size+len(p.delivery.Payload)
		default:
			return group
		}
	}
	return group
}

func (c *committer) commitGroup(group []pending) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTime)
	defer cancel()
	ds := make([]store.Delivery, len(group))
	for i, p := range group {
		ds[i] = p.delivery
	}
	err := c.insert(ctx, ds)
	// Postgres answered and does not like something: let one harm no other.
	var pg *pgconn.PgError
	if len(group) > 1 && errors.As(err, &pg) {
		for i, p := range group {
			p.result <- c.insert(ctx, ds[i:i+1])
		}
		return
	}
	for _, p := range group {
		p.result <- err
	}
}
