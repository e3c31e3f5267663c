package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

func (r *rig) manifests() *ingest.Manifests {
	return &ingest.Manifests{DB: r.db, Archive: r.archive, Logger: r.logger, Metrics: r.metrics, Now: r.now}
}

// writeManifests writes what is due and gives it as "date jobs".
func (r *rig) writeManifests() []string {
	r.t.Helper()
	var written []string
	r.check(r.manifests().WriteDue(r.t.Context(), func(m archive.Manifest) {
		written = append(written, fmt.Sprintf("%s %d", m.Date.Format(time.DateOnly), m.Jobs))
	}))
	return written
}

// listed is what all manifests list, as "date job state", and wants the chain and what
// it lists to be without fault.
func (r *rig) listed() []string {
	r.t.Helper()
	var lines []string
	dates, err := r.archive.Manifests(r.t.Context(), func(o bucket.Object) { r.t.Errorf("stray %s", o.Key) })
	r.check(err)
	for _, date := range dates {
		_, err := r.archive.ReadManifest(r.t.Context(), date, func(l archive.ManifestEntry) error {
			lines = append(lines, fmt.Sprintf("%s %d %s", date.Format("01-02"), l.JobID, l.State))
			return nil
		})
		r.check(err)
	}
	if _, err := r.archive.VerifyChain(r.t.Context(), archive.ChainOptions{Deep: true}, func(f archive.Fault) {
		if !f.Notice {
			r.t.Error(f.Error())
		}
	}, func(_, _ int64) {}); err != nil {
		r.t.Error(err)
	}
	return lines
}

func (r *rig) wantManifests(when string, want ...string) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.listed()); diff != "" {
		r.t.Errorf("%s (-want +listed):\n%s", when, diff)
	}
}

// archived archives a small job, now.
func (r *rig) archived(id int64) {
	r.t.Helper()
	r.know(completed(id, r.now(), githubsim.TextLog(fmt.Appendf(nil, "the log of %d\n", id))))
	if says, _ := r.try(id); says != "done" {
		r.t.Fatalf("job %d: %s", id, says)
	}
}

// missing settles a job whose log never came.
func (r *rig) missing(id int64) {
	r.t.Helper()
	r.pending(id)
	defer r.github.Inject(githubsim.Fault{Endpoint: blb, Kind: githubsim.NotFoundXML})()
	r.deadline = time.Second
	r.try(id)
	r.try(id)
	if l, err := r.db.JobLog(r.t.Context(), id); err != nil || l.State != store.LogMissing {
		r.t.Fatalf("job %d is %s, %v", id, l.State, err)
	}
}

// pending is a job that nothing is settled of.
func (r *rig) pending(id int64) {
	r.t.Helper()
	r.know(completed(id, r.now(), githubsim.TextLog([]byte("late\n"))))
}

func (r *rig) keyOf(id int64) archive.JobKey {
	r.t.Helper()
	lines, err := r.db.LedgerOf(r.t.Context(), []int64{id})
	r.check(err)
	return keyOf(lines[id])
}

// comes archives the log of a job that was missing, at a time.
func (r *rig) comes(id int64, at time.Time) {
	r.t.Helper()
	log, err := r.archive.PutLog(r.t.Context(), r.keyOf(id), strings.NewReader("late\n"))
	r.check(err)
	changed, err := r.db.Settle(r.t.Context(), store.Settlement{JobID: id, State: store.LogArchived, Object: &store.Object{
		Key: log.Key, RawBytes: log.RawBytes, StoredBytes: log.StoredBytes, Lines: log.Lines, SHA256: log.SHA256, StoredSHA256: log.StoredSHA256,
		FrameLines: log.FrameLines, FrameOffsets: log.FrameOffsets, ArchivedAt: at,
	}}, at)
	r.check(err)
	if !changed {
		r.t.Fatalf("job %d was not settled", id)
	}
}

// A manifest for each day, an hour after its end, also for days without jobs and for
// days that were missed; the first lists all that was settled before. Each settlement
// is listed once.
func TestManifestsOfDays(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := newRig(t, rigOptions{now: now.Now})
	r.archived(1)
	now.advance(3 * 24 * time.Hour)
	r.missing(2)
	now.advance(12*time.Hour + 59*time.Minute) // 5 March, 00:59
	if got := r.writeManifests(); !cmp.Equal(got, []string{"2026-03-03 1"}) {
		t.Errorf("the first one: %q", got)
	}
	r.archived(3)
	now.advance(time.Minute)
	if got := r.writeManifests(); !cmp.Equal(got, []string{"2026-03-04 1"}) {
		t.Errorf("an hour after the end: %q", got)
	}
	if got := r.writeManifests(); got != nil {
		t.Errorf("once more: %q", got)
	}
	r.comes(2, now.Now())
	now.advance(4 * 24 * time.Hour)
	r.archived(4)
	if got := r.writeManifests(); !cmp.Equal(got, []string{"2026-03-05 2", "2026-03-06 0", "2026-03-07 0", "2026-03-08 0"}) {
		t.Errorf("missed days: %q", got)
	}
	now.advance(24 * time.Hour)
	r.writeManifests()
	r.wantManifests("in the end", "03-03 1 archived", "03-04 2 missing", "03-05 2 archived", "03-05 3 archived", "03-09 4 archived")
	if n := scalar[int](r, `SELECT count(*) FROM manifests`); n != 7 {
		t.Errorf("%d manifests are noted", n)
	}
	if faults, _ := r.verify(ingest.VerifyOptions{Deep: true}); faults != nil {
		t.Errorf("verify: %q", faults)
	}
}

// The line has what the ledger says, and job.json's digest also of jobs that were
// archived before it was noted.
func TestManifestLineIsTheLedgers(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := newRig(t, rigOptions{now: now.Now})
	r.archived(1)
	r.archived(2)
	noted := r.rows(`SELECT encode(details_sha256, 'hex') AS sum, details_bytes FROM job_logs ORDER BY job_id`)
	r.exec(`UPDATE job_logs SET details_sha256 = NULL, details_bytes = NULL WHERE job_id = 2`)
	now.advance(24 * time.Hour)
	r.writeManifests()
	var lines []archive.ManifestLine
	_, err := r.archive.ReadManifest(t.Context(), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), func(l archive.ManifestEntry) error {
		lines = append(lines, l.ManifestLine)
		return nil
	})
	r.check(err)
	for i, l := range lines {
		e, err := r.db.JobLog(t.Context(), l.JobID)
		r.check(err)
		if l.RepositoryID != 3 || l.RunID != 100+l.JobID || l.RunAttempt != 1 || !l.SettledAt.Equal(*e.SettledAt) || l.HTTPStatus != 200 || l.ObjectKey != *e.ObjectKey ||
			*l.RawBytes != *e.RawBytes || *l.StoredBytes != *e.StoredBytes || *l.Lines != *e.Lines || l.SHA256 != fmt.Sprintf("%x", e.SHA256) ||
			l.StoredSHA256 != fmt.Sprintf("%x", e.StoredSHA256) || l.DetailsSHA256 != noted[i]["sum"] || *l.DetailsBytes != noted[i]["details_bytes"] || !e.ManifestDate.Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("line %+v\nledger %+v", l, e)
		}
	}
	if diff := cmp.Diff(noted, r.rows(`SELECT encode(details_sha256, 'hex') AS sum, details_bytes FROM job_logs ORDER BY job_id`)); diff != "" {
		t.Errorf("noted (-before +after):\n%s", diff)
	}
}

// A settlement of a day that commits after its manifest was written is in the next.
func TestSettlementThatCommitsLate(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := newRig(t, rigOptions{now: now.Now})
	r.archived(1)
	r.pending(2)
	at := now.Now()
	now.advance(24 * time.Hour)
	r.writeManifests()
	r.comes(2, at)
	now.advance(24 * time.Hour)
	r.writeManifests()
	r.wantManifests("late", "03-01 1 archived", "03-02 2 archived")
}

// putHook is a bucket that calls around puts of manifests.
type putHook struct {
	bucket.Bucket
	before, after func(key string)
}

func (h putHook) Put(ctx context.Context, key string, body io.Reader) (int64, error) {
	manifest := strings.HasPrefix(key, archive.ManifestPrefix)
	if manifest && h.before != nil {
		h.before(key)
	}
	n, err := h.Bucket.Put(ctx, key, body)
	if manifest && h.after != nil {
		h.after(key)
	}
	return n, err
}

func (r *rig) hooked(h putHook) *ingest.Manifests {
	r.t.Helper()
	h.Bucket = r.archive.Bucket()
	a, err := archive.New(h, 1<<40)
	r.check(err)
	m := r.manifests()
	m.Archive = a
	return m
}

// Killed when the manifest is in the bucket and nothing is marked, or half of it: the
// next run takes it from there. What was settled anew or late meanwhile is in the next
// manifest.
func TestManifestWriterIsKilled(t *testing.T) {
	t.Parallel()
	for _, marked := range []int{0, 1, 3} {
		t.Run(fmt.Sprintf("%d marked", marked), func(t *testing.T) {
			t.Parallel()
			now := newClock()
			r := newRig(t, rigOptions{now: now.Now})
			for id := range int64(3) {
				r.archived(id + 1)
			}
			r.missing(4)
			at := now.Now()
			now.advance(24 * time.Hour)
			ctx, kill := context.WithCancel(t.Context())
			err := r.hooked(putHook{after: func(string) { kill() }}).WriteDue(ctx, func(archive.Manifest) { t.Error("written, it seems") })
			if err == nil || scalar[int](r, `SELECT count(*) FROM manifests`) != 0 {
				t.Fatalf("it was not killed: %v", err)
			}
			r.exec(`UPDATE job_logs SET manifest_date = '2026-03-01' WHERE job_id <= $1`, marked)
			r.comes(4, at)
			r.pending(5)
			r.comes(5, at)
			if got := r.writeManifests(); !cmp.Equal(got, []string{"2026-03-01 4"}) {
				t.Errorf("after the kill: %q", got)
			}
			now.advance(24 * time.Hour)
			r.writeManifests()
			r.wantManifests("in the end", "03-01 1 archived", "03-01 2 archived", "03-01 3 archived", "03-01 4 missing", "03-02 4 archived", "03-02 5 archived")
		})
	}
}

// Many write at once: each settlement is listed once.
func TestManifestWritersAtOnce(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := newRig(t, rigOptions{now: now.Now})
	want := []string{}
	for id := range int64(5) {
		r.archived(id + 1)
		want = append(want, fmt.Sprintf("03-01 %d archived", id+1))
	}
	now.advance(5 * 24 * time.Hour)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for {
				err := r.manifests().WriteDue(t.Context(), func(archive.Manifest) {})
				if errors.Is(err, ingest.ErrManifestsBusy) {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				return
			}
		})
	}
	wg.Wait()
	slices.Sort(want)
	got := r.listed()
	for i := range got {
		got[i] = "03-01" + got[i][5:] // the first manifest is of the last day that was over
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +listed):\n%s", diff)
	}
}

// Whoever has lost the lock and finds the day written takes what is there.
func TestManifestWriterIsOvertaken(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := newRig(t, rigOptions{now: now.Now})
	now.advance(24 * time.Hour)
	r.writeManifests()
	previous, err := r.archive.ReadManifest(t.Context(), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), func(archive.ManifestEntry) error { return nil })
	r.check(err)
	r.archived(1)
	now.advance(24 * time.Hour)
	overtake := func(string) {
		_, err := r.archive.WriteManifest(t.Context(), time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), &previous, nil, func(func(archive.ManifestLine, error) bool) {})
		r.check(err)
	}
	r.check(r.hooked(putHook{before: overtake}).WriteDue(t.Context(), func(archive.Manifest) {}))
	now.advance(24 * time.Hour)
	r.writeManifests()
	r.wantManifests("overtaken", "03-03 1 archived")
}

// The bucket's manifests are not those that were written: nothing is written after
// them, and verify names it.
func TestManifestWriterRefuses(t *testing.T) {
	t.Parallel()
	key := archive.ManifestKey(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	for name, c := range map[string]struct {
		tamper func(*rig)
		want   string
		deep   bool // only a deep look by verify finds it
	}{
		"dropped": {func(r *rig) { r.check(r.archive.Bucket().Remove(r.t.Context(), key)) }, "is not there", false},
		"rewritten": {func(r *rig) {
			previous, err := r.archive.ReadManifest(r.t.Context(), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), func(archive.ManifestEntry) error { return nil })
			r.check(err)
			r.check(r.archive.Bucket().Remove(r.t.Context(), key))
			_, err = r.archive.WriteManifest(r.t.Context(), time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), &previous, nil, func(func(archive.ManifestLine, error) bool) {})
			r.check(err)
		}, "written was", false},
		"damaged": {func(r *rig) {
			object := r.get(key)
			object[len(object)-1] ^= 1
			r.overwrite(key, object)
		}, "unreadable", true},
		"one of tomorrow": {func(r *rig) {
			previous, err := r.archive.ReadManifest(r.t.Context(), time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), func(archive.ManifestEntry) error { return nil })
			r.check(err)
			for day := range 9 {
				previous, err = r.archive.WriteManifest(r.t.Context(), previous.Date.AddDate(0, 0, 1), &previous, nil, func(func(archive.ManifestLine, error) bool) {})
				r.check(err)
				_ = day
			}
		}, "is not over", false},
		"one that follows another": {func(r *rig) {
			other := archive.Manifest{Date: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), SHA256: [32]byte{1}}
			_, err := r.archive.WriteManifest(r.t.Context(), time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC), &other, nil, func(func(archive.ManifestLine, error) bool) {})
			r.check(err)
		}, "does not follow", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := newClock()
			r := newRig(t, rigOptions{now: now.Now})
			r.archived(1)
			now.advance(24 * time.Hour)
			r.writeManifests()
			r.archived(2)
			now.advance(24 * time.Hour)
			r.writeManifests()
			r.archived(3)
			c.tamper(r)
			now.advance(24 * time.Hour)
			err := r.manifests().WriteDue(t.Context(), func(archive.Manifest) {})
			if !errors.Is(err, ingest.ErrManifestsBroken) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if n := scalar[int](r, `SELECT count(*) FROM job_logs WHERE job_id = 3 AND manifest_date IS NULL`); n != 1 && name != "one of tomorrow" {
				t.Error("job 3 is listed, it seems")
			}
			if name == "one of tomorrow" || name == "one that follows another" {
				return
			}
			faults, _ := r.verify(ingest.VerifyOptions{Deep: c.deep})
			if !cmp.Equal(faults, []string{"0 manifest"}) {
				t.Errorf("verify: %q", faults)
			}
		})
	}
}

// The database is an older dump: what the bucket has beyond it is taken from there,
// and nothing is listed again.
func TestManifestsAfterARestoredDump(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := newRig(t, rigOptions{now: now.Now})
	for id := range int64(3) {
		r.archived(id + 1)
		now.advance(24 * time.Hour)
		r.writeManifests()
	}
	before := r.rows(`SELECT date, previous, sha256, jobs FROM manifests ORDER BY date`)
	r.exec(`DELETE FROM manifests WHERE date > '2026-03-01'`)
	r.exec(`UPDATE job_logs SET manifest_date = NULL WHERE job_id > 1`)
	now.advance(24 * time.Hour)
	if got := r.writeManifests(); !cmp.Equal(got, []string{"2026-03-02 1", "2026-03-03 1", "2026-03-04 0"}) {
		t.Errorf("%q", got)
	}
	r.wantManifests("restored", "03-01 1 archived", "03-02 2 archived", "03-03 3 archived")
	if diff := cmp.Diff(before, r.rows(`SELECT date, previous, sha256, jobs FROM manifests ORDER BY date LIMIT 3`)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// An empty database is filled from the bucket: what is listed is known again, with its
// time, and nothing is listed twice. A manifest that is damaged is named.
func TestRebuildKnowsWhatIsListed(t *testing.T) {
	t.Parallel()
	now := newClock()
	bucketURL := "file://" + t.TempDir()
	r := newRig(t, rigOptions{now: now.Now, bucketURL: bucketURL})
	r.archived(1)
	r.missing(2)
	now.advance(24 * time.Hour)
	r.writeManifests()
	r.comes(2, now.Now())
	now.advance(24 * time.Hour)
	r.writeManifests()
	r.archived(3)
	lost := newRig(t, rigOptions{now: now.Now, bucketURL: bucketURL})
	for range 2 {
		if sum := lost.rebuild(0); sum.Faults > 0 || sum.Manifests != 2 {
			t.Errorf("%+v", sum)
		}
	}
	for _, query := range []string{
		`SELECT date, previous, sha256, stored_sha256, jobs, stored_bytes FROM manifests ORDER BY date`,
		`SELECT job_id, manifest_date, details_sha256, details_bytes, CASE WHEN manifest_date IS NOT NULL THEN settled_at END AS settled_at FROM job_logs ORDER BY job_id`,
	} {
		if diff := cmp.Diff(r.rows(query), lost.rows(query)); diff != "" {
			t.Errorf("%s (-lost +rebuilt):\n%s", query, diff)
		}
	}
	if faults, _ := lost.verify(ingest.VerifyOptions{Deep: true}); faults != nil {
		t.Errorf("verify: %q", faults)
	}
	// Its log is as old as the file, by the machine's clock: a year is enough for that.
	now.advance(time.Since(now.Now()) + 48*time.Hour)
	lost.writeManifests()
	var of3 []string
	for _, l := range lost.listed() {
		if strings.Contains(l, " 3 ") {
			of3 = append(of3, l)
		}
	}
	if n := len(lost.listed()); n != 4 || len(of3) != 1 {
		t.Errorf("%d settlements are listed, of job 3: %q", n, of3)
	}
	key := archive.ManifestKey(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	damaged := lost.get(key)
	lost.overwrite(key, damaged[:len(damaged)-5])
	again := newRig(t, rigOptions{now: now.Now, bucketURL: bucketURL})
	if sum := again.rebuild(0); sum.Faults != 1 || sum.Manifests != 1 || sum.Jobs != 3 {
		t.Errorf("with a damaged one: %+v", sum)
	}
}

// A jobvault that serves writes them by itself; what it cannot write is counted.
func TestServingWritesManifests(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	registry := prometheus.NewRegistry()
	r.metrics = ingest.NewMetrics(registry)
	registry.MustRegister(ingest.NewBacklog(r.db, time.Now, func(string) bool { return true }))
	value := func(name string) float64 {
		t.Helper()
		families, err := registry.Gather()
		r.check(err)
		for _, f := range families {
			if f.GetName() == name {
				return f.GetMetric()[0].GetCounter().GetValue() + f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		return -1
	}
	if value("jobvault_manifest_age_seconds") != -1 {
		t.Error("an age before any manifest")
	}
	serve := func(until string) {
		t.Helper()
		w, err := ingest.NewWorkers(ingest.WorkersConfig{DB: r.db, Archiver: r.archiver(), Parallel: 2, Logger: r.logger, Metrics: r.metrics, Manifests: r.manifests()})
		r.check(err)
		r.check(w.Start(t.Context()))
		r.workers = w
		r.await(time.Minute, until)
		r.stopWork()
	}
	serve(`(SELECT count(*) FROM manifests) = 1 AND EXISTS (SELECT FROM queue.river_job WHERE kind = 'manifest' AND state = 'completed')`)
	if age := value("jobvault_manifest_age_seconds"); value("jobvault_manifests_written_total") != 1 || age < 3600 || age > 26*3600 {
		t.Errorf("%v written, %v seconds old", value("jobvault_manifests_written_total"), age)
	}
	for key := range r.objects() {
		r.check(r.archive.Bucket().Remove(t.Context(), key))
	}
	at := time.Now().Add(48 * time.Hour)
	r.now = func() time.Time { return at }
	serve(`EXISTS (SELECT FROM queue.river_job WHERE kind = 'manifest' AND state = 'cancelled')`)
	if n := value("jobvault_manifests_failed_total"); n != 1 {
		t.Errorf("%v rounds failed", n)
	}
}

// What verify --repair puts in the place of a lost log or job.json is listed anew.
func TestRepairsAreListed(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := newRig(t, rigOptions{now: now.Now})
	for id := range int64(3) {
		r.archived(id + 1)
	}
	now.advance(24 * time.Hour)
	r.writeManifests()
	log, err := r.archive.PutLog(t.Context(), archive.JobKey{RepositoryID: 9, RunID: 9, RunAttempt: 9, JobID: 9}, bytes.NewReader(nil))
	r.check(err)
	r.check(r.archive.Bucket().Remove(t.Context(), log.Key))
	r.check(r.archive.Bucket().Remove(t.Context(), r.object(1, "log.zst")))
	r.overwrite(r.object(2, "job.json"), append(r.get(r.object(2, "job.json")), ' '))
	r.check(r.archive.Bucket().Remove(t.Context(), r.object(3, "job.json")))
	var kinds []string
	_, err = r.archive.VerifyChain(t.Context(), archive.ChainOptions{Deep: true}, func(f archive.Fault) {
		kinds = append(kinds, fmt.Sprintf("%d %s", f.JobID, f.Kind))
	}, func(_, _ int64) {})
	r.check(err)
	slices.Sort(kinds)
	if !cmp.Equal(kinds, []string{"1 absent", "2 details", "3 details"}) {
		t.Errorf("%q", kinds)
	}
	r.check(r.archive.Bucket().Remove(t.Context(), r.object(2, "job.json")))
	j := completed(2, now.Now(), githubsim.TextLog([]byte("x")))
	j.Name = "renamed"
	r.github.AddJob(j)
	if _, sum := r.verify(ingest.VerifyOptions{Repair: true}); sum.Repaired != 3 {
		t.Errorf("%+v", sum)
	}
	now.advance(24 * time.Hour)
	r.writeManifests()
	// The log and job 3's details are again what they were.
	r.wantManifests("after repairs", "03-01 1 archived", "03-01 2 archived", "03-01 3 archived", "03-02 2 archived")
}

// A manifest lists what the bucket tells of removals, also where the database comes from
// an older dump; where that cannot be told, none is written.
func TestManifestsHearOfRemovals(t *testing.T) {
	t.Parallel()
	c := newCellar(t)
	c.job(1, days, secretLine)
	c.job(2, days, secretLine)
	dump := c.dump()
	_, err := c.redact(1)
	c.Check(err)
	old := c.restored(dump)
	due := func() ([]string, error) {
		m := &ingest.Manifests{
			DB: old.DB, Archive: old.Archive, Logger: testenv.Logger(t), Metrics: ingest.NewMetrics(prometheus.NewRegistry()),
			Now: func() time.Time { return c.now.Add(3 * 24 * time.Hour) },
		}
		var states []string
		err := m.WriteDue(t.Context(), func(m archive.Manifest) {
			if m.Removals == nil || m.Removals.Number != 1 {
				t.Errorf("it names %+v, want record 1", m.Removals)
			}
			_, err := c.Archive.ReadManifest(t.Context(), m.Date, func(l archive.ManifestEntry) error {
				states = append(states, fmt.Sprintf("%d %s", l.JobID, l.State))
				return nil
			})
			c.Check(err)
		})
		return states, err
	}
	whole := c.object(archive.RemovalsKey(1))
	put := func(b string) {
		_, err := c.Archive.Bucket().Replace(t.Context(), archive.RemovalsKey(1), strings.NewReader(b))
		c.Check(err)
	}
	put("<html>\n")
	if states, err := due(); !errors.Is(err, ingest.ErrRemovalsBroken) || len(states) > 0 {
		t.Errorf("the log is broken: listed %v, %v", states, err)
	}
	if dates, err := c.Archive.Manifests(t.Context(), func(bucket.Object) {}); err != nil || len(dates) > 0 {
		t.Errorf("the log is broken, and there are manifests of %v, %v", dates, err)
	}
	put(whole)
	if states, err := due(); err != nil || !cmp.Equal(states, []string{"1 removed", "2 archived"}) {
		t.Errorf("listed %v, %v", states, err)
	}
	c.Check(c.Archive.Bucket().Remove(t.Context(), archive.RemovalsKey(1)))
	if states, err := due(); err != nil || len(states) > 0 {
		t.Errorf("nothing is due, and nothing is asked: listed %v, %v", states, err)
	}
}
