package main

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// What tests log about the server that they ran on.
const (
	logsVersion = "store version: "
	logsLack    = "store lacks: "
)

// storeNames are what readers of the table know servers by.
var storeNames = map[string]string{
	"minio": "MinIO", "versitygw": "versitygw over http", "versitygw-tls": "versitygw over TLS", "rclone": "rclone `serve s3`",
}

// tryStores runs the conformance suite of archive/bucket, and a day of jobs, on each S3
// server that internal/testenv knows.
func tryStores(ctx context.Context, o options) ([]row, error) {
	env := []string{"JOBVAULT_TEST_STORES=" + o.servers}
	suite, err := goTest(ctx, env, "./archive/bucket")
	day, derr := goTest(ctx, env, "./ingest", "-run=^TestDay$")
	outcomes := slices.Concat(suite, day)
	rows := storeRows(outcomes)
	if err = errors.Join(err, derr); err == nil && len(rows) == 0 {
		err = errors.New("no test of a server ran")
	}
	if rest := failures(slices.DeleteFunc(outcomes, func(o outcome) bool { return strings.Contains(o.test, "/") })); len(rest) > 0 && !slices.ContainsFunc(rows, row.hasFailed) {
		err = errors.Join(err, errors.New(strings.Join(rest, "; "))) // what is no server's
	}
	return rows, err
}

// hasFailed says whether something failed.
func (r row) hasFailed() bool { return strings.HasPrefix(r.result, failed) }

// storeRows are the servers' rows, in the order in which they came. A test of a server is the
// subtest with its name; a folder, which is none, has a row only if it failed.
func storeRows(outcomes []outcome) (rows []row) {
	byServer := make(map[string][]outcome)
	var servers []string
	for _, o := range outcomes {
		_, server, ok := strings.Cut(o.test, "/")
		if server, _, _ = strings.Cut(server, "/"); !ok {
			continue
		}
		if byServer[server] == nil {
			servers = append(servers, server)
		}
		byServer[server] = append(byServer[server], o)
	}
	for _, server := range servers {
		r := storeRow(byServer[server])
		if r.name = storeNames[server]; r.name == "" {
			r.name = server
		}
		if r.version != "" || r.result != "pass" {
			rows = append(rows, r)
		}
	}
	return rows
}

// storeRow is the row of a server, without its name. A test that is skipped for something
// else than what the server lacks means that there is no server.
func storeRow(outcomes []outcome) row {
	r := row{kind: "S3", result: "pass"}
	var lacks []string
	for _, o := range outcomes {
		lacking := false
		for _, line := range o.output {
			if _, version, ok := strings.Cut(line, logsVersion); ok {
				r.version = strings.TrimSpace(version)
			}
			if _, lack, ok := strings.Cut(line, logsLack); ok {
				lacks, lacking = append(lacks, strings.TrimSpace(lack)), true
			}
		}
		if o.action == "skip" && !lacking {
			r.result = notTried + o.reason()
		}
	}
	if names := failures(outcomes); len(names) > 0 {
		r.result = failed + strings.Join(names, "; ")
	}
	slices.Sort(lacks)
	r.lacks = orNothing(slices.Compact(lacks))
	return r
}

// orNothing is a list in a cell.
func orNothing(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, "; ")
}
