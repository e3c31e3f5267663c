package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os/exec"
)

// readers lists all of them, in the order of the table.
func readers() []reader {
	return append(append(append(programs(), pythonReaders()...), goReaders()...), npmReaders()...)
}

// programs are those that a machine has.
func programs() []reader {
	return []reader{
		filter("`zstd -dc`", "zstd", []string{"--version"}, "zstd", "-dc"),
		filter("`pzstd -dc`", "zstd", []string{"--version"}, "pzstd", "-dc"),
		filter("`bsdcat`", "libarchive-tools", []string{"--version"}, "bsdcat"),
		sevenZip(),
		curl(),
	}
}

// filter is a program that reads standard input.
func filter(name, pkg string, version []string, program string, args ...string) reader {
	return reader{
		name: name, want: all,
		install: func(ctx context.Context, _ string) (string, error) { return installed(ctx, pkg, program, version...) },
		read: func(ctx context.Context, dir, in, out string) error {
			return runInto(ctx, dir, in, out, program, args...)
		},
	}
}

// sevenZip is 7-Zip, which has several names and reads files only.
func sevenZip() reader {
	program := "7zz"
	if _, err := exec.LookPath(program); err != nil {
		program = "7z"
	}
	return reader{
		name: "`7zz e -so`", want: all,
		install: func(ctx context.Context, _ string) (string, error) { return installed(ctx, "7zip", program, "i") },
		read: func(ctx context.Context, dir, in, out string) error {
			return runInto(ctx, dir, "", out, program, "e", "-so", in)
		},
	}
}

// curl decodes what a server sends in the coding zstd, as jobvault sends a log to whoever
// accepts that.
func curl() reader {
	return reader{
		name: "`curl --compressed`", want: all,
		install: func(ctx context.Context, _ string) (string, error) {
			return installed(ctx, "curl", "curl", "--version")
		},
		read: func(ctx context.Context, dir, in, out string) (err error) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", "zstd")
				w.Header().Set("Content-Type", "text/plain")
				http.ServeFile(w, r, in)
			})}
			ended := make(chan error, 1)
			go func() { ended <- server.Serve(listener) }()
			err = runInto(ctx, dir, "", out, "curl", "-sS", "--compressed", "http://"+listener.Addr().String()+"/log")
			err = errors.Join(err, server.Close())
			if serr := <-ended; !errors.Is(serr, http.ErrServerClosed) {
				err = errors.Join(err, serr)
			}
			return err
		},
	}
}
