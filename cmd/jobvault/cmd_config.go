package main

import (
	"fmt"
	"text/tabwriter"
)

type configCmd struct {
	JSON bool `help:"As JSON."`
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
	_, err := e.settings.load()
	return err
}
