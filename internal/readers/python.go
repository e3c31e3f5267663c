package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// pythonReaders are the ways in which Debian's python3-zstandard is called.
func pythonReaders() []reader {
	return []reader{
		python("`decompress(data)`", firstFrame, "out.write(d.decompress(source.read()))"),
		python("`read_to_iter(f)`", firstFrame, "out.writelines(d.read_to_iter(source))"),
		python("`stream_reader(f)`, one `read(size)`", firstFrame, "out.write(d.stream_reader(source).read(1 << 30))"),
		python("`stream_reader(f)`, read in a loop", all, "shutil.copyfileobj(d.stream_reader(source), out)"),
		python("`copy_stream(f, to)`", all, "d.copy_stream(source, out)"),
	}
}

// systemPython is the Python for which Debian's packages are.
const systemPython = "/usr/bin/python3"

func python(call string, want outcome, statement string) reader {
	program := fmt.Sprintf(`
import shutil, sys, zstandard
d = zstandard.ZstdDecompressor()
with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as out:
    %s
`, statement)
	return reader{
		name: "Python `zstandard`, " + call, want: want,
		install: func(ctx context.Context, _ string) (string, error) {
			if _, err := os.Stat(systemPython); errors.Is(err, os.ErrNotExist) {
				return "", fmt.Errorf("%w (Debian: apt-get install python3-zstandard)", errAbsent)
			}
			version, err := output(ctx, "", systemPython, "-c", "import zstandard; print(zstandard.__version__)")
			if err != nil {
				return "", fmt.Errorf("%w (Debian: apt-get install python3-zstandard): %w", errAbsent, err)
			}
			return strings.TrimSpace(version), nil
		},
		read: func(ctx context.Context, dir, in, out string) error {
			return runInto(ctx, dir, "", "", systemPython, "-c", program, in, out)
		},
	}
}
