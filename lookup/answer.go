package lookup

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/jobvault/jobvault/store"
)

// RedactedHeader is the header of an answer from a redacted copy; its value is
// RedactedNote.
const RedactedHeader = "X-Jobvault-Redacted"

// codingStored is the content coding that whole logs are stored in.
const codingStored = "zstd"

// answer is how a request for a log is answered, before any of the log is read.
type answer struct {
	log    store.JobLog // as Readable gives it
	sel    Selection
	bytes  *byteRange // of the whole log; nil: all that is selected
	coding string     // content coding; empty: none
	status int
	header http.Header
}

// answer decides how a request is answered. It fails with ErrNoStep, or if the database
// does not answer.
func (s *Sender) answer(req *http.Request, log store.JobLog, sel Selection) (answer, error) {
	lines, err := s.Lines(req.Context(), log, sel)
	if err != nil {
		return answer{}, err
	}
	a := answer{log: log, sel: sel, status: http.StatusOK, header: make(http.Header)}
	if sel.IsWhole() {
		a.bytes = rangeOf(req, log)
	}
	if a.bytes == nil {
		a.coding = codingFor(req)
	}
	a.describe()
	if sel.Step != nil {
		a.header.Set(StepLinesHeader, lines.String())
	}
	switch match := req.Header.Get("If-None-Match"); {
	case match != "" && strings.Contains(match, a.header.Get("ETag")):
		a.status = http.StatusNotModified
	case a.bytes != nil:
		a.describeRange()
	}
	return a, nil
}

// hasBody says whether anything of the log is sent.
func (a answer) hasBody() bool {
	return a.status == http.StatusOK || a.status == http.StatusPartialContent
}

// String describes what is sent, in the words of the table reads.
func (a answer) String() string {
	if a.bytes != nil {
		return fmt.Sprintf("bytes %d-%d", a.bytes.from, a.bytes.to)
	}
	return a.sel.String()
}

// describe sets the headers that describe the answer, except those of a range.
func (a answer) describe() {
	h, log := a.header, a.log
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Disposition", fmt.Sprintf(`inline; filename="job-%d.log"`, log.JobID))
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Vary", "Accept-Encoding, Authorization, Cookie")
	h.Set("ETag", etag(log, a.sel, a.coding))
	h.Set("Last-Modified", log.ArchivedAt.UTC().Format(http.TimeFormat))
	if a.coding != "" {
		h.Set("Content-Encoding", a.coding)
	}
	if note := RedactedNote(log); note != "" {
		h.Set(RedactedHeader, note)
	}
	switch {
	case !a.sel.IsWhole():
	case a.coding == "":
		h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(log.SHA256)+":")
		h.Set("Accept-Ranges", "bytes")
		h.Set("Content-Length", strconv.FormatInt(*log.RawBytes, 10))
	case a.coding == codingStored:
		h.Set("Content-Length", strconv.FormatInt(LayoutOf(log).StoredSize(), 10))
	}
}

// describeRange sets the status of an answer with a range of bytes, and its headers.
func (a *answer) describeRange() {
	if a.bytes.from >= *a.log.RawBytes {
		a.header.Set("Content-Range", fmt.Sprintf("bytes */%d", *a.log.RawBytes))
		a.header.Set("Content-Length", "0")
		a.status = http.StatusRequestedRangeNotSatisfiable
		return
	}
	a.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", a.bytes.from, a.bytes.to, *a.log.RawBytes))
	a.header.Set("Content-Length", strconv.FormatInt(a.bytes.size(), 10))
	a.status = http.StatusPartialContent
}

// codingFor is the content coding to answer with; empty: none.
func codingFor(req *http.Request) string {
	takes := make(map[string]bool)
	for accepted := range strings.SplitSeq(req.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.ToLower(strings.TrimSpace(accepted)), ";")
		takes[strings.TrimSpace(name)] = !weightOfNone.MatchString(weight)
	}
	switch {
	case takes[codingStored]:
		return codingStored
	case takes["gzip"]:
		return "gzip"
	}
	return ""
}

// weightOfNone is the weight of a coding that the client does not accept.
var weightOfNone = regexp.MustCompile(`^\s*q\s*=\s*0(\.0*)?\s*$`)

// etag is made of the log's digest, what is selected of it, and the coding that it is
// sent in.
func etag(log store.JobLog, sel Selection, coding string) string {
	tag := hex.EncodeToString(log.SHA256)
	if !sel.IsWhole() {
		tag += "-" + strings.ReplaceAll(sel.String(), " ", "-")
	}
	if coding != "" {
		tag += "-" + coding
	}
	return `"` + tag + `"`
}

// byteRange is bytes of a log, from 0 and inclusive.
type byteRange struct{ from, to int64 }

func (r byteRange) size() int64 { return r.to - r.from + 1 }

var oneRange = regexp.MustCompile(`^bytes=(\d{0,18})-(\d{0,18})$`)

// rangeOf returns the range of bytes that a request asks for; nil: all of the log. A
// request for several ranges gets all of it too, because each range would be another
// reading of the bucket, and so does one for a range of another log than this one. RFC
// 9110 allows both.
func rangeOf(req *http.Request, log store.JobLog) *byteRange {
	m := oneRange.FindStringSubmatch(req.Header.Get("Range"))
	if m == nil || m[1] == "" && m[2] == "" {
		return nil
	}
	if condition := req.Header.Get("If-Range"); condition != "" && condition != etag(log, Selection{}, "") {
		return nil
	}
	size := *log.RawBytes
	from, errFrom := strconv.ParseInt(m[1], 10, 64)
	to, errTo := strconv.ParseInt(m[2], 10, 64)
	switch {
	case errFrom != nil && to > 0 && size > 0: // bytes=-N: the last N
		return &byteRange{max(size-to, 0), size - 1}
	case errFrom != nil:
		return nil
	case errTo != nil || to >= size:
		to = max(size-1, from)
	case to < from:
		return nil
	}
	return &byteRange{from, to}
}
