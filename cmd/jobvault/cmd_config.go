package main

import (
	"fmt"
	"text/tabwriter"
)

type configCmd struct {
	JSON bool `help:"Print a JSON array."`
}

// Help is kong's: examples and exit status.
func (configCmd) Help() string {
	return helpText(`jobvault config
jobvault --roles=lookup config --json`, "0 if all settings are right, 2 if one is wrong.")
}

// Run prints the settings also if some are bad, and says which.
func (c configCmd) Run(e *environment) error {
	list := e.settings.list()
	if c.JSON {
		out := jsonEncoder(e.stdout)
		out.SetIndent("", "  ")
		if err := out.Encode(list); err != nil {
			return err
		}
	} else {
		w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
		for _, s := range list {
			fmt.Fprintf(w, "%s=%s\t%s\n", s.Name, plain(s.Value), s.From)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	e.settings.Stray.warn(quietLogger(config{Settings: e.settings}, e.stderr))
	_, err := e.settings.load()
	return err
}
