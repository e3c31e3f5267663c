package upkeep_test

import (
	"context"
	"io"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/store"
)

// watched is a bucket of which it is known when somebody lists, reads or puts records of
// removals. Nil functions do nothing.
type watched struct {
	bucket.Bucket
	list, listed, read, put func()
}

func call(f func()) {
	if f != nil {
		f()
	}
}

func (b *watched) List(ctx context.Context, prefix string) iter.Seq2[bucket.Object, error] {
	objects := b.Bucket.List(ctx, prefix)
	if prefix != archive.RemovalsPrefix {
		return objects
	}
	return func(yield func(bucket.Object, error) bool) {
		call(b.list)
		objects(yield)
		call(b.listed)
	}
}

func (b *watched) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if strings.HasPrefix(key, archive.RemovalsPrefix) {
		call(b.read)
	}
	return b.Bucket.Get(ctx, key, offset, length)
}

func (b *watched) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	n, err := b.Bucket.Put(ctx, key, r)
	if strings.HasPrefix(key, archive.RemovalsPrefix) {
		call(b.put)
	}
	return n, err
}

// through is the archive with another bucket before its own.
func (c *cellar) through(b *watched) *archive.Archive {
	c.T.Helper()
	b.Bucket = c.Archive.Bucket()
	a, err := archive.New(b, 1<<40)
	c.Check(err)
	return a
}

// verifiedBy wants no fault of the log of removals; others a removal that is not
// finished has.
func (c *cellar) verifiedBy(v *upkeep.Verifier, when string) {
	c.T.Helper()
	_, err := v.Verify(c.T.Context(), upkeep.VerifyOptions{}, func(f upkeep.Fault) {
		if f.Kind == archive.FaultRemovals {
			c.T.Errorf("%s: %s", when, f.Error())
		}
	}, func(int, int) {})
	c.Check(err)
}

// atQuery calls do before the query with a number, from 1, is asked.
type atQuery struct {
	mu     sync.Mutex
	number int // 0: not now
	do     func()
}

func (q *atQuery) arm(number int, do func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.number, q.do = number, do
}

// disarm says whether it was called.
func (q *atQuery) disarm() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	called := q.do == nil
	q.number, q.do = 0, nil
	return called
}

func (q *atQuery) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.number--; q.number == 0 {
		q.do()
		q.do = nil
	}
	return ctx
}

func (q *atQuery) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// logAgain has the log of removals tell all in one record.
func (c *cellar) logAgain() {
	c.T.Helper()
	c.forgetLog()
	c.Check(c.removalLog().Append(c.T.Context(), func(u upkeep.Unfinished) { c.T.Errorf("left is %+v", u) }))
}

// forgetLog leaves it as it is where there was none yet.
func (c *cellar) forgetLog() {
	c.T.Helper()
	_, err := c.DB.Pool().Exec(c.T.Context(), `WITH gone AS (DELETE FROM removal_log) UPDATE log_removals SET logged_in = NULL`)
	c.Check(err)
	numbers, err := c.Archive.Removals(c.T.Context(), func(bucket.Object) {})
	c.Check(err)
	for _, n := range numbers {
		c.Check(c.Archive.Bucket().Remove(c.T.Context(), archive.RemovalsKey(n)))
	}
}

// Whatever verify has read of the log and the ledger when a log is redacted again, or
// when that is decided and not logged yet, or a first time, it names nothing.
func TestVerifyWhileALogIsRedactedAgain(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	config, q := c.DB.Pool().Config(), &atQuery{}
	config.ConnConfig.Tracer = q
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	c.Check(err)
	t.Cleanup(pool.Close)
	traced, err := store.New(pool)
	c.Check(err)
	for what, do := range map[string]func(id int64){
		"logged": func(id int64) {
			_, err := c.redact(id, "hunter2")
			c.Check(err)
		},
		"not logged": func(id int64) { c.Check(c.DB.RemoveByHand(t.Context(), id, "eve", "a token", time.Now())) },
		"another": func(id int64) {
			_, err := c.redact(id + 1000)
			c.Check(err)
		},
	} {
		at := 0
		for called := true; called; {
			at++
			id := int64(10*at + len(what)) // each its own
			c.job(id, days, secretLine)
			c.job(id+1000, days, secretLine)
			_, err := c.redact(id, "s3cret")
			c.Check(err)
			c.logAgain()
			a := c.through(&watched{listed: func() { q.arm(at, func() { do(id) }) }})
			c.verifiedBy(&upkeep.Verifier{DB: traced, Archive: a, Now: time.Now}, what)
			called = q.disarm()
		}
		if at < 8 {
			t.Errorf("%s: at %d queries: this shows little", what, at)
		}
	}
}

// A record that is put and noted while verify runs, and began before it, is no fault, nor
// is one that is noted a moment later; one that is never noted is.
func TestVerifyWhileARecordIsPut(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	for id := int64(1); id <= 3; id++ {
		c.job(id, days, secretLine)
	}
	_, err := c.redact(1)
	c.Check(err)
	later := func() time.Time { return time.Now().Add(30 * time.Minute) } // all records are older than this
	a := c.through(&watched{list: func() {
		_, err := c.redact(2)
		c.Check(err)
	}})
	c.verifiedBy(&upkeep.Verifier{DB: c.DB, Archive: a, Now: later}, "put and noted")

	put, proceed := make(chan struct{}), make(chan struct{})
	slow := &upkeep.RemovalLog{DB: c.DB, Archive: c.through(&watched{put: func() {
		close(put)
		<-proceed
	}})}
	c.Check(c.DB.RemoveByHand(t.Context(), 3, "eve", "a token", time.Now()))
	appended := make(chan error)
	go func() { appended <- slow.Append(t.Context(), func(u upkeep.Unfinished) { t.Errorf("left is %+v", u) }) }()
	<-put
	var once sync.Once
	a = c.through(&watched{read: func() { once.Do(func() { close(proceed) }) }})
	c.verifiedBy(&upkeep.Verifier{DB: c.DB, Archive: a, Now: later}, "put and not noted yet")
	c.Check(<-appended)
	c.apply(0)
	c.verified("in the end")
}

// Removals from before there was a log are no faults while a serving jobvault is writing
// them down.
func TestVerifyWhileOldRemovalsAreWrittenDown(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	for id := int64(1); id <= 2; id++ {
		c.job(id, days, secretLine)
		_, err := c.redact(id)
		c.Check(err)
	}
	c.forgetLog()
	c.verifiedBy(&upkeep.Verifier{DB: c.DB, Archive: c.Archive, Now: time.Now}, "before all")
	c.logAgain()
	first, err := c.Archive.ReadRemovals(t.Context(), 1)
	c.Check(err)
	c.forgetLog()
	_, err = c.Archive.WriteRemovals(t.Context(), nil, first.WrittenAt, first.Lines[:1]) // as if it had been full
	c.Check(err)
	c.heard(0)
	faults := func(db *store.DB) (n int) {
		v := &upkeep.Verifier{DB: db, Archive: c.Archive, Now: time.Now}
		_, err := v.Verify(t.Context(), upkeep.VerifyOptions{}, func(upkeep.Fault) { n++ }, func(int, int) {})
		c.Check(err)
		return n
	}
	config := c.DB.Pool().Config()
	config.ConnConfig.RuntimeParams["lock_timeout"] = "100ms"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	c.Check(err)
	t.Cleanup(pool.Close)
	hasty, err := store.New(pool)
	c.Check(err)
	unlock, _, err := c.DB.LockRemovals(t.Context())
	c.Check(err)
	if n := faults(hasty); n != 0 {
		t.Errorf("%d faults while they are written down", n)
	}
	unlock()
	if n := faults(hasty); n != 1 {
		t.Errorf("%d faults while nobody does, want 1", n)
	}
	c.Check(c.removalLog().Append(t.Context(), func(u upkeep.Unfinished) { t.Errorf("left is %+v", u) }))
	c.verified("in the end")
}
