package localpg

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// account is the operating system's user that Postgres runs as. Nil is our own.
// Postgres refuses to run as root, so for root it is another user.
type account struct{ uid, gid uint32 }

// accountFor chooses who runs the cluster: who owns it, so that root can also
// serve what a user has made, else the user postgres, else nobody.
func accountFor(cluster string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	if info, err := os.Stat(cluster); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
			return &account{st.Uid, st.Gid}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if uerr == nil && gerr == nil && uid != 0 {
			return &account{uint32(uid), uint32(gid)}, nil
		}
	}
	return nil, errors.New("the server postgres does not run as root, and there is no user postgres or nobody to run it as")
}

// own gives the file or directory at path, and all within, to the account.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, int(a.uid), int(a.gid))
	})
}

// apply has cmd run as the account, in a session of its own: neither a Ctrl-C
// on our terminal nor our death reaches it. Of our environment, which holds
// secrets, it gets next to nothing.
func (a *account) apply(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	cmd.Dir = "/" // ours may be closed to the account
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC"}
	for _, kv := range os.Environ() {
		switch name, _, _ := strings.Cut(kv, "="); name {
		case "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH":
			cmd.Env = append(cmd.Env, kv)
		}
	}
}

// handOver gives cmd an open file and returns a name by which cmd can open it,
// whatever the folders on the way to it allow.
func handOver(cmd *exec.Cmd, f *os.File) string {
	cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	return descriptors + "/" + strconv.Itoa(2+len(cmd.ExtraFiles))
}

// handOverDir is handOver for a cluster directory. The account may be unable
// to walk there (below /root, or a temporary folder of mode 0700). Where
// descriptors allow it, the programs then reach it by an inherited one; the
// working directory would not do, as the programs leave it for a moment and
// cannot come back by its path.
func (a *account) handOverDir(cmd *exec.Cmd, dir *os.File) string {
	if a == nil || !dirsByDescriptor {
		return dir.Name()
	}
	return handOver(cmd, dir)
}

// takeOver gives a cluster of root's to the account, such as one restored from
// an archive, and closes it to others, on which Postgres insists.
func (a *account) takeOver(cluster string) error {
	if err := os.Chmod(cluster, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(cluster)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); a == nil || !ok || st.Uid == a.uid {
		return nil
	}
	return a.own(cluster)
}
