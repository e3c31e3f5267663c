package githubsim

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// blobHandler is the other host: an Azure blob store with one log per job.
func (s *Server) blobHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /actions-results/{job_id}/logs/job/job-logs.txt", s.getBlob)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.counters.add(EndpointUnknown, 0)
		azureError(w, http.StatusNotFound, "ResourceNotFound", "The specified resource does not exist.", s.now())
	})
	return mux
}

func (s *Server) getBlob(w http.ResponseWriter, r *http.Request) {
	jobID := pathInt(r, "job_id")
	s.counters.add(EndpointBlob, jobID)
	// The link is the credential. Azure refuses a second one, which is also
	// how a token sent to the wrong host is noticed.
	if r.Header.Get("Authorization") != "" {
		s.counters.addLeaked()
		azureError(w, http.StatusBadRequest, "InvalidAuthenticationInfo",
			"Authentication information is not given in the correct format. Check the value of Authorization header.", s.now())
		return
	}
	if f, ok := s.faults.take(EndpointBlob, jobID); ok {
		if f.replaces() {
			s.answer(w, r, f)
			return
		}
		w = s.spoil(w, r, f)
	}
	if !s.linkValid(r) {
		azureError(w, http.StatusForbidden, "AuthenticationFailed",
			"Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.", s.now())
		return
	}
	j, ok := s.world.log(jobID)
	if !ok {
		blobNotFound(w, s.now())
		return
	}
	serveLog(w, j)
}

// serveLog streams a log. Like Azure it knows the MD5 only of what was stored in
// one piece.
func serveLog(w http.ResponseWriter, j Job) {
	h := w.Header()
	h.Set("Content-Type", "text/plain")
	h.Set("Content-Length", strconv.FormatInt(j.Log.Size(), 10))
	h.Set("ETag", fmt.Sprintf(`"0x8DC%012X"`, (uint64(j.ID)<<8^uint64(j.Log.Size()))&0xffffffffffff))
	if j.CompletedAt != nil {
		h.Set("Last-Modified", j.CompletedAt.UTC().Format(http.TimeFormat))
	}
	if j.Log.Size() <= 4<<20 {
		sum := j.Log.md5()
		h.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	h.Set("X-Ms-Blob-Type", "BlockBlob")
	h.Set("X-Ms-Version", "2024-11-04")
	w.WriteHeader(http.StatusOK)
	io.Copy(w, j.Log.Reader()) // fails only if the client has gone
}

func blobNotFound(w http.ResponseWriter, now time.Time) {
	azureError(w, http.StatusNotFound, "BlobNotFound", "The specified blob does not exist.", now)
}

// azureError is an error as Azure's blob store tells it: XML behind a BOM.
func azureError(w http.ResponseWriter, status int, code, message string, now time.Time) {
	body := fmt.Sprintf("\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>%s\n"+
		"RequestId:51a70000-001e-0000-0000-000000000000\nTime:%s</Message></Error>", code, message, now.UTC().Format(linkTime))
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Ms-Error-Code", code)
	w.WriteHeader(status)
	io.WriteString(w, body)
}
