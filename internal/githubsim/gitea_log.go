package githubsim

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
)

// getGiteaLog answers with a log's text itself: what there is of it while the job runs, and
// of a cancelled job until its rest has come.
func (s *Server) getGiteaLog(c *call, j Job) {
	switch log, ok := s.world.giteaLog(j.ID); {
	case s.world.logExpired(j.ID):
		s.apiError(c.w, http.StatusNotFound, "logs have been cleaned up", "")
	case !ok:
		s.apiError(c.w, http.StatusNotFound, "job not started", "")
	default:
		h := c.w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fmt.Sprintf("%s-%s-%d.log", "checks", j.Name, j.ID)}))
		http.ServeContent(c.w, c.r, "", time.Time{}, &logSeeker{log: log})
	}
}

// giteaLog is what there is of a job's log now. It counts the request for LogAvailableAt.
func (w *world) giteaLog(jobID int64) (Log, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	j := w.jobs[jobID]
	if w.late[jobID] > 0 {
		w.late[jobID]--
		return Log{}, false
	}
	if !j.Log.Exists() {
		return Log{}, false
	}
	switch {
	case j.Status == "completed" && (j.LogCutAt == 0 || w.whole[jobID]):
		return j.Log, true
	case j.Status == "completed" || j.Status == "in_progress" && j.LogCutAt > 0:
		return j.Log.upTo(j.LogCutAt), true
	case j.Status == "in_progress":
		return j.Log.upTo(j.Log.Size() / 2), true
	}
	return Log{}, false
}

// CompleteLog has the rest of a log be there that Job.LogCutAt cut off, as when its runner
// has sent it. The last `completed` of a job's Deliveries does so by itself when it is
// sent.
func (s *Server) CompleteLog(jobID int64) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.whole[jobID] = true
}

// upTo is the log's first n bytes, or all of them.
func (l Log) upTo(n int64) Log {
	if n >= l.Size() {
		return l
	}
	text := make([]byte, n)
	io.ReadFull(l.Reader(), text)
	return TextLog(text)
}

// logSeeker lets a part of a log be asked for. Going back reads it anew.
type logSeeker struct {
	log Log
	r   io.Reader // nil: it is to be read from at
	at  int64
}

func (s *logSeeker) Read(p []byte) (int, error) {
	if s.r == nil {
		s.r = s.log.Reader()
		if _, err := io.CopyN(io.Discard, s.r, s.at); err != nil {
			return 0, err
		}
	}
	n, err := s.r.Read(p)
	s.at += int64(n)
	return n, err
}

func (s *logSeeker) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.log.Size()
	}
	if offset < 0 {
		return 0, errors.New("githubsim: before the beginning of a log")
	}
	s.at, s.r = offset, nil
	return offset, nil
}
