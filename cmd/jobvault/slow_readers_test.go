package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/store"
)

// Ten thousand ask for a log and take next to nothing of it: as many as one reader has
// places are served, the others are told so, memory stays flat, everybody else is
// answered, and the places are free again when the slow ones have left.
func TestTenThousandSlowReaders(t *testing.T) {
	w := newWorld(t)
	url := w.bigLog(t, 64<<20)
	p := startProcess(t, append(w.settings, "JOBVAULT_ROLES=lookup")...)
	link := signedLink(t, p.url+url)
	address := strings.TrimPrefix(p.url, "http://")
	const few, n = 1_000, 10_000
	conns := make([]net.Conn, n)
	statuses := make(map[int]int)
	var mu sync.Mutex
	var asking sync.WaitGroup
	places := make(chan struct{}, 200)
	var ofFew int64
	for i := range n {
		if i == few {
			asking.Wait()
			ofFew = heap(t, p)
		}
		places <- struct{}{}
		asking.Go(func() {
			defer func() { <-places }()
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			conns[i] = conn
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", link, address)
			_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
			resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 512), nil)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[resp.StatusCode]++
			if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
				t.Error("a refusal that does not say when to come back")
			}
		})
	}
	asking.Wait()
	leave := func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}
	defer leave()
	if statuses[200] != 100 || statuses[200]+statuses[503] != n {
		t.Errorf("answers %v, want 200 for as many as one subject may, and 503 for the rest", statuses)
	}
	// Garbage comes and goes; ten times as much would show.
	if ofAll := heap(t, p); ofAll > 2*ofFew+64<<20 || ofAll > 512<<20 {
		t.Errorf("%d MiB are in use with %d slow readers, %d MiB with %d", ofFew>>20, few, ofAll>>20, n)
	} else {
		t.Logf("%v; %d MiB in use with %d slow readers, %d MiB with %d", statuses, ofFew>>20, few, ofAll>>20, n)
	}
	if body := get(t, p.url+"/"); !strings.Contains(body, "a big log") {
		t.Errorf("the list of jobs: %.200s", body)
	}
	leave()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		resp, err := http.Get(p.url + url + "?lines=1-2") //nolint:noctx // of this test's own process
		w.check(err)
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		w.check(err)
		if resp.StatusCode == http.StatusOK && bytes.Count(b, []byte("\n")) == 2 {
			break
		}
		if resp.StatusCode != http.StatusServiceUnavailable || time.Now().After(deadline) {
			t.Fatalf("%d: %s", resp.StatusCode, b)
		}
	}
	p.terminate()
}

// bigLog archives a log of some size, and returns the path that asks for it.
func (w *world) bigLog(t *testing.T, size int) string {
	t.Helper()
	at := time.Now().Add(-time.Hour)
	w.check(w.db.RecordFetched(t.Context(), store.Facts{
		Repository: store.Repository{ID: 1, Owner: "acme", Name: "rocket", SeenAt: at},
		Run:        store.WorkflowRun{ID: 2, RepositoryID: 1},
		Job:        store.Job{ID: 3, RunID: 2, RunAttempt: new(int64(1)), RepositoryID: 1, Name: "a big log", Status: store.StatusCompleted, CreatedAt: &at},
	}, at))
	var raw bytes.Buffer
	for i := 0; raw.Len() < size; i++ {
		fmt.Fprintf(&raw, "2024-07-08T16:48:09.3750041Z line %d with some text\n", i)
	}
	log, err := w.archive.PutLog(t.Context(), archive.JobKey{RepositoryID: 1, RunID: 2, RunAttempt: 1, JobID: 3}, &raw)
	w.check(err)
	_, err = w.db.Settle(t.Context(), store.Settlement{JobID: 3, State: store.LogArchived, Object: &store.Object{
		Key: log.Key, RawBytes: log.RawBytes, StoredBytes: log.StoredBytes, Lines: log.Lines, SHA256: log.SHA256,
		FrameLines: log.FrameLines, FrameOffsets: log.FrameOffsets, ArchivedAt: at,
	}}, at)
	w.check(err)
	return "/api/v3/repos/acme/rocket/actions/jobs/3/logs"
}

// signedLink is the path and query that a log's address leads to.
func signedLink(t *testing.T, address string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	link, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	return link.RequestURI()
}

// heap is what the process has in use, of heap and stacks.
func heap(t *testing.T, p *process) int64 {
	t.Helper()
	var sum float64
	for _, m := range regexp.MustCompile(`(?m)^go_memstats_(?:heap|stack)_inuse_bytes (\S+)$`).FindAllStringSubmatch(get(t, p.url+"/metrics"), -1) {
		v, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += v
	}
	return int64(sum)
}
