package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/alecthomas/kong"
)

// variablePrefix is what the names of all our environment variables begin with.
const variablePrefix = "JOBVAULT_"

// strayVariables are environment variables that look like settings and are none. A
// misspelt setting that is passed over would have jobvault read or write another archive
// than is meant, or leave it open to others: so it is an error. What only begins as ours do
// may be somebody else's, and is a warning.
type strayVariables struct {
	misspelt []strayVariable
	foreign  []strayVariable
}

// strayVariable is one of them.
type strayVariable struct {
	name    string
	nearest string // setting; empty: none comes to mind
}

// findStray looks for them in an environment, given the names of all variables that there
// are. Those without a value are left alone, as they would change nothing.
func findStray(known []string, environ []string) strayVariables {
	var stray strayVariables
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if value == "" || slices.Contains(known, name) || isServiceLink(name, value) {
			continue
		}
		upper := strings.ToUpper(name)
		nearest, distance := nearestName(known, upper)
		switch parts := partsOf(known, upper); {
		case distance <= maxMisspelling(nearest):
			stray.misspelt = append(stray.misspelt, strayVariable{name, nearest})
		case parts != nil:
			nearest, _ = nearestName(parts, upper)
			stray.misspelt = append(stray.misspelt, strayVariable{name, nearest})
		case strings.HasPrefix(upper, variablePrefix):
			nearest = ""
			if like := namesEndingIn(known, strings.TrimPrefix(upper, variablePrefix)); like != nil {
				nearest, _ = nearestName(like, upper)
			}
			stray.foreign = append(stray.foreign, strayVariable{name, nearest})
		}
	}
	return stray
}

// nearestName is the known name that is most like one, and how many letters are different.
func nearestName(known []string, name string) (string, int) {
	distance := func(k string) int { return levenshtein.Distance(k, name, nil) }
	nearest := slices.MinFunc(known, func(a, b string) int { return cmp.Compare(distance(a), distance(b)) })
	return nearest, distance(nearest)
}

// maxMisspelling is how many letters may be wrong in what is still taken for a name: two
// in any, as where two have changed places, and three in a long one.
func maxMisspelling(name string) int {
	return min(3, max(2, len(strings.TrimPrefix(name, variablePrefix))/4))
}

// partsOf lists the known names of which a name is the first words, or which are its first
// words: for JOBVAULT_DATABASE, or JOBVAULT_LISTEN_ADDRESS.
func partsOf(known []string, name string) (parts []string) {
	for _, k := range known {
		if strings.HasPrefix(name, variablePrefix) && (strings.HasPrefix(k, name+"_") || strings.HasPrefix(name, k+"_")) {
			parts = append(parts, k)
		}
	}
	return parts
}

// namesEndingIn lists the known names whose last words are these: for JOBVAULT_TOKEN.
func namesEndingIn(known []string, words string) (like []string) {
	for _, k := range known {
		if strings.HasSuffix(k, "_"+words) {
			like = append(like, k)
		}
	}
	return like
}

// What Kubernetes (and Docker, once) gives every container for a service that is called
// jobvault or jobvault-something. JOBVAULT_PORT is one only with such a value: somebody may
// take it for a setting.
var (
	serviceName  = regexp.MustCompile(`^JOBVAULT_(.+_)?SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$`)
	portName     = regexp.MustCompile(`^JOBVAULT_(.+_)?PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)
	portAddress  = regexp.MustCompile(`^(tcp|udp|sctp)://`)
	numberedPort = regexp.MustCompile(`_PORT_\d+_(TCP|UDP|SCTP)`)
)

func isServiceLink(name, value string) bool {
	return serviceName.MatchString(name) || portName.MatchString(name) && (portAddress.MatchString(value) || numberedPort.MatchString(name))
}

// err names those that must be corrected; it never repeats a value, which may be a secret.
func (s strayVariables) err() error {
	var errs []error
	for _, v := range s.misspelt {
		errs = append(errs, usageError{fmt.Errorf("%s is not a setting: did you mean %s?", v.name, v.nearest)})
	}
	return errors.Join(errs...)
}

// warn names the others.
func (s strayVariables) warn(logger *slog.Logger) {
	for _, v := range s.foreign {
		args := []any{"variable", v.name}
		if v.nearest != "" {
			args = append(args, "nearest", v.nearest)
		}
		logger.Warn("an environment variable is not a setting of jobvault's, and is passed over", args...)
	}
}

// variablesOf lists the environment variables of all commands.
func variablesOf(app *kong.Application) []string {
	var names []string
	for _, command := range app.Leaves(false) {
		for _, group := range command.AllFlags(false) {
			for _, f := range group {
				names = append(names, f.Envs...)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
