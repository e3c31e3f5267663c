package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

// nothingYet is the error of a command that finds no archive where the settings say that
// it is: most likely, this is another folder than is meant.
func (c config) nothingYet() error {
	if entries, err := os.ReadDir(filepath.Join(c.bucketDir(), "v1")); c.BucketURL == "" && err == nil && len(entries) > 0 {
		return fmt.Errorf("%s has a bucket and no database: jobvault rebuild makes the database from the bucket", c.dataDir)
	}
	return fmt.Errorf("nothing is archived in %s: jobvault serve begins an archive there; another one is named by --data-dir or JOBVAULT_DATABASE_URL, or asked with --server (by jobs, log, grep and uses)", c.dataDir)
}

// checkBucketMade fails for a command that knows an archive by its bucket alone, where that
// is a directory that nobody has made: opening it would make it, and find nothing wrong.
func (c config) checkBucketMade(n needs) error {
	if n.database != noDatabase {
		return nil
	}
	dir := c.bucketDir()
	if c.BucketURL != "" {
		u, err := url.Parse(c.BucketURL)
		if err != nil {
			return c.badSecret("JOBVAULT_BUCKET_URL", "want a URL")
		}
		if u.Scheme != "file" {
			return nil
		}
		dir = filepath.FromSlash(u.Path)
	}
	_, err := os.Stat(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return nil // what else is wrong, opening it tells
	}
	if c.BucketURL == "" {
		return c.nothingYet()
	}
	return fmt.Errorf("%s: there is no directory %s", c.Given.setting("JOBVAULT_BUCKET_URL"), dir)
}

// refuseServer fails if the environment names a server that the command would not ask: it
// would read the archive of this machine's settings instead, or change that one.
func (e *environment) refuseServer() error {
	server := os.Getenv("JOBVAULT_SERVER")
	if server == "" || e.given["server"] != "" { // --server= is how to mean the database
		return nil
	}
	return usageError{fmt.Errorf("JOBVAULT_SERVER=%q: %s cannot ask a server, only the database and bucket of the settings: unset it to have that", redactedURL(server), e.command)}
}
