package main

import (
	"io"
	"strings"
	"testing"
)

// Flags of verify that cannot be used together are refused, by the names under which they
// were given, before anything is opened.
func TestVerifyRefusesFlagsThatDoNotGoTogether(t *testing.T) {
	for args, want := range map[string]string{
		"--manifests --database":               "--manifests and --database cannot be used together",
		"--manifests --database --deep":        "--manifests and --database cannot be used together",
		"--from=DIR":                           "--from: only with --manifests",
		"--head=abc":                           "--head: only with --manifests",
		"--from=DIR --head=abc --database":     "--from and --head: only with --manifests",
		"--database --deep":                    "--deep: not with --database",
		"--database --repair":                  "--repair: not with --database",
		"--repair --database --deep":           "--deep and --repair: not with --database",
		"--manifests --repair":                 "--repair: not with --manifests",
		"--manifests --sample=5% --since=7d":   "--since and --sample: not with --manifests",
		"--manifests --repo=acme/rocket":       "--repo: not with --manifests",
		"--since=yesterday":                    "--since",
		"--sample=half":                        "--sample",
		"--repo=acme/rocket/extra":             "acme/rocket/extra",
		"--database --since=tomorrow --sample": "--sample",
	} {
		t.Run(args, func(t *testing.T) {
			var stderr strings.Builder
			if code := run(t.Context(), append([]string{"verify"}, strings.Fields(args)...), io.Discard, &stderr); code != exitUsage {
				t.Errorf("exit status %d, want %d", code, exitUsage)
			}
			if !strings.HasPrefix(stderr.String(), "jobvault: ") || !strings.Contains(stderr.String(), want) {
				t.Errorf("says %q, want %q", stderr.String(), want)
			}
		})
	}
}
