package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// The pages that error answers point to.
const (
	docsREST = "https://docs.github.com/rest"
	docsJobs = docsREST + "/actions/workflow-jobs"
)

const notFound = "Not Found"

// errorBody is the body of an error, as GitHub's.
type errorBody struct {
	Message          string `json:"message"`
	DocumentationURL string `json:"documentation_url"`
	Status           string `json:"status"`
}

func (c *call) fail(status int, message string) {
	h := c.w.Header()
	h.Set("Cache-Control", "no-store")
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="jobvault"`)
	}
	c.write(status, errorBody{message, c.docs, strconv.Itoa(status)})
}

// answer answers 200, or 304 if the caller has this answer already.
func (c *call) answer(v any) {
	b := encode(v)
	digest := sha256.Sum256(b)
	h := c.w.Header()
	h.Set("ETag", `"`+hex.EncodeToString(digest[:])+`"`)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Vary", "Authorization, Cookie")
	if match := c.req.Header.Get("If-None-Match"); strings.Contains(match, h.Get("ETag")) {
		c.w.WriteHeader(http.StatusNotModified)
		return
	}
	c.send(http.StatusOK, b)
}

func (c *call) write(status int, v any) { c.send(status, encode(v)) }

func (c *call) send(status int, b []byte) {
	h := c.w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(b) // the client may be gone
}

// encode cannot fail, because it encodes only texts, numbers and times of this package.
// JSON escapes control characters; a program that shows the texts has to make them
// harmless, see docs/design.md#security.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
