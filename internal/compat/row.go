package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// row is a line of the table.
type row struct {
	kind    string // S3, Postgres, reader
	name    string // unique within its kind
	version string
	result  string
	lacks   string
}

// How results begin that are none.
const (
	failed   = "FAILED: "
	notTried = "not tried: "
)

// notTriedHere is before what this machine has not tried, at the end of what a row lacks.
const notTriedHere = "not tried here: "

// tableHead begins the table.
const tableHead = "| what | name | version | result | lacks |\n|---|---|---|---|---|"

// String is the row in Markdown.
func (r row) String() string {
	return fmt.Sprintf("| %s | %s | %s | %s | %s |", r.kind, r.name, r.version, cell(r.result), cell(r.lacks))
}

// cell is text that does not end the cell that it is in.
func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\n", " "), "|", `\|`)
}

// parseRow reads what String wrote. Ok is false for a line that is no row.
func parseRow(line string) (r row, ok bool) {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "| ") || !strings.HasSuffix(line, " |") {
		return row{}, false
	}
	cells := strings.Split(line[2:len(line)-2], " | ")
	if len(cells) != 5 || cells[0] == "what" {
		return row{}, false
	}
	for i := range cells {
		cells[i] = strings.ReplaceAll(strings.TrimSpace(cells[i]), `\|`, "|")
	}
	return row{cells[0], cells[1], cells[2], cells[3], cells[4]}, true
}

// finish says what is wrong, then prints the table. It fails if something is wrong: with
// err, with a row, or with what the page says of it.
func finish(out, said io.Writer, rows []row, page []row, err error) error {
	for _, r := range rows {
		switch {
		case strings.HasPrefix(r.result, failed):
			err = errors.Join(err, fmt.Errorf("%s: %s", r.name, r.result))
		case strings.HasPrefix(r.result, notTried) && os.Getenv("CI") == "true":
			err = errors.Join(err, fmt.Errorf("%s: %s", r.name, r.result))
		case !strings.HasPrefix(r.result, notTried):
			err = errors.Join(err, r.against(page))
		}
	}
	if err != nil {
		fmt.Fprintf(said, "\n%s\n", err)
	}
	fmt.Fprintf(out, "\n%s\n", tableHead)
	for _, r := range rows {
		fmt.Fprintln(out, r)
	}
	return err
}
