package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// goReaders are Go modules; the last two of them need a C compiler.
func goReaders() []reader {
	return []reader{
		goModule("github.com/klauspost/compress", "v1.20.3", "zstd", "`zstd.NewReader`", all, `
	r, err := zstd.NewReader(os.Stdin)
	check(err)
	_, err = io.Copy(os.Stdout, r)
	check(err)`),
		goModule("github.com/valyala/gozstd", "v1.27.0", "", "`NewReader`", all, `
	_, err := io.Copy(os.Stdout, gozstd.NewReader(os.Stdin))
	check(err)`),
		goModule("github.com/DataDog/zstd", "v1.5.7", "", "`NewReader`", allAndMore, `
	_, err := io.Copy(os.Stdout, zstd.NewReader(os.Stdin))
	check(err)`),
	}
}

// goModule is a program that copies standard input to standard output, decoded by a package
// of a module.
func goModule(module, version, folder, call string, want outcome, body string) reader {
	source := fmt.Sprintf(`package main

import (
	"fmt"
	"io"
	"os"

	%q
)

func main() {%s
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
`, strings.TrimSuffix(module+"/"+folder, "/"), body)
	name := filepath.Base(module)
	return reader{
		name: "Go `" + strings.TrimPrefix(module, "github.com/") + "`, " + call, want: want,
		install: func(ctx context.Context, dir string) (string, error) {
			number := strings.TrimPrefix(version, "v")
			at := filepath.Join(dir, "go", filepath.Base(filepath.Dir(module))+"-"+name)
			if err := os.MkdirAll(at, 0o755); err != nil {
				return number, err
			}
			if err := os.WriteFile(filepath.Join(at, "main.go"), []byte(source), 0o600); err != nil {
				return number, err
			}
			for _, args := range [][]string{{"mod", "init", "example.com/reader"}, {"get", module + "@" + version}, {"build", "-o", goProgram(dir), "."}} {
				cmd := exec.CommandContext(ctx, "go", args...)
				cmd.Dir, cmd.Env = at, append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=-mod=mod", "GOWORK=off")
				if said, err := cmd.CombinedOutput(); err != nil {
					return number, fmt.Errorf("%w: go %s: %s", errAbsent, args[0], firstLine(string(said)))
				}
			}
			return number, nil
		},
		read: func(ctx context.Context, dir, in, out string) error {
			return runInto(ctx, dir, in, out, goProgram(dir))
		},
	}
}

// goProgram is where the program of the reader that was installed last is.
func goProgram(dir string) string { return filepath.Join(dir, "goreader") }
