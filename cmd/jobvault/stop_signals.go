package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// withStopSignals is a context that ends when somebody wants the process to stop: by
// Ctrl-C, by SIGTERM, or because its terminal is gone. Of the first two a second one ends
// the process at once; a terminal that goes may well say so twice, once through the shell.
func withStopSignals(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		hangups := make(chan os.Signal, 1)
		signal.Notify(hangups, syscall.SIGHUP)
		go func() {
			<-hangups
			cancel()
		}()
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, cancel
}
