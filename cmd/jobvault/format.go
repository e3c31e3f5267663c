package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// This file is how commands print values for people.

// formatBytes is a size in binary units; a negative one is 0.
func formatBytes(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// formatTime is a time in UTC, to the second.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// orEmpty is a text that may be NULL; NULL is empty.
func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// formatDate is the day of a time, in UTC; nil is empty.
func formatDate(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02")
}

// plain makes a name from outside safe for a terminal and a table.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, s)
}

// plainLines is plain for texts of several lines, such as errors, which repeat what
// comes from outside.
func plainLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = plain(strings.ReplaceAll(lines[i], "\t", " "))
	}
	return strings.Join(lines, "\n")
}
