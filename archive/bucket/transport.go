package bucket

import (
	"net"
	"net/http"
	"time"

	"github.com/jobvault/jobvault/internal/stallconn"
)

// stall is how long a connection to S3 may make no progress. A whole transfer
// may take as long as it needs.
const stall = time.Minute

// newTransport returns a transport that speaks HTTP/1.1 only: over HTTP/2, requests share
// a connection, and one that makes progress would hide another that stalls.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           stallconn.Dial(dialer.DialContext, 2*stall, stall),
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 2 * time.Minute,
		DisableCompression:    true,
	}
}
