package ingest

import (
	"context"
	"log/slog"
)

// riverLogHandler passes on River's warnings and errors only. What River logs of a failed
// job, the archive worker has logged already, under GitHub's id of the job.
type riverLogHandler struct{ slog.Handler }

func (q riverLogHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}

func (q riverLogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return riverLogHandler{q.Handler.WithAttrs(attrs)}
}
func (q riverLogHandler) WithGroup(name string) slog.Handler {
	return riverLogHandler{q.Handler.WithGroup(name)}
}
