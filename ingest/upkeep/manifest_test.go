package upkeep_test

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
	"github.com/jobvault/jobvault/ingest/ingesttest"
	"github.com/jobvault/jobvault/ingest/upkeep"
	"github.com/jobvault/jobvault/internal/githubsim"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/store"
)

func (r *rig) manifests() *upkeep.Manifests {
	return &upkeep.Manifests{DB: r.DB, Archive: r.Archive, Logger: r.Logger, Now: r.Now}
}

// writeManifests writes what is due and gives it as "date jobs".
func (r *rig) writeManifests() []string {
	r.T.Helper()
	var written []string
	r.Check(r.manifests().WriteDue(r.T.Context(), func(m archive.Manifest) {
		written = append(written, fmt.Sprintf("%s %d", m.Date.Format(time.DateOnly), m.Jobs))
	}))
	return written
}

// listed is what all manifests list, as "date job state", and wants the chain and what
// it lists to be without fault.
func (r *rig) listed() []string {
	r.T.Helper()
	var lines []string
	dates, err := r.Archive.Manifests(r.T.Context(), func(o bucket.Object) { r.T.Errorf("stray %s", o.Key) })
	r.Check(err)
	for _, date := range dates {
		_, err := r.Archive.ReadManifest(r.T.Context(), date, func(l archive.ManifestEntry) error {
			lines = append(lines, fmt.Sprintf("%s %d %s", date.Format("01-02"), l.JobID, l.State))
			return nil
		})
		r.Check(err)
	}
	if _, err := r.Archive.VerifyChain(r.T.Context(), archive.ChainOptions{Deep: true}, func(f archive.Fault) {
		if !f.Notice {
			r.T.Error(f.Error())
		}
	}, func(_, _ int64) {}); err != nil {
		r.T.Error(err)
	}
	return lines
}

func (r *rig) wantManifests(when string, want ...string) {
	r.T.Helper()
	if diff := cmp.Diff(want, r.listed()); diff != "" {
		r.T.Errorf("%s (-want +listed):\n%s", when, diff)
	}
}

// missing settles a job whose log never came.
func (r *rig) missing(id int64) {
	r.T.Helper()
	r.pending(id)
	defer r.GitHub.Inject(githubsim.Fault{Endpoint: githubsim.EndpointBlob, Kind: githubsim.NotFoundXML})()
	r.Deadline = time.Second
	r.Try(id)
	r.Try(id)
	if l, err := r.DB.JobLog(r.T.Context(), id); err != nil || l.State != store.LogMissing {
		r.T.Fatalf("job %d is %s, %v", id, l.State, err)
	}
}

// pending is a job that nothing is settled of.
func (r *rig) pending(id int64) {
	r.T.Helper()
	r.Know(ingesttest.Completed(id, r.Now(), githubsim.TextLog([]byte("late\n"))))
}

func (r *rig) keyOf(id int64) archive.JobKey {
	r.T.Helper()
	lines, err := r.DB.LedgerOf(r.T.Context(), []int64{id})
	r.Check(err)
	return ingesttest.KeyOf(lines[id])
}

// comes archives the log of a job that was missing, at a time.
func (r *rig) comes(id int64, at time.Time) {
	r.T.Helper()
	log, err := r.Archive.PutLog(r.T.Context(), r.keyOf(id), strings.NewReader("late\n"))
	r.Check(err)
	changed, err := r.DB.Settle(r.T.Context(), store.Settlement{JobID: id, State: store.LogArchived, Object: &store.Object{
		Key: log.Key, RawBytes: log.RawBytes, StoredBytes: log.StoredBytes, Lines: log.Lines, SHA256: log.SHA256, StoredSHA256: log.StoredSHA256,
		FrameLines: log.FrameLines, FrameOffsets: log.FrameOffsets, ArchivedAt: at,
	}}, at)
	r.Check(err)
	if !changed {
		r.T.Fatalf("job %d was not settled", id)
	}
}

// A manifest for each day, an hour after its end, also for days without jobs and for
// days that were missed; the first lists all that was settled before. Each settlement
// is listed once.
func TestManifestsOfDays(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	r.Archived(1)
	now.Advance(3 * 24 * time.Hour)
	r.missing(2)
	now.Advance(12*time.Hour + 59*time.Minute) // 5 March, 00:59
	if got := r.writeManifests(); !cmp.Equal(got, []string{"2026-03-03 1"}) {
		t.Errorf("the first one: %q", got)
	}
	r.Archived(3)
	now.Advance(time.Minute)
	if got := r.writeManifests(); !cmp.Equal(got, []string{"2026-03-04 1"}) {
		t.Errorf("an hour after the end: %q", got)
	}
	if got := r.writeManifests(); got != nil {
		t.Errorf("once more: %q", got)
	}
	r.comes(2, now.Now())
	now.Advance(4 * 24 * time.Hour)
	r.Archived(4)
	if got := r.writeManifests(); !cmp.Equal(got, []string{"2026-03-05 2", "2026-03-06 0", "2026-03-07 0", "2026-03-08 0"}) {
		t.Errorf("missed days: %q", got)
	}
	now.Advance(24 * time.Hour)
	r.writeManifests()
	r.wantManifests("in the end", "03-03 1 archived", "03-04 2 missing", "03-05 2 archived", "03-05 3 archived", "03-09 4 archived")
	if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM manifests`); n != 7 {
		t.Errorf("%d manifests are noted", n)
	}
	if faults, _ := r.verify(upkeep.VerifyOptions{Deep: true}); faults != nil {
		t.Errorf("verify: %q", faults)
	}
}

// The line has what the ledger says, and job.json's digest also of jobs that were
// archived before it was noted.
func TestManifestLineIsTheLedgers(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	r.Archived(1)
	r.Archived(2)
	noted := r.Rows(`SELECT encode(details_sha256, 'hex') AS sum, details_bytes FROM job_logs ORDER BY job_id`)
	r.Exec(`UPDATE job_logs SET details_sha256 = NULL, details_bytes = NULL WHERE job_id = 2`)
	now.Advance(24 * time.Hour)
	r.writeManifests()
	var lines []archive.ManifestLine
	_, err := r.Archive.ReadManifest(t.Context(), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), func(l archive.ManifestEntry) error {
		lines = append(lines, l.ManifestLine)
		return nil
	})
	r.Check(err)
	for i, l := range lines {
		e, err := r.DB.JobLog(t.Context(), l.JobID)
		r.Check(err)
		if l.RepositoryID != 3 || l.RunID != 100+l.JobID || l.RunAttempt != 1 || !l.SettledAt.Equal(*e.SettledAt) || l.HTTPStatus != 200 || l.ObjectKey != *e.ObjectKey ||
			*l.RawBytes != *e.RawBytes || *l.StoredBytes != *e.StoredBytes || *l.Lines != *e.Lines || l.SHA256 != fmt.Sprintf("%x", e.SHA256) ||
			l.StoredSHA256 != fmt.Sprintf("%x", e.StoredSHA256) || l.DetailsSHA256 != noted[i]["sum"] || *l.DetailsBytes != noted[i]["details_bytes"] || !e.ManifestDate.Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("line %+v\nledger %+v", l, e)
		}
	}
	if diff := cmp.Diff(noted, r.Rows(`SELECT encode(details_sha256, 'hex') AS sum, details_bytes FROM job_logs ORDER BY job_id`)); diff != "" {
		t.Errorf("noted (-before +after):\n%s", diff)
	}
}

// A settlement of a day that commits after its manifest was written is in the next.
func TestSettlementThatCommitsLate(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	r.Archived(1)
	r.pending(2)
	at := now.Now()
	now.Advance(24 * time.Hour)
	r.writeManifests()
	r.comes(2, at)
	now.Advance(24 * time.Hour)
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

func (r *rig) hooked(h putHook) *upkeep.Manifests {
	r.T.Helper()
	h.Bucket = r.Archive.Bucket()
	a, err := archive.New(h, 1<<40)
	r.Check(err)
	m := r.manifests()
	m.Archive = a
	return m
}

// If a run is killed when the manifest is in the bucket and none or half of its jobs are
// marked, the next run goes on from there. What was settled anew or late meanwhile is in
// the next manifest.
func TestManifestWriterIsKilled(t *testing.T) {
	t.Parallel()
	for _, marked := range []int{0, 1, 3} {
		t.Run(fmt.Sprintf("%d marked", marked), func(t *testing.T) {
			t.Parallel()
			now := ingesttest.NewClock()
			r := newRig(t, ingesttest.Options{Now: now.Now})
			for id := range int64(3) {
				r.Archived(id + 1)
			}
			r.missing(4)
			at := now.Now()
			now.Advance(24 * time.Hour)
			ctx, kill := context.WithCancel(t.Context())
			err := r.hooked(putHook{after: func(string) { kill() }}).WriteDue(ctx, func(archive.Manifest) { t.Error("written, it seems") })
			if err == nil || ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM manifests`) != 0 {
				t.Fatalf("it was not killed: %v", err)
			}
			r.Exec(`UPDATE job_logs SET manifest_date = '2026-03-01' WHERE job_id <= $1`, marked)
			r.comes(4, at)
			r.pending(5)
			r.comes(5, at)
			if got := r.writeManifests(); !cmp.Equal(got, []string{"2026-03-01 4"}) {
				t.Errorf("after the kill: %q", got)
			}
			now.Advance(24 * time.Hour)
			r.writeManifests()
			r.wantManifests("in the end", "03-01 1 archived", "03-01 2 archived", "03-01 3 archived", "03-01 4 missing", "03-02 4 archived", "03-02 5 archived")
		})
	}
}

// If many write at once, each settlement is listed once.
func TestManifestWritersAtOnce(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	want := []string{}
	for id := range int64(5) {
		r.Archived(id + 1)
		want = append(want, fmt.Sprintf("03-01 %d archived", id+1))
	}
	now.Advance(5 * 24 * time.Hour)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for {
				err := r.manifests().WriteDue(t.Context(), func(archive.Manifest) {})
				if errors.Is(err, upkeep.ErrManifestsBusy) {
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
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	now.Advance(24 * time.Hour)
	r.writeManifests()
	previous, err := r.Archive.ReadManifest(t.Context(), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), func(archive.ManifestEntry) error { return nil })
	r.Check(err)
	r.Archived(1)
	now.Advance(24 * time.Hour)
	overtake := func(string) {
		_, err := r.Archive.WriteManifest(t.Context(), time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), &previous, nil, func(func(archive.ManifestLine, error) bool) {})
		r.Check(err)
	}
	r.Check(r.hooked(putHook{before: overtake}).WriteDue(t.Context(), func(archive.Manifest) {}))
	now.Advance(24 * time.Hour)
	r.writeManifests()
	r.wantManifests("overtaken", "03-03 1 archived")
}

// If the bucket's manifests are not those that were written, nothing is written after
// them, and verify names what is wrong.
func TestManifestWriterRefuses(t *testing.T) {
	t.Parallel()
	key := archive.ManifestKey(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	for name, c := range map[string]struct {
		tamper func(*rig)
		want   string
		deep   bool // only a deep look by verify finds it
	}{
		"dropped": {func(r *rig) { r.Check(r.Archive.Bucket().Remove(r.T.Context(), key)) }, "is not there", false},
		"rewritten": {func(r *rig) {
			previous, err := r.Archive.ReadManifest(r.T.Context(), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), func(archive.ManifestEntry) error { return nil })
			r.Check(err)
			r.Check(r.Archive.Bucket().Remove(r.T.Context(), key))
			_, err = r.Archive.WriteManifest(r.T.Context(), time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), &previous, nil, func(func(archive.ManifestLine, error) bool) {})
			r.Check(err)
		}, "written was", false},
		"damaged": {func(r *rig) {
			object := r.Get(key)
			object[len(object)-1] ^= 1
			r.Overwrite(key, object)
		}, "unreadable", true},
		"one of tomorrow": {func(r *rig) {
			previous, err := r.Archive.ReadManifest(r.T.Context(), time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), func(archive.ManifestEntry) error { return nil })
			r.Check(err)
			for day := range 9 {
				previous, err = r.Archive.WriteManifest(r.T.Context(), previous.Date.AddDate(0, 0, 1), &previous, nil, func(func(archive.ManifestLine, error) bool) {})
				r.Check(err)
				_ = day
			}
		}, "is not over", false},
		"one that follows another": {func(r *rig) {
			other := archive.Manifest{Date: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), SHA256: [32]byte{1}}
			_, err := r.Archive.WriteManifest(r.T.Context(), time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC), &other, nil, func(func(archive.ManifestLine, error) bool) {})
			r.Check(err)
		}, "does not follow", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := ingesttest.NewClock()
			r := newRig(t, ingesttest.Options{Now: now.Now})
			r.Archived(1)
			now.Advance(24 * time.Hour)
			r.writeManifests()
			r.Archived(2)
			now.Advance(24 * time.Hour)
			r.writeManifests()
			r.Archived(3)
			c.tamper(r)
			now.Advance(24 * time.Hour)
			err := r.manifests().WriteDue(t.Context(), func(archive.Manifest) {})
			if !errors.Is(err, upkeep.ErrManifestsBroken) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if n := ingesttest.Scalar[int](r.Rig, `SELECT count(*) FROM job_logs WHERE job_id = 3 AND manifest_date IS NULL`); n != 1 && name != "one of tomorrow" {
				t.Error("job 3 is listed, it seems")
			}
			if name == "one of tomorrow" || name == "one that follows another" {
				return
			}
			faults, _ := r.verify(upkeep.VerifyOptions{Deep: c.deep})
			if !cmp.Equal(faults, []string{"0 manifest"}) {
				t.Errorf("verify: %q", faults)
			}
		})
	}
}

// If the database is an older dump, the manifests that the bucket has beyond it are taken
// from there, and nothing is listed again.
func TestManifestsAfterARestoredDump(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	for id := range int64(3) {
		r.Archived(id + 1)
		now.Advance(24 * time.Hour)
		r.writeManifests()
	}
	before := r.Rows(`SELECT date, previous, sha256, jobs FROM manifests ORDER BY date`)
	r.Exec(`DELETE FROM manifests WHERE date > '2026-03-01'`)
	r.Exec(`UPDATE job_logs SET manifest_date = NULL WHERE job_id > 1`)
	now.Advance(24 * time.Hour)
	if got := r.writeManifests(); !cmp.Equal(got, []string{"2026-03-02 1", "2026-03-03 1", "2026-03-04 0"}) {
		t.Errorf("%q", got)
	}
	r.wantManifests("restored", "03-01 1 archived", "03-02 2 archived", "03-03 3 archived")
	if diff := cmp.Diff(before, r.Rows(`SELECT date, previous, sha256, jobs FROM manifests ORDER BY date LIMIT 3`)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// An empty database is filled from the bucket: what is listed is known again, with its
// time, and nothing is listed twice. A manifest that is damaged is named.
func TestRebuildKnowsWhatIsListed(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	bucketURL := testenv.FileBucketURL(t)
	r := newRig(t, ingesttest.Options{Now: now.Now, BucketURL: bucketURL})
	r.Archived(1)
	r.missing(2)
	now.Advance(24 * time.Hour)
	r.writeManifests()
	r.comes(2, now.Now())
	now.Advance(24 * time.Hour)
	r.writeManifests()
	r.Archived(3)
	lost := newRig(t, ingesttest.Options{Now: now.Now, BucketURL: bucketURL})
	for range 2 {
		if sum := lost.rebuild(0); sum.Faults > 0 || sum.Manifests != 2 {
			t.Errorf("%+v", sum)
		}
	}
	for _, query := range []string{
		`SELECT date, previous, sha256, stored_sha256, jobs, stored_bytes FROM manifests ORDER BY date`,
		`SELECT job_id, manifest_date, details_sha256, details_bytes, CASE WHEN manifest_date IS NOT NULL THEN settled_at END AS settled_at FROM job_logs ORDER BY job_id`,
	} {
		if diff := cmp.Diff(r.Rows(query), lost.Rows(query)); diff != "" {
			t.Errorf("%s (-lost +rebuilt):\n%s", query, diff)
		}
	}
	if faults, _ := lost.verify(upkeep.VerifyOptions{Deep: true}); faults != nil {
		t.Errorf("verify: %q", faults)
	}
	// Its log is as old as the file, by the machine's clock: a year is enough for that.
	now.Advance(time.Since(now.Now()) + 48*time.Hour)
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
	damaged := lost.Get(key)
	lost.Overwrite(key, damaged[:len(damaged)-5])
	again := newRig(t, ingesttest.Options{Now: now.Now, BucketURL: bucketURL})
	if sum := again.rebuild(0); sum.Faults != 1 || sum.Manifests != 1 || sum.Jobs != 3 {
		t.Errorf("with a damaged one: %+v", sum)
	}
}

// A jobvault that serves writes them by itself; what it cannot write is counted.
func TestServingWritesManifests(t *testing.T) {
	t.Parallel()
	r := newRig(t, ingesttest.Options{})
	registry := prometheus.NewRegistry()
	r.Metrics = ingest.NewMetrics(registry)
	registry.MustRegister(ingest.NewBacklog(r.DB, time.Now, func(string) bool { return true }))
	metrics := upkeep.NewManifestMetrics(registry)
	value := func(name string) float64 {
		t.Helper()
		families, err := registry.Gather()
		r.Check(err)
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
		m := r.manifests()
		m.Metrics = metrics
		w, err := ingest.NewWorkers(ingest.WorkersConfig{DB: r.DB, Archiver: r.Archiver(), Parallel: 2, Logger: r.Logger, Metrics: r.Metrics, Periodic: []ingest.Periodic{m.Periodic()}})
		r.Check(err)
		r.Check(w.Start(t.Context()))
		r.Workers = w
		r.Await(time.Minute, until)
		r.StopWork()
	}
	serve(`(SELECT count(*) FROM manifests) = 1 AND EXISTS (SELECT FROM queue.river_job WHERE kind = 'manifest' AND state = 'completed')`)
	if age := value("jobvault_manifest_age_seconds"); value("jobvault_manifests_written_total") != 1 || age < 3600 || age > 26*3600 {
		t.Errorf("%v written, %v seconds old", value("jobvault_manifests_written_total"), age)
	}
	for key := range r.objects() {
		r.Check(r.Archive.Bucket().Remove(t.Context(), key))
	}
	at := time.Now().Add(48 * time.Hour)
	r.Now = func() time.Time { return at }
	serve(`EXISTS (SELECT FROM queue.river_job WHERE kind = 'manifest' AND state = 'cancelled')`)
	if n := value("jobvault_manifests_failed_total"); n != 1 {
		t.Errorf("%v rounds failed", n)
	}
}

// What verify --repair puts in the place of a lost log or job.json is listed anew.
func TestRepairsAreListed(t *testing.T) {
	t.Parallel()
	now := ingesttest.NewClock()
	r := newRig(t, ingesttest.Options{Now: now.Now})
	for id := range int64(3) {
		r.Archived(id + 1)
	}
	now.Advance(24 * time.Hour)
	r.writeManifests()
	log, err := r.Archive.PutLog(t.Context(), archive.JobKey{RepositoryID: 9, RunID: 9, RunAttempt: 9, JobID: 9}, bytes.NewReader(nil))
	r.Check(err)
	r.Check(r.Archive.Bucket().Remove(t.Context(), log.Key))
	r.Check(r.Archive.Bucket().Remove(t.Context(), r.Object(1, "log.zst")))
	r.Overwrite(r.Object(2, "job.json"), append(r.Get(r.Object(2, "job.json")), ' '))
	r.Check(r.Archive.Bucket().Remove(t.Context(), r.Object(3, "job.json")))
	var kinds []string
	_, err = r.Archive.VerifyChain(t.Context(), archive.ChainOptions{Deep: true}, func(f archive.Fault) {
		kinds = append(kinds, fmt.Sprintf("%d %s", f.JobID, f.Kind))
	}, func(_, _ int64) {})
	r.Check(err)
	slices.Sort(kinds)
	if !cmp.Equal(kinds, []string{"1 absent", "2 details", "3 details"}) {
		t.Errorf("%q", kinds)
	}
	r.Check(r.Archive.Bucket().Remove(t.Context(), r.Object(2, "job.json")))
	j := ingesttest.Completed(2, now.Now(), githubsim.TextLog([]byte("x")))
	j.Name = "renamed"
	r.GitHub.AddJob(j)
	if _, sum := r.verify(upkeep.VerifyOptions{Repair: true}); sum.Repaired != 3 {
		t.Errorf("%+v", sum)
	}
	now.Advance(24 * time.Hour)
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
		m := &upkeep.Manifests{
			DB: old.DB, Archive: old.Archive, Logger: testenv.Logger(t),
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
	if states, err := due(); !errors.Is(err, upkeep.ErrRemovalsBroken) || len(states) > 0 {
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
