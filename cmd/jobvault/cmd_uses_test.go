package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/jobvault/jobvault/lookup"
	"github.com/jobvault/jobvault/store"
)

// What is not known is said in every form, and with nothing found too.
func TestUsesSayWhatIsNotKnown(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	found := lookup.Uses{
		Uses:  []store.ActionUse{{Action: "docker://ghcr.io/acme/lint", Ref: "v4", Digest: &digest, Repository: "acme/rocket", Jobs: 2, LastJob: 7, InSetup: true}},
		Moved: []string{"docker://ghcr.io/acme/lint:v4"}, Whole: true, Unknown: store.UnknownUses{NoLog: 3},
	}
	print := func(c usesCmd, u lookup.Uses) (string, string) {
		var out, errs bytes.Buffer
		c.Action = "docker://ghcr.io/acme/lint"
		err := c.print(&environment{stdout: &out, stderr: &errs}, u)
		if err != nil {
			return out.String(), err.Error()
		}
		return out.String(), errs.String()
	}
	const gap = "3 jobs whose log is not archived may have used it"
	for name, c := range map[string]struct {
		cmd       usesCmd
		uses      lookup.Uses
		want, err string
	}{
		"text":         {usesCmd{}, found, digest + "|lint:v4 was more than one digest|" + gap, ""},
		"JSON":         {usesCmd{JSON: true}, found, `"digest":"` + digest + `"|` + "\n" + `{"unknown":{"unread":0,"no_log":3,"cut":0,"no_sha":0,"not_listed":0}}` + "\n", ""},
		"nobody":       {usesCmd{}, lookup.Uses{Whole: true, Unknown: found.Unknown}, "ACTION", "no archived log tells of docker://ghcr.io/acme/lint; " + gap},
		"nobody, JSON": {usesCmd{JSON: true}, lookup.Uses{Whole: true, Unknown: found.Unknown}, `{"unknown":`, gap},
	} {
		out, err := print(c.cmd, c.uses)
		for _, part := range strings.Split(c.want, "|") {
			if !strings.Contains(out, part) {
				t.Errorf("%s: no %q in %s", name, part, out)
			}
		}
		if !strings.Contains(err, c.err) || c.err == "" && err != "" {
			t.Errorf("%s: %s", name, err)
		}
	}
	if out, _ := print(usesCmd{JSON: true}, lookup.Uses{Uses: found.Uses, Whole: true}); strings.Contains(out, "unknown") {
		t.Errorf("all is known: %s", out)
	}
}
