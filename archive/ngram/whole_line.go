package ngram

import "github.com/jobvault/jobvault/archive/joblog"

// wholeLine puts a line together that goes over the end of a frame: what is seen of it is
// known only when it has ended.
type wholeLine struct {
	line        []byte
	hasControls bool // what is seen of it may be something else than its text
	tooLong     bool // it has more than maxWholeLine bytes, and line lacks some
}

// maxWholeLine bounds what is held of a line. If a longer one goes over the end of a frame
// and has controls, the frame with its beginning is read by every search.
const maxWholeLine = 64 << 10

// begin begins a line with its first part.
func (w *wholeLine) begin(part []byte) {
	w.line, w.hasControls, w.tooLong = w.line[:0], false, false
	w.add(part)
}

func (w *wholeLine) add(part []byte) {
	controls := joblog.NewControls(part)
	w.hasControls = w.hasControls || controls.Next(0) < len(part)
	if w.tooLong = w.tooLong || len(w.line)+len(part) > maxWholeLine; !w.tooLong {
		w.line = append(w.line, part...)
	}
}
