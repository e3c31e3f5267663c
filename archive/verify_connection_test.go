package archive_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jobvault/jobvault/archive"
	"github.com/jobvault/jobvault/archive/bucket"
	"github.com/jobvault/jobvault/archive/bucket/buckettest"
)

// A body that ends before its Content-Length is the network's doing, though the
// object looks just as if it were cut short there.
func TestVerifyOverABrokenConnection(t *testing.T) {
	t.Parallel()
	var most atomic.Int64
	b := buckettest.OpenProxied(t, func(resp *http.Response) error {
		if n := most.Load(); n > 0 && resp.Request.Method == http.MethodGet && strings.HasSuffix(resp.Request.URL.Path, archive.LogName) {
			resp.Body = struct {
				io.Reader
				io.Closer
			}{io.LimitReader(resp.Body, n), resp.Body}
		}
		return nil
	})
	a := newArchive(t, b, 1<<40)
	log := putLog(t, a, key, text(3<<20))
	for _, n := range []int64{1, 100, log.FrameOffsets[1], log.FrameOffsets[2] + 500, log.StoredBytes - 1} {
		most.Store(n)
		if d, err := a.Verify(t.Context(), log, true); d != nil || err == nil || errors.Is(err, bucket.ErrUnreadable) {
			t.Errorf("broken off after %d bytes of %d: %+v, %v", n, log.StoredBytes, d, err)
		}
	}
	most.Store(0)
	verify(t, a, "whole again", log, "", "")
}
