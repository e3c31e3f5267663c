package lookup

import (
	"io"
	"maps"
	"net/http"
	"time"
)

// stallTime is how long a client may accept none of the bytes that it is sent, as far as
// can be seen from here: a writer can write again when a third of its socket's buffer is
// free, and the client's machine asks for more when a sixteenth of its own buffer is. A
// slow client must be given the time for that much.
const stallTime = 5 * time.Minute

// deadlineWriter postpones the deadline whenever the client accepts bytes: an answer may
// take as long as it needs, as long as it makes progress.
type deadlineWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
}

func newDeadlineWriter(w http.ResponseWriter, stall time.Duration) deadlineWriter {
	return deadlineWriter{w, http.NewResponseController(w), stall}
}

func (d deadlineWriter) Write(b []byte) (int, error) {
	// It fails only for a writer that is not net/http's, which has no deadline.
	_ = d.control.SetWriteDeadline(time.Now().Add(d.stall))
	return d.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (d deadlineWriter) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// Stream wraps the writer of an answer that is made while it is sent: what is written
// goes out at once, and the client may take as long as it needs, as long as it makes
// progress.
func Stream(w http.ResponseWriter) io.Writer {
	return stream{newDeadlineWriter(w, stallTime)}
}

type stream struct{ deadlineWriter }

func (s stream) Write(b []byte) (int, error) {
	n, err := s.deadlineWriter.Write(b)
	if err == nil {
		err = s.control.Flush()
	}
	return n, err
}

// lateHeader is an answer whose status and header are sent with the first byte of the
// body: until then, another answer can still be given.
type lateHeader struct {
	deadlineWriter
	status int
	header http.Header // of the answer; an error has its own
	begun  bool        // the answer has: nothing else can be said
}

// begin sends status and header, once.
func (l *lateHeader) begin() {
	if !l.begun {
		l.begun = true
		maps.Copy(l.Header(), l.header)
		l.WriteHeader(l.status)
	}
}

func (l *lateHeader) Write(b []byte) (int, error) {
	l.begin()
	return l.deadlineWriter.Write(b)
}
