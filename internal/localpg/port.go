package localpg

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are picked below those that Linux (32768 and up) and macOS (49152 and
// up) hand to outgoing connections. With one of those, a client that tries to
// connect while Postgres restarts might be given that very port as its own,
// and Postgres could not have it back.
const (
	firstPort = 20000
	lastPort  = 29999
)

// pickPort returns a port that nobody listens on at the moment.
func pickPort() (int, error) {
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if portFree(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port found on %s between %d and %d", loopback, firstPort, lastPort)
}

// portFree reports whether Postgres could listen on port.
func portFree(port int) bool {
	l, err := net.Listen("tcp4", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	l.Close()
	return true
}
