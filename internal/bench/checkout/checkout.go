// Package checkout builds programs of an earlier commit, to be measured beside those of
// today.
package checkout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// ErrNoCommit says that the clone does not have the commit, as one that was made with
// --depth does not have old ones.
var ErrNoCommit = errors.New("this clone has no such commit; of a shallow one, git fetch --unshallow gets the rest")

// Checkout is the files of one commit.
type Checkout struct {
	Commit string // its whole hash
	dir    string
}

// New puts the files of a commit, by any name that git knows, into dir, which must not exist
// yet; to remove that folder is the caller's. It changes nothing in the repository, which is
// that of the folder repository, and fails with ErrNoCommit.
func New(ctx context.Context, repository, commit, dir string) (*Checkout, error) {
	top, err := git(ctx, "-C", repository, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	id, err := git(ctx, "-C", top, "rev-parse", "--verify", "--quiet", "--end-of-options", commit+"^{commit}")
	if exit := new(exec.ExitError); errors.As(err, &exit) && len(exit.Stderr) == 0 {
		return nil, fmt.Errorf("commit %s: %w", commit, ErrNoCommit)
	} else if err != nil {
		return nil, err
	}
	// It has the objects of the repository, and not copies of them.
	if _, err := git(ctx, "clone", "--quiet", "--shared", "--no-checkout", top, dir); err != nil {
		return nil, err
	}
	_, err = git(ctx, "-C", dir, "checkout", "--quiet", "--detach", id)
	return &Checkout{Commit: id, dir: dir}, err
}

// Build makes the program of a folder, such as ./cmd/jobvault. What it compiles stays in Go's
// cache, so that the next one of the same commit takes seconds.
func (c *Checkout) Build(ctx context.Context, folder, program string) error {
	// With paths, the cache would know nothing of what another folder compiled.
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, folder)
	build.Dir = c.dir
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build %s of the commit: %w", folder, err)
	}
	return nil
}

func git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		err = fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}
