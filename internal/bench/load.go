package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// load posts the body, signed and each time under a new GUID, over connections
// that stay open, and returns the rate and the 99th percentile of the answers.
// Requests are made of bytes: a client that costs as much as the server would be
// measured with it.
func load(ctx context.Context, serverURL string, body []byte, span time.Duration) (perSecond float64, p99 time.Duration, err error) {
	u, err := url.Parse(serverURL)
	if err != nil {
		return 0, 0, err
	}
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	var wg sync.WaitGroup
	started := time.Now()
	for range connections {
		wg.Go(func() {
			mine, err := loadOne(ctx, u.Host, body, started.Add(span))
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(started)
	if failed != nil || len(took) == 0 {
		return 0, 0, fmt.Errorf("load: %w", failed)
	}
	slices.Sort(took)
	return float64(len(took)) / elapsed.Seconds(), took[len(took)*99/100], nil
}

// loadOne is one connection: it sends, waits for the answer, and so on.
func loadOne(ctx context.Context, host string, body []byte, until time.Time) ([]time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	head := fmt.Sprintf("POST /webhook HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nX-GitHub-Event: workflow_job\r\n"+
		"X-Hub-Signature-256: %s\r\nContent-Length: %d\r\nX-GitHub-Delivery: ", host, githubsim.Sign(benchSecret, body), len(body))
	answers := bufio.NewReader(conn)
	var took []time.Duration
	var request bytes.Buffer
	for time.Now().Before(until) && ctx.Err() == nil {
		request.Reset()
		request.WriteString(head)
		request.WriteString(uuid.NewString())
		request.WriteString("\r\n\r\n")
		request.Write(body)
		started := time.Now()
		if _, err := conn.Write(request.Bytes()); err != nil {
			return took, err
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return took, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		err = errors.Join(err, resp.Body.Close())
		if err != nil || resp.StatusCode != http.StatusAccepted {
			return took, fmt.Errorf("answer %s, %w", resp.Status, err)
		}
		took = append(took, time.Since(started))
	}
	return took, nil
}
