package ingest

import (
	"strings"
	"testing"
)

// FuzzSignature: only the one right header is right.
func FuzzSignature(f *testing.F) {
	body := []byte("payload")
	const right = "sha256=b82fcb791acec57859b989b430a826488ce2e479fdf92326bd0a2e8375a42ba4"
	f.Add(right)
	f.Add(strings.ToUpper(right))
	f.Add("sha1=" + right[7:47])
	f.Add("sha256=")
	f.Fuzz(func(t *testing.T, header string) {
		if signedBy([]string{"secret"}, header, body) && !strings.EqualFold(header, right) {
			t.Errorf("%q was accepted", header)
		}
	})
	if !signedBy([]string{"other", "secret"}, right, body) {
		f.Errorf("the right signature was refused")
	}
}
