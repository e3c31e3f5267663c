package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jobvault/jobvault/internal/testenv"
	"github.com/jobvault/jobvault/lookup"
)

// A client that takes nothing any more loses its place, and its connection.
func TestAClientThatDoesNotMoveIsCutOff(t *testing.T) {
	f := newFixture(t)
	f.job(31)
	f.archive(31, manyLines(400_000)) // more than sockets hold
	s := lookup.NewSender(f.logs, testenv.Logger(t))
	s.SetStall(300 * time.Millisecond)
	ended := make(chan any, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		defer func() {
			ended <- recover()
			panic(http.ErrAbortHandler)
		}()
		log, err := s.Find(req.Context(), 31)
		if err == nil {
			err = s.Send(w, req, log, lookup.Selection{}, "somebody")
		}
		f.check(err)
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	f.check(err)
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	select {
	case v := <-ended:
		if err, ok := v.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("it ended with %v", v)
		}
	case <-ctx.Done():
		t.Error("it still has its place")
	}
}

// One subject leaves places for others, and gives them back.
func TestPlacesAreShared(t *testing.T) {
	f := newFixture(t)
	f.job(31)
	f.archive(31, []byte("a\nb\n"))
	s := lookup.NewSender(f.logs, testenv.Logger(t))
	log, err := s.Find(t.Context(), 31)
	f.check(err)
	hold, held := make(chan struct{}), make(chan struct{}, 200)
	send := func(subject string, wait bool) error {
		w := &waiting{ResponseWriter: httptest.NewRecorder()}
		if wait {
			w.hold, w.held = hold, held
		}
		return s.Send(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), log, lookup.Selection{}, subject)
	}
	done := make(chan error, 100)
	for range 100 {
		go func() { done <- send("greedy", true) }()
	}
	for range 100 {
		<-held
	}
	if err := send("greedy", false); !errors.Is(err, lookup.ErrBusy) {
		t.Errorf("one more: %v", err)
	}
	f.check(send("another", false))
	close(hold)
	for range 100 {
		f.check(<-done)
	}
	f.check(send("greedy", false))
}

// waiting is a client that takes its time.
type waiting struct {
	http.ResponseWriter
	hold, held chan struct{}
}

func (w *waiting) Write(b []byte) (int, error) {
	if w.hold != nil {
		w.held <- struct{}{}
		<-w.hold
	}
	return w.ResponseWriter.Write(b)
}
