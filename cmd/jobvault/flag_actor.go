package main

import (
	"fmt"
	"os"
	"os/user"
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
