package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/internal/testenv"
)

// Each setting has a row in the README's table, and a script or a test names it.
func TestSettingsAreDocumented(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(testenv.Root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	settings := reflect.TypeFor[Settings]()
	documented := 0
	for i := range settings.NumField() {
		for _, name := range strings.Split(settings.Field(i).Tag.Get("env"), ",") {
			if name == "" {
				continue
			}
			documented++
			if !strings.Contains(string(readme), "`"+name+"`") {
				t.Errorf("README.md does not tell of %s", name)
			}
		}
	}
	if documented < 20 {
		t.Fatalf("%d settings: this shows nothing", documented)
	}
}
