package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// pagePath is the page that says what jobvault works with. Commands of this repository run
// in its root, as make does.
const pagePath = "docs/compatibility.md"

// readPage returns the rows of the page.
func readPage() ([]row, error) {
	text, err := os.ReadFile(pagePath)
	if err != nil {
		return nil, err
	}
	rows := rowsOf(string(text))
	if len(rows) == 0 {
		return nil, errors.New(pagePath + " has no rows")
	}
	return rows, nil
}

// rowsOf are the rows in a text.
func rowsOf(text string) (rows []row) {
	for line := range strings.Lines(text) {
		if r, ok := parseRow(line); ok {
			rows = append(rows, r)
		}
	}
	return rows
}

// against is an error if the page says otherwise. Versions are this machine's, and so is
// what was not tried.
func (r row) against(page []row) error {
	for _, p := range page {
		if p.kind != r.kind || p.name != r.name {
			continue
		}
		if lacks, said := withoutHere(r.lacks), withoutHere(p.lacks); r.result != p.result || lacks != said {
			return fmt.Errorf("%s is otherwise than %s says:\n  %s\n  %s", r.name, pagePath, r, p)
		}
		return nil
	}
	return fmt.Errorf("%s has no row of %s:\n  %s", pagePath, r.name, r)
}

// withoutHere is what a row lacks on any machine.
func withoutHere(lacks string) string {
	lacks, _, _ = strings.Cut(lacks, notTriedHere)
	return strings.TrimSuffix(strings.TrimSpace(lacks), ";")
}
