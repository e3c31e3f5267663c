package rest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/lookup/access"
	"github.com/jobvault/jobvault/store"
)

// linkLife is how long a link to a log is good, as GitHub's.
const linkLife = time.Minute

// getLog is GET …/actions/jobs/{job_id}/logs.
func (c *call) getLog() {
	if reader, d, ok := c.job(); ok {
		c.linkLog(reader, d)
	}
}

// getLogByID is GET /api/v3/jobs/{job_id}/logs.
func (c *call) getLogByID() {
	reader, err := c.Gate.Reader(c.req)
	if err != nil {
		c.answerError(err)
		return
	}
	id := c.number("job_id")
	d, err := c.DB.JobDetails(c.req.Context(), id)
	unknown := errors.Is(err, store.ErrNotFound)
	if unknown {
		// The rule is asked even so, because the time of the answer must reveal nothing.
		// All unknown jobs share one question, whose answer is remembered like one about
		// a repository.
		d.Repository, err = store.Repository{ID: math.MaxInt64}, nil
	}
	may := false
	if err == nil {
		may, err = reader.MayRead(c.req.Context(), d.Repository)
	}
	if err == nil && (unknown || !may) {
		err = store.ErrNotFound
	}
	if err != nil {
		c.answerError(err)
		return
	}
	c.linkLog(reader, d)
}

// linkLog answers 302 to a link to a log that needs no token.
func (c *call) linkLog(reader access.Reader, d store.JobDetails) {
	selection, err := parseSelection(c.req.URL.Query())
	if err != nil {
		c.fail(http.StatusUnprocessableEntity, err.Error())
		return
	}
	if err := lookup.CheckAvailable(d.Log); err != nil {
		c.fail(noLogStatus(d.Log.State), err.Error())
		return
	}
	if _, err := c.Sender.Lines(c.req.Context(), d.Log, selection); errors.Is(err, lookup.ErrNoStep) {
		c.fail(http.StatusNotFound, err.Error())
		return
	} else if err != nil {
		c.answerError(err)
		return
	}
	h := c.w.Header()
	h.Set("Location", c.Base(c.req)+c.signedLink(d.Job.ID, c.req.URL.Query(), reader.Subject))
	h.Set("Cache-Control", "no-store")
	c.w.WriteHeader(http.StatusFound)
}

// noLogStatus returns the status with which GitHub answers for a log that it does not
// have.
func noLogStatus(state string) int {
	if state == store.LogExpired || state == store.LogRemoved {
		return http.StatusGone
	}
	return http.StatusNotFound
}

// parseSelection reads lines=A-B or step=N.
func parseSelection(q url.Values) (lookup.Selection, error) {
	lines, step := q.Get("lines"), q.Get("step")
	switch {
	case lines != "" && step != "":
		return lookup.Selection{}, errors.New("lines and step: only one of them")
	case lines != "":
		p, err := lookup.ParseSelection(lines)
		if err != nil {
			return p, fmt.Errorf("lines=%w", err)
		}
		return p, nil
	case step != "":
		n, err := strconv.ParseInt(step, 10, 64)
		if err != nil || n < 0 {
			return lookup.Selection{}, fmt.Errorf("step=%q: want the number of a step", step)
		}
		return lookup.Selection{Step: &n}, nil
	}
	return lookup.Selection{}, nil
}

// signedLink is a link to the lines or the step that asked names. For linkLife, whoever has
// it can read these, which is recorded as subject's reading.
func (c *call) signedLink(jobID int64, asked url.Values, subject string) string {
	q := url.Values{"expires": {strconv.FormatInt(c.Now().Add(linkLife).Unix(), 10)}, "subject": {subject}}
	for _, name := range []string{"lines", "step"} {
		if asked.Get(name) != "" {
			q.Set(name, asked.Get(name))
		}
	}
	q.Set("signature", c.signature(jobID, q))
	return fmt.Sprintf("/api/v3/logs/%d?%s", jobID, q.Encode())
}

// signature is over all of a link but itself. Encode sorts.
func (c *call) signature(jobID int64, q url.Values) string {
	m := hmac.New(sha256.New, c.key)
	unsigned := url.Values{}
	for name, values := range q {
		if name != "signature" {
			unsigned[name] = values
		}
	}
	fmt.Fprintf(m, "%d?%s", jobID, unsigned.Encode())
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// sendLog is GET of a link that signedLink has made. For an invalid link it says only
// that it is invalid, and not even whether there is such a job.
func (c *call) sendLog() {
	q, id := c.req.URL.Query(), c.number("job_id")
	expires, err := strconv.ParseInt(q.Get("expires"), 10, 64)
	if err != nil || !hmac.Equal([]byte(q.Get("signature")), []byte(c.signature(id, q))) {
		c.fail(http.StatusForbidden, "this link was not made by jobvault, or not for this")
		return
	}
	if c.Now().Unix() >= expires {
		c.fail(http.StatusForbidden, "this link has expired: ask for the log again")
		return
	}
	selection, err := parseSelection(q)
	if err != nil {
		c.fail(http.StatusUnprocessableEntity, err.Error())
		return
	}
	log, err := c.Sender.Find(c.req.Context(), id)
	switch {
	case errors.Is(err, lookup.ErrNoLog): // since the link was made
		c.fail(noLogStatus(log.State), err.Error())
		return
	case err == nil:
		err = c.Sender.Send(c.w, c.req, log, selection, q.Get("subject"))
	}
	switch {
	case errors.Is(err, lookup.ErrBusy):
		c.fail(http.StatusServiceUnavailable, "Too many logs are being read; try again")
	case errors.Is(err, lookup.ErrNoStep):
		c.fail(http.StatusNotFound, err.Error())
	case err != nil:
		c.answerError(err)
	}
}
