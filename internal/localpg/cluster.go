package localpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// unfinished is how the names of clusters begin that initdb has not finished.
const unfinished = "postgres.new-"

// clusterMajor returns which major version made the cluster, 0 if there is none.
func clusterMajor(cluster string) (int, error) {
	text, err := os.ReadFile(filepath.Join(cluster, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s is no cluster that can be used: its PG_VERSION says %q", cluster, text)
	}
	return major, nil
}

// prepare makes the cluster if there is none, and sees to it that the role has
// the password in facts: newPassword says that the cluster cannot know it yet.
func (s *Server) prepare(ctx context.Context, newPassword bool) error {
	major, err := clusterMajor(s.paths.cluster())
	if err != nil {
		return err
	}
	if major == 0 && s.conf.Existing { // its owner has gone before it was made
		return ErrNoCluster
	}
	if major == 0 {
		// Before the cluster, which would be of no use without its password.
		if err := s.facts.save(s.paths.facts()); err != nil {
			return err
		}
		return s.create(ctx)
	}
	if !newPassword {
		return nil
	}
	if err := s.resetPassword(ctx); err != nil {
		return err
	}
	// After the cluster knows it: if we die between, the next start does it again.
	return s.facts.save(s.paths.facts())
}

// create makes the cluster under another name and moves it in place once it is
// complete: one that was interrupted is never taken for a cluster.
func (s *Server) create(ctx context.Context) error {
	acct, bin, err := s.tools(ctx)
	if err != nil {
		return err
	}
	leftovers, _ := filepath.Glob(filepath.Join(s.paths.dir, unfinished+"*"))
	for _, dir := range leftovers {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp(s.paths.dir, unfinished)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // nothing there any more once renamed
	if err := acct.own(dir); err != nil {
		return err
	}
	s.conf.Logger.Info("making a Postgres cluster", "dir", s.paths.cluster(), "version", bin.major)
	for _, locale := range locales(bin.major) {
		if err = s.initdb(ctx, acct, bin, dir, locale); err == nil {
			return rename(dir, s.paths.cluster())
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return err
}

// locales are the options to try, best first. Text sorts by its bytes, which no
// upgrade of a system library changes, and which lets an index serve LIKE; upper
// and lower case are known beyond ASCII where the system can do that.
func locales(major int) [][]string {
	plain := []string{"--locale=C"}
	if major >= 17 {
		return [][]string{{"--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"}, plain}
	}
	return [][]string{{"--locale=C", "--lc-ctype=C.UTF-8"}, plain}
}

// initdb fills the empty directory dir.
func (s *Server) initdb(ctx context.Context, acct *account, bin binaries, dir string, locale []string) error {
	secret, err := s.passwordFile(acct)
	if err != nil {
		return err
	}
	defer secret.Close()
	data, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer data.Close()

	cmd := exec.CommandContext(ctx, bin.initdb())
	acct.apply(cmd)
	cmd.Args = append(cmd.Args, "-D", acct.handOverDir(cmd, data), "--username="+role,
		"--pwfile="+handOver(cmd, secret), "--auth=scram-sha-256",
		"--encoding=UTF8", "--data-checksums", "--no-instructions")
	cmd.Args = append(cmd.Args, locale...)
	if s.conf.Settings["fsync"] == "off" {
		cmd.Args = append(cmd.Args, "--no-sync")
	}
	return runTool(cmd)
}

// runTool runs one of Postgres's tools to its end; its last words are in the error.
func runTool(cmd *exec.Cmd) error {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second // for children that hold the pipe of a killed parent
	if err := cmd.Run(); err != nil {
		text := bytes.TrimSpace(out.Bytes())
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, text[max(0, len(text)-2<<10):])
	}
	return nil
}
