// Package joblog reads the text of a GitHub Actions job log, as pure functions.
//
// A line is "2024-07-08T16:48:09.3750041Z message": seven digits of a second.
// Lines without a timestamp exist (a message with newlines in it), as do byte
// order marks at the start and in the middle, CRLF, ANSI colours and lines of
// hundreds of kilobytes. None of it is an error: every byte sequence is a log.
package joblog

import (
	"bytes"
	"time"
)

// stampLen is the length of a timestamp with the space after it.
const stampLen = len("2006-01-02T15:04:05.0000000Z ")

const stampLayout = "2006-01-02T15:04:05.0000000Z "

var byteOrderMark = []byte("\ufeff")

// Line is one line of a log, taken apart.
type Line struct {
	Time time.Time // zero: the line has no timestamp
	Text []byte    // without timestamp, byte order mark and line end
}

// ParseLine takes a line apart, with or without its line end. Text is part of
// b. It never fails: what has no timestamp is all text.
func ParseLine(b []byte) Line {
	b = bytes.TrimSuffix(b, []byte("\n"))
	b = bytes.TrimSuffix(b, []byte("\r"))
	b = bytes.TrimPrefix(b, byteOrderMark)
	if len(b) >= stampLen-1 && b[4] == '-' && b[10] == 'T' && b[stampLen-2] == 'Z' {
		stamp := b[:stampLen-1]
		if t, err := time.Parse(stampLayout[:stampLen-1], string(stamp)); err == nil {
			return Line{Time: t, Text: bytes.TrimPrefix(b[stampLen-1:], []byte(" "))}
		}
	}
	return Line{Text: b}
}

// SplitLine cuts a line, with or without its line end, into its timestamp, which may be
// empty, and ParseLine's Text. It makes no time of most timestamps.
func SplitLine(b []byte) (stamp, text []byte) {
	b = bytes.TrimSuffix(b, []byte("\n"))
	b = bytes.TrimSuffix(b, []byte("\r"))
	b = bytes.TrimPrefix(b, byteOrderMark)
	if len(b) < stampLen-1 || b[stampLen-2] != 'Z' {
		return nil, b
	}
	if !plainStamp(b[:stampLen-1]) && ParseLine(b).Time.IsZero() {
		return nil, b
	}
	return b[:stampLen-1], bytes.TrimPrefix(b[stampLen-1:], []byte(" "))
}

// plainStamp tells a timestamp that is one on any day of a month that all have.
func plainStamp(b []byte) bool {
	const shape = "0000-00-00T00:00:00.0000000Z"
	for i, c := range []byte(shape) {
		if digit := b[i]-'0' <= 9; digit != (c == '0') || !digit && b[i] != c {
			return false
		}
	}
	two := func(i int) byte { return (b[i]-'0')*10 + b[i+1] - '0' }
	month, day := two(5), two(8)
	return month-1 < 12 && day-1 < 28 && two(11) < 24 && two(14) < 60 && two(17) < 60
}
