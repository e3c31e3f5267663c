package main

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/githubsim"
)

// A thousand connections that say nothing, or drip their request byte by byte,
// keep nobody else from being answered, and are cut off in time.
func TestIdleAndDrippingConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := startProcess(t, append(w.settings, "JOBVAULT_ROLES=receive")...)
	address := strings.TrimPrefix(p.url, "http://")
	day := w.github.PlayableDay(23, 40, 1<<20)
	const n = 1000
	conns := make([]net.Conn, 0, n)
	for range n {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	head := "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20000000\r\n" +
		"X-Hub-Signature-256: sha256=" + strings.Repeat("0", 64) + "\r\n\r\n"
	stop := make(chan struct{})
	var dripping sync.WaitGroup
	for i, conn := range conns[:n*2/3] {
		// A third drips its headers, a third its body, a third says nothing.
		dripping.Go(func() {
			text := "POST /webhook HTTP/1.1\r\nX-Slow: " + strings.Repeat("x", 5000)
			if i%2 == 0 {
				if _, err := conn.Write([]byte(head)); err != nil {
					return
				}
			}
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for _, b := range []byte(text) {
				select {
				case <-tick.C:
				case <-stop:
					return
				}
				if _, err := conn.Write([]byte{b}); err != nil {
					return
				}
			}
		})
	}
	started := time.Now()
	for _, r := range githubsim.Send(t.Context(), p.url+"/webhook", day.Deliveries, githubsim.SendOptions{Secret: processSecret, Concurrency: 8}) {
		if r.Err != nil || r.Status != 202 {
			t.Fatalf("delivery %s: %d, %v", r.Delivery.GUID, r.Status, r.Err)
		}
	}
	t.Logf("%d deliveries answered in %s beside %d connections", len(day.Deliveries), time.Since(started), n)
	// Whoever drips headers, or says nothing, is cut off after the time for them.
	for _, conn := range []net.Conn{conns[1], conns[n-1]} {
		if err := conn.SetReadDeadline(time.Now().Add(headerTimeout + 30*time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := io.Copy(io.Discard, conn)
		var slow net.Error
		if errors.As(err, &slow) && slow.Timeout() {
			t.Error("a connection that drips is not cut off")
		}
	}
	close(stop)
	dripping.Wait()
}
