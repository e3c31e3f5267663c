package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// outputPipe is standard output or standard error where it is a pipe: its reader may end
// before jobvault does, as in `jobvault jobs | head`.
type outputPipe struct {
	file     *os.File
	gone     func(error) // called with readerGone when a write finds no reader
	outlived atomic.Bool
}

// readerGone is why the context of a command ends whose output nobody reads any more.
type readerGone struct{ of *os.File }

func (readerGone) Error() string { return "nobody reads the output any more" }

// openOutput is a file as a command writes to it. If it is a pipe and its reader has
// ended, gone is called with readerGone, which is to stop the command as Ctrl-C does: it
// gives back what it works on, and closes what it has opened, an embedded Postgres too.
func openOutput(f *os.File, gone func(error)) io.Writer {
	info, err := f.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return f // a terminal, a file: a reader of it may come later
	}
	return &outputPipe{file: f, gone: gone}
}

func (p *outputPipe) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	if errors.Is(err, syscall.EPIPE) && !p.outlived.Load() {
		p.gone(readerGone{p.file})
	}
	return n, err
}

// nobodyReads tells whether a command is stopped because its output has lost its reader.
func nobodyReads(ctx context.Context) bool { return errors.As(context.Cause(ctx), &readerGone{}) }

// outlive has a process go on when nobody reads w any more. What it writes then is lost.
func outlive(w io.Writer) {
	if p, ok := w.(*outputPipe); ok {
		p.outlived.Store(true)
	}
}

// keepBrokenPipes has writes to a pipe without a reader fail, where Go would otherwise end
// the process at once if the pipe is standard output or standard error.
func keepBrokenPipes() {
	// Not signal.Ignore: the programs that we start would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}

// dieOfBrokenPipe ends a process that ctx has stopped because nobody reads its output as
// that signal ends any other program: whoever started it, a shell or a script, knows that
// from a failure. Otherwise it returns.
func dieOfBrokenPipe(ctx context.Context) {
	var broken readerGone
	if !errors.As(context.Cause(ctx), &broken) {
		return
	}
	signal.Reset(syscall.SIGPIPE)
	_, _ = broken.of.Write([]byte("\n")) // Go's runtime ends us here
	os.Exit(128 + int(syscall.SIGPIPE))
}
