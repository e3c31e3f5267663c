package stallconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Times that the connections of these tests have.
const (
	stall = time.Minute
	send  = time.Second
)

// connect makes a connection to the other end of a pipe.
func connect(t *testing.T, ours net.Conn, write time.Duration) net.Conn {
	t.Helper()
	c, err := Dial(func(context.Context, string, string) (net.Conn, error) { return ours, nil }, stall, write)(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The time-out is on progress: however long a body takes, it is read as long as
// something comes.
func TestSlowBodyIsReadToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			for range 10 {
				time.Sleep(stall - time.Second)
				fmt.Fprint(theirs, "x")
			}
		}()
		text, err := io.ReadAll(connect(t, ours, 0))
		if string(text) != "xxxxxxxxxx" || err != nil {
			t.Errorf("read %q, %v", text, err)
		}
	})
}

func TestStalledBodyFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		begun := time.Now()
		_, err := connect(t, ours, 0).Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != stall {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
	})
}

// net/http reads ahead on a connection that it keeps. A request on it has the
// whole time for its answer, not what that read has left.
func TestKeptConnectionHasTheWholeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := connect(t, ours, send)
		answer := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 10))
			answer <- err
		}()
		var server sync.WaitGroup
		server.Go(func() {
			if _, err := theirs.Read(make([]byte, 10)); err == nil {
				time.Sleep(2 * time.Second)
				fmt.Fprint(theirs, "answer")
			}
		})
		time.Sleep(stall - time.Second)
		if _, err := c.Write([]byte("request")); err != nil {
			t.Error(err)
		}
		if err := <-answer; err != nil {
			t.Errorf("an answer within 2 s: %v", err)
		}
		ours.Close()
		server.Wait()
	})
}

func TestStalledWriteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		begun := time.Now()
		_, err := connect(t, ours, send).Write([]byte("nobody reads"))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != send {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
	})
}

func TestFailedDialIsReturned(t *testing.T) {
	broken := errors.New("no network")
	c, err := Dial(func(context.Context, string, string) (net.Conn, error) { return nil, broken }, stall, send)(t.Context(), "", "")
	if c != nil || !errors.Is(err, broken) {
		t.Errorf("%v, %v", c, err)
	}
}
