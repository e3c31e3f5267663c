// Package joblog reads the text of a GitHub Actions job log, as pure functions.
//
// A line is "2024-07-08T16:48:09.3750041Z message": seven digits of a second.
// Lines without a timestamp exist (a message with newlines in it), as do byte
// order marks at the start and in the middle, CRLF, ANSI colours and lines of
// hundreds of kilobytes. None of it is an error: every byte sequence is a log.
//
// An Indexer reads a log once. Its Index says what the job used, and has the marks from
// which AlignSteps tells later which lines are which step's.
package joblog

import (
	"bytes"
	"encoding/binary"
	"time"
)

// StampLen is the length of a timestamp with the space after it.
const StampLen = len("2006-01-02T15:04:05.0000000Z ")

const stampLayout = "2006-01-02T15:04:05.0000000Z "

const byteOrderMark = "\ufeff"

// MaxPrefix is how many bytes a line has before its text at most: a byte order mark and
// a timestamp.
const MaxPrefix = StampLen + len(byteOrderMark)

// Line is one line of a log, taken apart.
type Line struct {
	Time time.Time // zero: the line has no timestamp
	Text []byte    // without timestamp, byte order mark and line end
}

// ParseLine takes a line apart, with or without its line end. Text is part of
// b. It never fails: what has no timestamp is all text.
func ParseLine(b []byte) Line {
	b = withoutMark(withoutCR(bytes.TrimSuffix(b, []byte("\n"))))
	if len(b) >= StampLen-1 && hasStampShape(b) {
		stamp := b[:StampLen-1]
		if t, err := time.Parse(stampLayout[:StampLen-1], string(stamp)); err == nil && !t.IsZero() {
			return Line{Time: t, Text: bytes.TrimPrefix(b[StampLen-1:], []byte(" "))}
		}
	}
	return Line{Text: b}
}

// SplitLine cuts a line, with or without its line end, into its timestamp, which may be
// empty, and ParseLine's Text. It makes no time of most timestamps.
func SplitLine(b []byte) (stamp, text []byte) {
	b = withoutMark(withoutCR(bytes.TrimSuffix(b, []byte("\n"))))
	if len(b) < StampLen-1 || b[StampLen-2] != 'Z' {
		return nil, b
	}
	if !hasStamp(b) {
		return nil, b
	}
	return b[:StampLen-1], bytes.TrimPrefix(b[StampLen-1:], []byte(" "))
}

// hasStamp tells whether a line of at least StampLen-1 bytes begins with a timestamp. It
// makes no time of most.
func hasStamp(b []byte) bool { return PlainStamp(b) || !ParseLine(b).Time.IsZero() }

// withoutMark is a line without the byte order mark of its beginning.
func withoutMark(b []byte) []byte {
	if hasPrefix(b, byteOrderMark) {
		return b[len(byteOrderMark):]
	}
	return b
}

// withoutCR is a line without the carriage return of its end.
func withoutCR(b []byte) []byte {
	if last := len(b) - 1; last >= 0 && b[last] == '\r' {
		return b[:last]
	}
	return b
}

// PlainStamp tells whether b, of at least StampLen-1 bytes, begins with a timestamp that is one on any day of a month
// that all have, of a year that has four digits.
func PlainStamp(b []byte) bool {
	return hasStampShape(b) && b[0] != '0' &&
		twoDigits(b[5:])-1 < 12 && twoDigits(b[8:])-1 < 28 && twoDigits(b[11:]) < 24 && twoDigits(b[14:]) < 60 && twoDigits(b[17:]) < 60
}

// hasStampShape tells whether b begins with digits and signs as timestamps do; time.Parse
// takes others too. It looks at eight bytes at a time.
func hasStampShape(b []byte) bool {
	_ = b[StampLen-2]
	const last = StampLen - 1 - 8
	return stampParts[0].fits(b) && stampParts[1].fits(b[8:]) && stampParts[2].fits(b[16:]) && stampParts[3].fits(b[last:])
}

func twoDigits(b []byte) byte { return (b[0]-'0')*10 + b[1] - '0' }

// stampParts are those of "0000-00-00T00:00:00.0000000Z", the last one from the end.
var stampParts = [...]stampPart{newStampPart("0000-00-"), newStampPart("00T00:00"), newStampPart(":00.0000"), newStampPart("0000000Z")}

// stampPart is the shape of eight bytes: digits, and signs that are as they are.
type stampPart struct {
	mask, want uint64 // of the bits that all digits share, and of the signs
	six        uint64 // what, added to digits, must not carry into these bits
}

func newStampPart(shape string) (p stampPart) {
	for i, c := range []byte(shape) {
		mask, six := uint64(0xff), uint64(0)
		if c == '0' {
			mask, six = 0xf0, 6
		}
		p.mask |= mask << (8 * i)
		p.want |= uint64(c) << (8 * i)
		p.six |= six << (8 * i)
	}
	return p
}

func (p stampPart) fits(b []byte) bool {
	v := binary.LittleEndian.Uint64(b)
	return v&p.mask == p.want && (v+p.six)&p.mask == p.want
}
