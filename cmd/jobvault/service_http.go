package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Time-outs of the server. GitHub gives a delivery 10 seconds; whoever needs
// longer to send one is not GitHub.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 30 * time.Second
	writeTimeout   = 60 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 32 << 10
)

func (s *service) serveHTTP() {
	mux := http.NewServeMux()
	if s.webhook != nil {
		mux.Handle("/webhook", s.webhook)
	}
	switch {
	case s.lookup != nil && s.guard != nil:
		mux.Handle("/", s.guard.guarded(s.lookup))
	case s.lookup != nil:
		mux.Handle("/", s.lookup)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeStatus(w, http.StatusOK, map[string]string{"process": "ok"})
	})
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	s.http = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnContext:       smallBuffer,
	}
	go func() {
		if err := s.http.Serve(s.listener); err != http.ErrServerClosed {
			s.failed <- err
		}
	}()
}

// sendBuffer bounds what the kernel holds of an answer. Left alone it takes megabytes
// for each slow client, and lets nobody see for minutes that one moves.
const sendBuffer = 256 << 10

func smallBuffer(ctx context.Context, c net.Conn) context.Context {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // as it is, it works too
	}
	return ctx
}

func writeStatus(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
