package githubsim

import (
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"
)

// spoiled is a ResponseWriter that does to the true answer what a fault says.
// It works on whatever a handler writes, so that every endpoint has every fault.
type spoiled struct {
	http.ResponseWriter
	s      *Server
	r      *http.Request
	f      Fault
	begun  bool
	left   int64 // body bytes until the fault strikes
	strike func()
}

func (s *Server) spoil(w http.ResponseWriter, r *http.Request, f Fault) http.ResponseWriter {
	return &spoiled{ResponseWriter: w, s: s, r: r, f: f}
}

func (w *spoiled) WriteHeader(status int) {
	w.begun = true
	h := w.Header()
	switch w.f.Kind {
	case WrongMD5:
		sum := md5.Sum([]byte("another body"))
		h.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
	case HangBody:
		w.limit(func() { w.s.hang(w.r) })
	case CutBody, CutChunked:
		w.limit(func() { panic(http.ErrAbortHandler) })
	}
	if w.f.Kind == CutChunked {
		h.Del("Content-Length")
	}
	w.ResponseWriter.WriteHeader(status)
}

// limit lets strike happen after the fault's number of bytes, and in any case
// before the body's end.
func (w *spoiled) limit(strike func()) {
	length, err := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64)
	w.left, w.strike = w.f.After, strike
	if err == nil && (w.left <= 0 || w.left >= length) {
		w.left = length / 2
	}
}

func (w *spoiled) Write(b []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.strike != nil:
		return w.writeAndStrike(b)
	case w.f.Kind == Slow:
		return w.drip(b)
	}
	return w.ResponseWriter.Write(b)
}

func (w *spoiled) writeAndStrike(b []byte) (int, error) {
	if int64(len(b)) < w.left {
		n, err := w.ResponseWriter.Write(b)
		w.left -= int64(n)
		return n, err
	}
	w.ResponseWriter.Write(b[:w.left])
	// Without the flush the client might see no answer at all, which is
	// another fault.
	http.NewResponseController(w.ResponseWriter).Flush()
	w.strike()
	return 0, http.ErrAbortHandler
}

func (w *spoiled) drip(b []byte) (int, error) {
	var (
		piece = int(cmp.Or(w.f.After, 1<<10))
		flush = http.NewResponseController(w.ResponseWriter)
		tick  = time.NewTicker(cmp.Or(w.f.Delay, 10*time.Millisecond))
		sent  int
	)
	defer tick.Stop()
	for len(b) > 0 {
		n, err := w.ResponseWriter.Write(b[:min(piece, len(b))])
		sent += n
		if err != nil {
			return sent, err
		}
		b = b[n:]
		flush.Flush()
		select {
		case <-tick.C:
		case <-w.r.Context().Done():
			return sent, w.r.Context().Err()
		case <-w.s.closing:
			return sent, http.ErrServerClosed
		}
	}
	return sent, nil
}
