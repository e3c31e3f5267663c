package localpg

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
)

// The names within a cluster of ours. role is its superuser; database is
// jobvault's own; maintenanceDatabase is made by initdb.
const (
	role                = "jobvault"
	database            = "jobvault"
	maintenanceDatabase = "postgres"
)

const loopback = "127.0.0.1"

// facts is what one has to know to connect; the content of postgres.json.
type facts struct {
	Port     int      `json:"port"`
	Password password `json:"password"`
}

// password prints redacted; it is spelled out in JSON and by a conversion.
type password string

func (password) String() string   { return "redacted" }
func (password) GoString() string { return "redacted" }

func newPassword() password {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	return password(hex.EncodeToString(secret))
}

func (f facts) url(name string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(role, string(f.Password)),
		Host:     net.JoinHostPort(loopback, strconv.Itoa(f.Port)),
		Path:     "/" + name,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// readFacts reads postgres.json; the error wraps fs.ErrNotExist if there is none.
func readFacts(path string) (facts, error) {
	var f facts
	text, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	// The decoder's error is left out: it may quote what it read.
	if json.Unmarshal(text, &f) != nil || f.Password == "" {
		return facts{}, fmt.Errorf("%s is damaged; remove it to have a new password made", path)
	}
	return f, nil
}

// save replaces postgres.json, all or nothing, and waits until it is on disk.
func (f facts) save(path string) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // nothing there any more once renamed
	_, err = tmp.Write(append(text, '\n'))
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return rename(tmp.Name(), path)
}

// rename is os.Rename that is on disk when it returns.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
