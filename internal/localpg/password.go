package localpg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// passwordFile returns an open file with the password that the account can
// read. It has no name any more, so it cannot be left behind.
func (s *Server) passwordFile(acct *account) (*os.File, error) {
	f, err := os.CreateTemp(s.paths.dir, "postgres.pw-") // mode 0600
	if err != nil {
		return nil, err
	}
	err = acct.own(f.Name())
	if rerr := os.Remove(f.Name()); err == nil {
		err = rerr
	}
	if err == nil {
		_, err = f.WriteString(string(s.facts.Password) + "\n")
	}
	if err == nil {
		_, err = f.Seek(0, 0) // where /dev/fd/N shares our position
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("password for initdb: %w", err)
	}
	return f, nil
}

// resetPassword gives the role the password in facts, without knowing the one
// it has: postgres.json was lost. Postgres must not be running; in single-user
// mode it asks nobody for a password.
func (s *Server) resetPassword(ctx context.Context) error {
	found, err := s.survivor()
	if err != nil {
		return err
	}
	if found.process != nil {
		return fmt.Errorf("%s is gone, and nobody else knows the password of the Postgres that still runs; stop it first: kill -INT %d",
			s.paths.facts(), found.process.Pid)
	}
	acct, bin, err := s.tools(ctx)
	if err != nil {
		return err
	}
	data, err := os.Open(s.paths.cluster())
	if err != nil {
		return err
	}
	defer data.Close()

	cmd := exec.CommandContext(ctx, bin.postgres(), "--single")
	acct.apply(cmd)
	cmd.Env = append(cmd.Env, found.environment()...)
	cmd.Args = append(cmd.Args, "-D", acct.handOverDir(cmd, data),
		"-c", "exit_on_error=on", // else the exit code says nothing
		"-c", "log_min_error_statement=panic", // else the log would quote the statement
		maintenanceDatabase)
	cmd.Stdin = strings.NewReader(fmt.Sprintf("alter role %s password '%s'\n", role, string(s.facts.Password)))
	s.conf.Logger.Warn("the password of the Postgres cluster was lost, making a new one", "dir", s.paths.cluster())
	return runTool(cmd)
}
