package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/jobvault/jobvault/ingest"
	"github.com/jobvault/jobvault/store"
)

// Time-outs of the server. GitHub gives a delivery 10 seconds; whoever needs
// longer to send one is not GitHub.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 30 * time.Second
	writeTimeout   = 60 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 32 << 10
	checkTimeout   = 5 * time.Second
)

func (s *service) serveHTTP() {
	mux := http.NewServeMux()
	if s.webhook != nil {
		mux.Handle("/webhook", s.webhook)
	}
	if s.lookup != nil {
		mux.Handle("/", s.guard.guarded(s.lookup))
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

// ready says whether each part answers, what the store lacks, whether the database has
// heard of all removals that the bucket tells of, and how wrong the clock is if it is; why
// a part does not answer is in the log.
func (s *service) ready(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithTimeout(req.Context(), checkTimeout)
	defer cancel()
	parts := map[string]func(context.Context) error{
		"postgres": s.db.Ping,
		"schema":   s.database.checkSchema,
		"bucket":   s.archive.Bucket().Check,
		"clock":    s.clock.Check,
	}
	status, answers := http.StatusOK, make(map[string]string)
	for name, check := range parts {
		answers[name] = "ok"
		if err := check(ctx); err != nil {
			s.logger.WarnContext(ctx, "not ready", "part", name, ingest.KeyError, err)
			status, answers[name] = http.StatusServiceUnavailable, "away"
			var skew *store.SkewError
			if errors.As(err, &skew) {
				answers[name] = fmt.Sprintf("%s from that of Postgres, %s at most", skew.Skew().Round(time.Second), store.MaxSkew)
			}
		}
	}
	var fit bool
	if answers["store"], fit = s.probe.ready(); !fit {
		status = http.StatusServiceUnavailable
	}
	// Readers wait for it. Who also receives goes on: nobody else may, and what GitHub
	// cannot deliver is lost.
	if answers["removals"] = s.guard.ready(); answers["removals"] != "ok" && s.webhook == nil {
		status = http.StatusServiceUnavailable
	}
	writeStatus(w, status, answers)
}

func writeStatus(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
