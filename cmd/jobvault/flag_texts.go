package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxNameRunes bounds a name, in characters.
const maxNameRunes = 100

// checkName refuses what could not be read, or told apart, in a list.
func checkName(flag, s string) error {
	if n := utf8.RuneCountInString(s); n < 1 || n > maxNameRunes || plain(s) != s || strings.TrimSpace(s) != s {
		return fmt.Errorf("%s=%q: want 1 to %d printable characters, and no space at either end", flag, s, maxNameRunes)
	}
	return nil
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
