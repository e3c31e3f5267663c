package main

import (
	"strings"
	"testing"
)

func TestResults(t *testing.T) {
	events := `{"Action":"run","Test":"TestA"}
{"Action":"pass","Test":"TestA/file"}
{"Action":"output","Test":"TestA/one","Output":"    x_test.go:1: store version: v1.2.3\n"}
{"Action":"output","Test":"TestA/one","Output":"    x_test.go:1: store lacks: versions\n"}
{"Action":"pass","Test":"TestA/one"}
{"Action":"output","Test":"TestA/two","Output":"    x_test.go:1: store version: v4\n"}
{"Action":"pass","Test":"TestA/two"}
{"Action":"output","Test":"TestB/one","Output":"    x_test.go:1: store lacks: versions\n"}
{"Action":"output","Test":"TestB/one","Output":"    x_test.go:1: store lacks: locks\n"}
{"Action":"skip","Test":"TestB/one"}
{"Action":"output","Test":"TestB/two","Output":"    x_test.go:1: it broke\n"}
{"Action":"fail","Test":"TestB/two"}
{"Action":"fail","Test":"TestB"}
{"Action":"fail"}
`
	var all results
	if err := all.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, r := range all.known() {
		rows = append(rows, r.String())
	}
	want := "| S3 | one | v1.2.3 | 1 tests pass | locks; versions |\n| S3 | two | v4 | FAILED: TestB; 1 tests pass | nothing |"
	if got := strings.Join(rows, "\n"); got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
	if out := all.output.String(); !strings.Contains(out, "it broke") || strings.Contains(out, "lacks") {
		t.Errorf("of what failed it shows %q", out)
	}
	if err := all.read(strings.NewReader("go: no such package")); err == nil {
		t.Error("what is no event is taken")
	}
}
