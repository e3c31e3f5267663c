package main

import (
	"strings"

	"github.com/alecthomas/kong"
)

// settingsGroup is the key of the group of settings.
const settingsGroup = "settings"

// helpGroups are the groups of flags in a command's help.
var helpGroups = []kong.Group{
	{Key: "jobs", Title: "Which jobs:"},
	{Key: "server", Title: "Another jobvault:"},
	{Key: settingsGroup, Title: "Settings, the same for every command:"},
}

// helpText is what a command's help says after its purpose: examples, one a line, and
// what the exit status means.
func helpText(examples, exitStatus string) string {
	var text strings.Builder
	text.WriteString("Examples:\n\n")
	for example := range strings.SplitSeq(strings.TrimSpace(examples), "\n") {
		text.WriteString("\t" + strings.TrimSpace(example) + "\n")
	}
	return text.String() + "\nExit status: " + exitStatus
}

// usualExit is the exit status of most commands.
const usualExit = "0 if it is done, 1 if it failed, 2 if it was used wrongly."

// printHelp prints a command's flags before the settings. Kong prints groups of flags in
// the order in which it meets them, those of the whole program first; so the settings
// become the last flags of the command. The program ends after that.
func printHelp(o kong.HelpOptions, ctx *kong.Context) error {
	if command := ctx.Selected(); command != nil {
		var others []*kong.Flag
		for _, f := range ctx.Model.Flags {
			if f.Group != nil && f.Group.Key == settingsGroup {
				command.Flags = append(command.Flags, f)
			} else {
				others = append(others, f)
			}
		}
		ctx.Model.Flags = others
	}
	return kong.DefaultHelpPrinter(o, ctx)
}

// flagHelp adds a flag's default and environment variable to its help.
func flagHelp(v *kong.Value) string {
	var notes []string
	if v.Tag.PlaceHolder != "" && v.Default != "" && v.Default != "0" {
		notes = append(notes, "default: "+v.Default)
	}
	for _, variable := range v.Tag.Envs {
		notes = append(notes, "$"+variable)
	}
	if len(notes) == 0 {
		return v.Help
	}
	return strings.TrimSuffix(v.Help, ".") + " (" + strings.Join(notes, "; ") + ")."
}
