package localpg

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBigLogIsPutAside(t *testing.T) {
	for _, test := range []struct {
		size  int64
		aside bool
	}{{maxLog, false}, {maxLog + 1, true}} {
		path := filepath.Join(t.TempDir(), "postgres.log")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, test.size); err != nil {
			t.Fatal(err)
		}
		log, err := openLog(path)
		if err != nil {
			t.Fatal(err)
		}
		log.Close()
		_, err = os.Stat(path + ".old")
		if (err == nil) != test.aside {
			t.Errorf("%d bytes: put aside %v, want %v", test.size, err == nil, test.aside)
		}
	}
}

func TestTail(t *testing.T) {
	log, err := openLog(filepath.Join(t.TempDir(), "postgres.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.WriteString("before\nfirst\nlast\n"); err != nil {
		t.Fatal(err)
	}
	for from, want := range map[int64]string{0: "before\nfirst\nlast", 7: "first\nlast", 18: "", 99: ""} {
		if got := tail(log, from); got != want {
			t.Errorf("from %d: %q, want %q", from, got, want)
		}
	}
	if _, err := log.WriteString(strings.Repeat("x", 10<<10) + "end\n"); err != nil {
		t.Fatal(err)
	}
	if got := tail(log, 0); len(got) > 2<<10 || !strings.HasSuffix(got, "xend") {
		t.Errorf("of a long log: %d bytes", len(got))
	}
}
