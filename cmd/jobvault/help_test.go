package main

import (
	"io"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// The program and every command, also one that has commands of its own, says what it is
// for, shows examples that it would take, and tells what its exit status means; every flag
// with a value has a placeholder and a sentence.
func TestHelpIsWhole(t *testing.T) {
	var c cli
	parser, err := newParser(&c)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range withCommands(parser.Model.Node) {
		name := command.FullPath()
		if !strings.HasSuffix(command.Help, ".") {
			t.Errorf("%s: the purpose %q is no sentence", name, command.Help)
		}
		if !strings.Contains(command.Detail, "\nExit status: 0") {
			t.Errorf("%s: no exit status", name)
		}
		checkExamples(t, name, command.Detail)
		for _, group := range command.AllFlags(true) {
			for _, f := range group {
				checkFlagHelp(t, name, f)
			}
		}
	}
}

// withCommands lists a command and all below it.
func withCommands(command *kong.Node) []*kong.Node {
	all := []*kong.Node{command}
	for _, child := range command.Children {
		all = append(all, withCommands(child)...)
	}
	return all
}

// checkExamples parses the examples of a command, of which there must be one at least.
func checkExamples(t *testing.T, name, detail string) {
	t.Helper()
	examples := 0
	for line := range strings.SplitSeq(detail, "\n") {
		example, ok := strings.CutPrefix(line, "\tjobvault ")
		if !ok {
			continue
		}
		examples++
		var fresh cli
		parser, err := newParser(&fresh)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(words(example)); err != nil {
			t.Errorf("%s: the example %q: %v", name, example, err)
		}
	}
	if examples == 0 {
		t.Errorf("%s: no example", name)
	}
}

// A command's own flags come before the settings, and a flag is printed once only.
func TestHelpPrintsOwnFlagsFirst(t *testing.T) {
	for _, c := range []struct {
		command string
		titles  []string
		own     []string
	}{
		{"grep", []string{"Flags:", "Which jobs:", "Another jobvault:", "Settings, the same for every command:"}, []string{"--ignore-case", "--repo=", "--server="}},
		{"migrate", []string{"Commands:", "Flags:", "Settings, the same for every command:"}, []string{"--help"}},
		{"token create", []string{"Flags:", "Settings, the same for every command:"}, []string{"--name=", "--expires="}},
		{"", []string{"Commands:", "Flags:", "Settings, the same for every command:"}, nil},
	} {
		t.Run(c.command, func(t *testing.T) {
			var out strings.Builder
			if code := run(t.Context(), append(strings.Fields(c.command), "--help"), &out, io.Discard); code != 0 {
				t.Fatalf("exit status %d", code)
			}
			last := 0
			for _, title := range c.titles {
				at := strings.Index(out.String(), "\n"+title+"\n")
				if at <= last {
					t.Fatalf("%q is at %d, what comes before it at %d:\n%s", title, at, last, out.String())
				}
				last = at
			}
			for _, flag := range c.own {
				if at := strings.LastIndex(out.String(), " "+flag); at < 0 || at > last {
					t.Errorf("%s is at %d, the settings at %d", flag, at, last)
				}
			}
			if n := strings.Count(out.String(), "--listen=HOST:PORT"); n != 1 {
				t.Errorf("--listen is printed %d times", n)
			}
		})
	}
}

func checkFlagHelp(t *testing.T, command string, f *kong.Flag) {
	t.Helper()
	if help := flagHelp(f.Value); !strings.HasSuffix(help, ".") && !strings.HasSuffix(help, "…") {
		t.Errorf("%s --%s: %q is no sentence", command, f.Name, help)
	}
	if !f.IsBool() && (f.PlaceHolder == "" || f.PlaceHolder != strings.ToUpper(f.PlaceHolder)) {
		t.Errorf("%s --%s: the placeholder is %q", command, f.Name, f.PlaceHolder)
	}
}

// words splits an example as a shell does, as far as examples need it.
func words(s string) []string {
	var all []string
	var word strings.Builder
	quoted := false
	for _, r := range s + " " {
		switch {
		case r == '\'':
			quoted = !quoted
		case r == ' ' && !quoted:
			all = append(all, word.String())
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	return all
}

// A setting's flag and its variable have the same name, by which errors find the flag
// that was given.
func TestSettingsAreNamedAsGiven(t *testing.T) {
	var c cli
	parser, err := newParser(&c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range parser.Model.Flags {
		for _, variable := range f.Envs {
			given := findGiven(parser.Model, []string{"--" + f.Name, "x", "config"})
			if got := given.setting(variable); got != "--"+f.Name {
				t.Errorf("%s, given as --%s, is called %s", variable, f.Name, got)
			}
			if got := givenFlags(nil).setting(variable); got != variable {
				t.Errorf("%s, not given as a flag, is called %s", variable, got)
			}
		}
	}
}
