package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// canAsk reports whether a person can see a question and answer it.
func canAsk(e *environment) bool {
	return isTerminal(e.stderr) && term.IsTerminal(int(os.Stdin.Fd()))
}

// ask asks a question on standard error, and reports whether the answer is yes. No answer
// is no.
func ask(ctx context.Context, e *environment, question string) (bool, error) {
	fmt.Fprint(e.stderr, question)
	answer := make(chan string, 1)
	failed := make(chan error, 1)
	go func() {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			failed <- err
			return
		}
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case text := <-answer:
		return text == "y" || text == "yes", nil
	case err := <-failed:
		return false, fmt.Errorf("read the answer: %w", err)
	case <-ctx.Done():
		fmt.Fprintln(e.stderr)
		return false, ctx.Err()
	}
}
