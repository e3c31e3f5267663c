package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Every command says what it is for, shows examples that it would take, and tells what
// its exit status means; every flag with a value has a placeholder and a sentence.
func TestHelpIsWhole(t *testing.T) {
	var c cli
	parser, err := newParser(&c)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Leaves(false) {
		name := command.FullPath()
		if !strings.HasSuffix(command.Help, ".") {
			t.Errorf("%s: the purpose %q is no sentence", name, command.Help)
		}
		if !strings.Contains(command.Detail, "\nExit status: 0") {
			t.Errorf("%s: no exit status", name)
		}
		examples := 0
		for line := range strings.SplitSeq(command.Detail, "\n") {
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
		for _, group := range command.AllFlags(true) {
			for _, f := range group {
				checkFlagHelp(t, name, f)
			}
		}
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
