package localpg

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// tools returns who runs the cluster, and with which binaries. The cluster, if
// there is one, belongs to that account afterwards.
func (s *Server) tools(ctx context.Context) (*account, binaries, error) {
	cluster := s.paths.cluster()
	acct, err := accountFor(cluster)
	if err != nil {
		return nil, binaries{}, err
	}
	major, err := clusterMajor(cluster)
	if err != nil {
		return nil, binaries{}, err
	}
	if major != 0 {
		if err := acct.takeOver(cluster); err != nil {
			return nil, binaries{}, err
		}
	}
	programs := s.conf.programs
	if s.conf.BinDir != "" {
		dir, err := filepath.Abs(s.conf.BinDir)
		if err != nil {
			return nil, binaries{}, err
		}
		programs = &catalogue{first: []string{dir}}
	}
	bin, rejected := programs.find(ctx, acct, major)
	if bin.dir != "" {
		return acct, bin, nil
	}
	if err := ctx.Err(); err != nil { // then it says nothing that none was found
		return nil, binaries{}, err
	}
	if programs.cache == "" {
		if s.conf.BinDir != "" {
			rejected = append(rejected, "only "+s.conf.BinDir+" was looked at")
		}
		return nil, binaries{}, noBinaries(major, rejected, nil)
	}
	s.conf.Logger.Info("no suitable PostgreSQL on this machine, fetching one", "from", programs.repository, "to", programs.cache)
	if bin, err = programs.fetch(ctx, acct, major); err != nil {
		return nil, binaries{}, noBinaries(major, rejected, err)
	}
	return acct, bin, nil
}

// noBinaries says what is missing, why what was found does not do, what helps,
// and why none were fetched if that was tried.
func noBinaries(major int, rejected []string, fetch error) error {
	var text strings.Builder
	debian, homebrew := "postgresql", fetchMajor
	if major == 0 {
		fmt.Fprintf(&text, "version %d or later is needed", oldestMajor)
	} else {
		fmt.Fprintf(&text, "the cluster was made by version %d, which alone can run it", major)
		debian, homebrew = fmt.Sprintf("postgresql-%d", major), major
	}
	for _, why := range rejected {
		text.WriteString("; " + why)
	}
	fmt.Fprintf(&text, "; install it (Debian, Ubuntu: apt install %s; Homebrew: brew install postgresql@%d)"+
		" or set JOBVAULT_DATABASE_URL to a Postgres of yours", debian, homebrew)
	if fetch != nil {
		return fmt.Errorf("%w: %s (fetching it failed: %w)", ErrNoBinaries, text.String(), fetch)
	}
	return fmt.Errorf("%w: %s", ErrNoBinaries, text.String())
}
