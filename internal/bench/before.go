package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/jobvault/jobvault/internal/bench/checkout"
)

// beforeSteps is the last commit before steps were aligned with a log's marks, logs told of
// images and of act, and searches saw what people see.
const beforeSteps = "0fc2f4b6f2086c0c3834960b0e57ad636d1bf6d5"

// earlier is the programs of the commit before, as far as they have been built.
type earlier struct {
	dir      string
	files    *checkout.Checkout
	programs map[string]string // by folder
}

// programBefore is the program of a folder, such as ./cmd/jobvault, as it was at the commit
// that this one is compared with. It is built once.
func (l *lab) programBefore(ctx context.Context, folder string) (string, error) {
	e := l.earlier
	if e.files == nil {
		var err error
		if e.dir, err = os.MkdirTemp(l.dir, "before-"); err != nil {
			return "", err
		}
		if e.files, err = checkout.New(ctx, ".", cmp.Or(l.before, beforeSteps), filepath.Join(e.dir, "files")); err != nil {
			return "", err
		}
		e.programs = make(map[string]string)
	}
	if e.programs[folder] == "" {
		program := filepath.Join(e.dir, path.Base(folder))
		if err := e.files.Build(ctx, folder, program); err != nil {
			return "", err
		}
		e.programs[folder] = program
	}
	return e.programs[folder], nil
}

// labBefore is the lab with the jobvault of the commit before.
func (l *lab) labBefore(ctx context.Context) (*lab, error) {
	program, err := l.programBefore(ctx, "./cmd/jobvault")
	before := *l
	before.binary = program
	return &before, err
}

// name is that of the commit before, in the table.
func (e *earlier) name() string { return e.files.Commit[:7] }

// unlessShallow makes a row of the error that the commit before is not in this clone, if no
// figure counts: to see that measurements run, a shallow clone will do.
func (l *lab) unlessShallow(rows []row, err error, what string) ([]row, error) {
	if errors.Is(err, checkout.ErrNoCommit) && l.scale == smoke {
		return append(rows, row{what: what, ours: "–", against: "–", ratio: "–", wanted: fmt.Sprint("not measured: ", err)}), nil
	}
	return rows, err
}
