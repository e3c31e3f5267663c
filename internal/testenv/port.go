package testenv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// freeAddress returns an address of this machine at which nobody listens: for a server that is
// told where to listen, and perhaps is stopped and started there. Its port is below those that
// systems give to clients, so that no connection of another test gets hold of it meanwhile.
func freeAddress() (string, error) {
	const first, ports, tries = 20_000, 12_000, 100
	var all error
	for range tries {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(ports)))
		if err == nil {
			return listener.Addr().String(), listener.Close()
		}
		all = err
	}
	return "", errors.Join(errors.New("testenv: there is no free port"), all)
}
