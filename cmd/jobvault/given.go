package main

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// givenFlags says how the command line wrote each flag, by the flag's name: "-A" or
// "--after-context". What is not in it was not on the command line.
type givenFlags map[string]string

// findGiven reads a command line as kong does.
func findGiven(app *kong.Application, args []string) givenFlags {
	flags := make(map[string]*kong.Flag)
	for _, command := range app.Leaves(false) {
		for _, group := range command.AllFlags(false) {
			for _, f := range group {
				flags["--"+f.Name], flags["-"+string(f.Short)] = f, f
			}
		}
	}
	given := make(givenFlags)
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return given
		case strings.HasPrefix(arg, "--"):
			form, _, hasValue := strings.Cut(arg, "=")
			if f := flags[form]; f != nil {
				given[f.Name] = form
				if !hasValue && !f.IsBool() {
					i++ // its value
				}
			}
		case strings.HasPrefix(arg, "-"):
			i += given.addShort(flags, arg)
		}
	}
	return given
}

// addShort reads "-ic", "-A3" or "-A", and returns how many arguments after it are its value.
func (g givenFlags) addShort(flags map[string]*kong.Flag, arg string) int {
	for j, short := range arg {
		if j == 0 {
			continue
		}
		form := "-" + string(short)
		f := flags[form]
		if f == nil {
			return 0
		}
		g[f.Name] = form
		if f.IsBool() {
			continue
		}
		if strings.HasSuffix(arg, string(short)) && j+len(string(short)) == len(arg) {
			return 1
		}
		return 0
	}
	return 0
}

// number is a flag with its value as they were given: "-A 3" or "--after-context=3".
func (g givenFlags) number(name string, value any) string {
	text := fmt.Sprint(value)
	if form, ok := g[name]; ok && !strings.HasPrefix(form, "--") && strings.HasPrefix(text, "=") {
		return form + text
	}
	if quoted := strconv.Quote(text); text == "" || strings.Contains(text, " ") || quoted != `"`+text+`"` {
		text = quoted
	}
	if form, ok := g[name]; ok && !strings.HasPrefix(form, "--") {
		return form + " " + text
	}
	return "--" + name + "=" + text
}

// setting is a flag as it was given, or else the environment variable that it has too.
func (g givenFlags) setting(variable string) string {
	name := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(variable, "JOBVAULT_")), "_", "-")
	if form, ok := g[name]; ok {
		return form
	}
	return variable
}

// anyOf lists those of some flags that were given.
func (g givenFlags) anyOf(names ...string) string {
	var forms []string
	for _, name := range names {
		if form, ok := g[name]; ok {
			forms = append(forms, form)
		}
	}
	return strings.Join(forms, " and ")
}

var longFlag = regexp.MustCompile(`--[a-z][a-z-]*`)

// parseError is an error of kong's, with the flags as they were given.
func (g givenFlags) parseError(err error) string {
	var number *numberError
	if errors.As(err, &number) {
		if number.of.Flag == nil {
			return fmt.Sprintf("%s=%q: want a number", number.of.ShortSummary(), number.text)
		}
		if form, ok := g[number.of.Name]; ok && number.text == "" {
			return form + ": want a number"
		}
		return g.number(number.of.Name, number.text) + ": want a number"
	}
	return longFlag.ReplaceAllStringFunc(err.Error(), func(long string) string {
		if form, ok := g[strings.TrimPrefix(long, "--")]; ok {
			return form
		}
		return long
	})
}

// numberError says that a flag or an argument is not a number.
type numberError struct {
	of   *kong.Value
	text string
}

func (e *numberError) Error() string { return "want a number" }

// numberMapper reads numbers for kong, and fails with numberError.
func numberMapper(bits int) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		token, err := ctx.Scan.PopValue("number")
		if err != nil { // there is none
			return &numberError{ctx.Value, ""}
		}
		text := fmt.Sprint(token.Value)
		n, err := strconv.ParseInt(text, 0, bits)
		if err != nil {
			return &numberError{ctx.Value, text}
		}
		target.SetInt(n)
		return nil
	}
}
