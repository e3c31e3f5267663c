package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is set by the linker for releases.
var release = "dev"

// version is the release, or the commit that it was built from.
func version() string {
	if release != "dev" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return release + "-" + s.Value[:12]
		}
	}
	return release
}

type versionCmd struct{}

// Help is kong's: examples and exit status.
func (versionCmd) Help() string {
	return helpText("jobvault version", "0.")
}

func (versionCmd) Run(e *environment) error {
	_, err := fmt.Fprintf(e.stdout, "jobvault %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
