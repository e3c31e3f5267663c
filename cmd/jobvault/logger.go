package main

import (
	"io"
	"log/slog"
)

// quietLogger is for commands whose output is what they print: warnings only.
func quietLogger(c config, w io.Writer) *slog.Logger {
	c.level = max(c.level, slog.LevelWarn)
	return newLogger(c, w)
}

// newLogger is jobvault's own log, on standard error.
func newLogger(c config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.level}
	if c.LogFormat == "json" {
		if isTerminal(w) {
			w = terminalJSON{w}
		}
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
