package githubsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// linkTime is the layout of a link's expiry.
const linkTime = "2006-01-02T15:04:05.0000000Z"

// getLog is GET …/actions/jobs/{job_id}/logs: a redirect to the blob host,
// whether the text is there or not, unless it has expired. Gitea answers with the text itself.
func (s *Server) getLog(c *call) {
	_, j, ok := s.findJob(c)
	if !ok {
		return
	}
	if s.o.Gitea {
		s.getGiteaLog(c, j)
		return
	}
	if s.world.logExpired(j.ID) {
		s.apiError(c.w, http.StatusGone, "Server Error", "")
		return
	}
	if s.o.DirectLogs {
		if j, ok = s.world.log(j.ID); !ok {
			s.apiError(c.w, http.StatusNotFound, "job not started", "")
			return
		}
		serveLog(c.w, j)
		return
	}
	h := c.w.Header()
	h.Set("Location", s.link(j.ID))
	h.Set("Content-Type", "text/html;charset=utf-8")
	h.Set("Content-Length", "0")
	c.w.WriteHeader(http.StatusFound)
}

// link is a signed URL of a log's text.
func (s *Server) link(jobID int64) string {
	path := "actions-results/" + strconv.FormatInt(jobID, 10) + "/logs/job/job-logs.txt"
	expiry := s.now().Add(s.linkTTL).UTC().Format(linkTime)
	q := url.Values{
		"rsct": {"text/plain"},
		"se":   {expiry},
		"sig":  {s.linkSignature(jobID, expiry)},
		"sp":   {"r"},
		"sr":   {"b"},
		"sv":   {"2024-11-04"},
	}
	return s.BlobURL() + path + "?" + q.Encode()
}

func (s *Server) linkSignature(jobID int64, expiry string) string {
	m := hmac.New(sha256.New, s.mac("link"))
	m.Write(strconv.AppendInt(nil, jobID, 10))
	m.Write([]byte("\n" + expiry))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// linkValid tells whether a link is ours and still alive.
func (s *Server) linkValid(r *http.Request) bool {
	q := r.URL.Query()
	want := s.linkSignature(pathInt(r, "job_id"), q.Get("se"))
	if !hmac.Equal([]byte(q.Get("sig")), []byte(want)) {
		return false
	}
	expiry, err := time.Parse(linkTime, q.Get("se"))
	return err == nil && s.now().Before(expiry)
}
