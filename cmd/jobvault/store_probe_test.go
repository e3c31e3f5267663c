package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/minio/minio-go/v7"
)

// probedBucket is one whose probes find what the test says.
type probedBucket struct {
	bucket.Bucket
	mu     sync.Mutex
	lacks  []bucket.Lack
	err    error
	probes []bool // whether each of them wrote
}

func (b *probedBucket) Probe(_ context.Context, write bool) ([]bucket.Lack, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probes = append(b.probes, write)
	return b.lacks, b.err
}

func (b *probedBucket) finds(err error, lacks ...bucket.Lack) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err, b.lacks = err, lacks
}

// probeTest is a probe with a clock of the test's.
type probeTest struct {
	*storeProbe
	t      *testing.T
	bucket *probedBucket
	log    bytes.Buffer
}

func startProbeTest(t *testing.T, write bool, err error, lacks ...bucket.Lack) *probeTest {
	t.Helper()
	p := &probeTest{t: t, bucket: &probedBucket{err: err, lacks: lacks}}
	var serr error
	p.storeProbe, serr = startProbe(t.Context(), p.bucket, write, time.Minute, slog.New(slog.NewTextHandler(&p.log, nil)))
	if errors.Is(err, bucket.ErrUnfit) != (serr != nil) {
		t.Fatalf("the start says %v", serr)
	}
	t.Cleanup(p.close)
	return p
}

// after asks for readiness when some time has passed, and waits for the probe that this
// may begin.
func (p *probeTest) after(d time.Duration) (words string, ok bool) {
	p.mu.Lock()
	now := p.ended.Add(d)
	p.now = func() time.Time { return now }
	p.mu.Unlock()
	words, ok = p.ready()
	p.probes.Wait()
	return words, ok
}

// wantProbes wants a number of probes to have been made, the last of them writing or not.
func (p *probeTest) wantProbes(n int, write bool) {
	p.t.Helper()
	if got := p.bucket.probes; len(got) != n || got[n-1] != write {
		p.t.Errorf("probes: %t, want %d and the last %t", got, n, write)
	}
}

// However often readiness is asked for, the store is probed rarely.
func TestStoreIsProbedRarely(t *testing.T) {
	p := startProbeTest(t, true, nil)
	for _, d := range []time.Duration{0, time.Minute, 59 * time.Minute} {
		if words, ok := p.after(d); words != "ok" || !ok {
			t.Errorf("after %s: %q, %t", d, words, ok)
		}
	}
	p.wantProbes(1, true)
	p.after(time.Hour)
	p.wantProbes(2, true)
	// One that failed is repeated soon.
	p.bucket.finds(errors.New("500 s3cret"))
	p.after(time.Hour)
	p.wantProbes(3, true)
	if words, ok := p.after(29 * time.Second); ok || strings.Contains(words, "s3cret") {
		t.Errorf("after one that failed: %q, %t", words, ok)
	}
	p.wantProbes(3, true)
	if !strings.Contains(p.log.String(), "500 s3cret") {
		t.Errorf("the log does not say why: %s", p.log.String())
	}
	p.bucket.finds(nil)
	p.after(30 * time.Second)
	if words, ok := p.after(0); words != "ok" || !ok {
		t.Errorf("after it came back: %q, %t", words, ok)
	}
	p.wantProbes(4, true)
}

// What the store lacks is said in words, with the cure, and does not keep a process from
// being ready; what does no harm is in the log only, and neither is repeated there.
func TestReadinessNamesWhatTheStoreLacks(t *testing.T) {
	p := startProbeTest(t, true, nil, bucket.LackVersions, bucket.LackConditions)
	words, ok := p.after(time.Hour)
	if want := "ok; " + bucket.LackConditions.String(); !ok || words != want {
		t.Errorf("%q, %t, want %q", words, ok, want)
	}
	p.after(time.Hour)
	p.wantProbes(3, true)
	for _, want := range []string{"level=WARN msg=\"" + bucket.LackConditions.String(), "level=INFO msg=\"" + bucket.LackVersions.String()} {
		if strings.Count(p.log.String(), want) != 1 {
			t.Errorf("the log says %s, want once %s", p.log.String(), want)
		}
	}
}

// A store that keeps what a probe writes is written to once.
func TestStoreThatKeepsProbesIsWrittenToOnce(t *testing.T) {
	for _, l := range []bucket.Lack{bucket.LackRemoval, bucket.LackShortLocks, bucket.LackVersionLists} {
		p := startProbeTest(t, true, nil, l)
		p.bucket.finds(nil) // who only reads does not find it
		p.after(time.Hour)
		p.wantProbes(2, false)
		if words, ok := p.after(0); !ok || words != "ok; "+l.String() {
			t.Errorf("after a probe that only reads: %q, %t, and the store lacks %s still", words, ok, l.What)
		}
	}
	// Who writes nothing never does.
	p := startProbeTest(t, false, nil)
	p.after(time.Hour)
	p.wantProbes(2, false)
}

// What no time mends ends the start; what may be mended does not.
func TestStartWithAStoreThatIsUnfit(t *testing.T) {
	startProbeTest(t, true, fmt.Errorf("probe: %w", bucket.ErrUnfit))
	p := startProbeTest(t, true, fmt.Errorf("probe: %w", bucket.ErrRefused))
	if words, ok := p.after(0); ok || !strings.Contains(words, "refuses") {
		t.Errorf("%q, %t", words, ok)
	}
}

// A start does not wait for a store that does not answer, and is not ready.
func TestStartDoesNotWaitForTheStore(t *testing.T) {
	b := &waitingBucket{probing: make(chan struct{})}
	p, err := startProbe(t.Context(), b, true, 0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if words, ok := p.ready(); ok || words != "not probed yet" {
		t.Errorf("%q, %t", words, ok)
	}
	<-b.probing
	p.close() // ends the probe
}

// waitingBucket's probes end with their context.
type waitingBucket struct {
	bucket.Bucket
	probing chan struct{}
}

func (b *waitingBucket) Probe(ctx context.Context, _ bool) ([]bucket.Lack, error) {
	close(b.probing)
	<-ctx.Done()
	return nil, ctx.Err()
}

// serveOn starts jobvault on an S3 bucket of which some requests are refused. It counts the
// requests that change something.
func serveOn(t *testing.T, refused func(*http.Request) bool, settings ...string) (p *process, changes *atomic.Int64, direct bucket.Bucket) {
	t.Helper()
	changes = &atomic.Int64{}
	direct = buckettest.Open(t, testenv.S3BucketURL(t))
	u, err := url.Parse(direct.String())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: q.Get("endpoint")})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if refused(req) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			changes.Add(1)
		}
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	q.Set("endpoint", strings.TrimPrefix(server.URL, "http://"))
	u.RawQuery = q.Encode()
	w := newWorld(t)
	w.settings[1] = "JOBVAULT_BUCKET_URL=" + u.String()
	return startProcess(t, append(w.settings, settings...)...), changes, direct
}

// While nothing can be archived, a process is not ready, and says what to allow; its
// webhooks are taken all the same. It writes nothing that is listed.
func TestServeOnAStoreThatRefusesToWrite(t *testing.T) {
	t.Parallel()
	p, _, _ := serveOn(t, func(req *http.Request) bool { return req.Method == http.MethodPut })
	status, body := p.get("/readyz")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, `"bucket":"ok"`) || !strings.Contains(body, `"store":"refuses what is needed, the log says what to allow"`) {
		t.Errorf("%d %s", status, body)
	}
	if !strings.Contains(p.said(), "allow s3:PutObject") {
		t.Errorf("it says\n%s", p.said())
	}
	p.terminate()
}

// Who only answers readers needs no right to write, and tries none.
func TestServeReadersOnAStoreThatIsReadOnly(t *testing.T) {
	t.Parallel()
	isRead := func(req *http.Request) bool {
		return slices.Contains([]string{http.MethodGet, http.MethodHead}, req.Method)
	}
	p, changes, _ := serveOn(t, func(req *http.Request) bool { return !isRead(req) }, "JOBVAULT_ROLES=lookup")
	if status, body := p.get("/readyz"); status != http.StatusOK || !strings.Contains(body, `"store":"ok"`) {
		t.Errorf("%d %s", status, body)
	}
	p.terminate()
	if changes.Load() > 0 {
		t.Errorf("%d requests would have changed something", changes.Load())
	}
}

// The probe of a process that works leaves nothing.
func TestServeLeavesNoProbe(t *testing.T) {
	t.Parallel()
	p, changes, direct := serveOn(t, func(*http.Request) bool { return false })
	if status, body := p.get("/readyz"); status != http.StatusOK || !strings.Contains(body, `"store":"ok"`) {
		t.Errorf("%d %s", status, body)
	}
	p.terminate()
	client, name, _ := buckettest.Client(t, direct)
	for o := range client.ListObjectsIter(t.Context(), name, minio.ListObjectsOptions{Recursive: true}) {
		t.Errorf("left is %s, %v", o.Key, o.Err)
	}
	if changes.Load() == 0 {
		t.Error("nothing was written: this shows nothing")
	}
}

// A bucket that cannot exist ends the start, whoever says so, and so does one that does not.
func TestServeNamesABucketThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, err := url.Parse(testenv.S3BucketURL(t))
	w.check(err)
	for name, want := range map[string]string{
		"a..b": "no bucket can have this name", "x": "no bucket can have this name",
		"Acme_Logs":   "no bucket can have this name", // by the server's rules, not by all servers'
		"absent-logs": "object not found",
	} {
		u.Host = name
		w.settings[1] = "JOBVAULT_BUCKET_URL=" + u.String()
		s := w.command(append([]string{"serve"}, "--webhook-secret=x", "--listen=127.0.0.1:0")...)
		if s.code == 0 || !strings.Contains(s.err, "JOBVAULT_BUCKET_URL: ") || !strings.Contains(s.err, want) {
			t.Errorf("%s: %d %s, want %q", name, s.code, s.err, want)
		}
	}
}
