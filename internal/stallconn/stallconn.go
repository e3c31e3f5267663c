// Package stallconn bounds the progress of a connection and not its duration: a transfer
// may take as long as it needs, as long as something moves.
package stallconn

import (
	"context"
	"net"
	"time"
)

// DialFunc makes a connection, as net.Dialer's DialContext does.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Dial makes connections with dial that fail with os.ErrDeadlineExceeded: a read to which
// nothing came for read, and a write of which nothing went for write (0: as long as it
// takes).
func Dial(dial DialFunc, read, write time.Duration) DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return conn{c, read, write}, nil
	}
}

type conn struct {
	net.Conn
	read, write time.Duration
}

func (c conn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.read)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write puts off the deadline for reads too: net/http reads ahead on a connection that it
// keeps, and a request on it has the whole time for its answer.
func (c conn) Write(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.read)); err != nil {
		return 0, err
	}
	if c.write > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}
