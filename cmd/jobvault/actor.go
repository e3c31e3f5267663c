package main

import (
	"fmt"
	"os"
	"os/user"
	"strings"
	"unicode/utf8"
)

// actorFlag says who does what is recorded with a name.
type actorFlag struct {
	Actor string `help:"Who does this, for the record. Without it: your user name on this machine." placeholder:"NAME"`
}

// actor is who the flag names, or who runs this.
func (f actorFlag) actor() (string, error) {
	if f.Actor == "" {
		return osUser(), nil
	}
	return f.Actor, checkName("--actor", f.Actor)
}

// osUser is the name of who runs this, or the number.
func osUser() string {
	u, err := user.Current()
	if err != nil {
		return fmt.Sprint(os.Getuid())
	}
	return u.Username
}

// maxReasonRunes bounds a reason, in characters.
const maxReasonRunes = 1000

// checkReason refuses what could not be read in a list.
func checkReason(s string) error {
	if n := utf8.RuneCountInString(s); n < 1 || n > maxReasonRunes || plain(s) != s || strings.TrimSpace(s) != s {
		return usageError{fmt.Errorf("--reason=%q: want 1 to %d printable characters, and no space at either end", s, maxReasonRunes)}
	}
	return nil
}
