#!/usr/bin/env bash
# DataDog/zstd, Go's binding of libzstd: its Reader ends a valid stream of several frames with "unexpected EOF", and
# without what comes after the first frame, where they arrive in one read of the source.
#
# Seen with github.com/DataDog/zstd v1.5.7 (libzstd 1.5.7), Go 1.26, gcc 12. Reported there for skippable frames
# (issue 129, open); it is so for all.
#
# One would guess that a reader either goes on from frame to frame, as RFC 8878 has it (section 3: "the decompressed
# content of multiple concatenated frames"), or never does. This one does if the end of a frame is also the end of what
# it has in its buffer of 128 KiB, or if what the frame holds fills its output buffer exactly. Else it returns what the frame holds, asks the
# source for more on the next call although its buffer has the next frame, and takes the source's end for a stream that
# was cut off. So whether a file can be read depends on its length and on how the source gives it out: a large file of
# many frames may work, and a small one, or one that compresses well, loses all but its first frame. So does one with a
# skippable frame, such as the seek table with which files in the seekable format end: there all bytes come, and then
# the error.
#
# What is done: 100,000 bytes are compressed into one frame, and it is read alone, twice in a row, with a skippable
# frame before and after it, all bytes at once and one at a time; and with valyala/gozstd, another binding of the same
# library.
#
# Output seen:
#   DataDog/zstd  one frame                        100000 bytes, error: <nil>
#   DataDog/zstd  two frames                       100000 bytes, error: unexpected EOF
#   DataDog/zstd  a skippable frame before it      0 bytes, error: unexpected EOF
#   DataDog/zstd  a skippable frame between two    100000 bytes, error: unexpected EOF
#   DataDog/zstd  a skippable frame after it       100000 bytes, error: unexpected EOF
#   DataDog/zstd  two frames, a byte at a time     200000 bytes, error: <nil>
#   gozstd        two frames                       200000 bytes, error: <nil>
#   gozstd        a skippable frame after it       100000 bytes, error: <nil>
#
# Needs: Go 1.26 and a C compiler. Takes a minute or two. Exits 0 while DataDog/zstd does so, 1 when it does not any more.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'MOD'
module example.com/skippable

go 1.26
MOD
cat >main.go <<'GO'
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing/iotest"

	"github.com/DataDog/zstd"
	"github.com/valyala/gozstd"
)

func main() {
	text := make([]byte, 100_000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range text {
		text[i] = "abcdefgh"[random.IntN(8)]
	}
	frame, err := zstd.Compress(nil, text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	skippable := binary.LittleEndian.AppendUint32(nil, 0x184D2A5E)
	skippable = binary.LittleEndian.AppendUint32(skippable, 17)
	skippable = append(skippable, make([]byte, 17)...)

	after := slices.Concat(frame, skippable)
	datadog := func(r io.Reader) io.Reader { return zstd.NewReader(r) }
	read("DataDog/zstd", "one frame", datadog(bytes.NewReader(frame)))
	read("DataDog/zstd", "two frames", datadog(bytes.NewReader(slices.Concat(frame, frame))))
	read("DataDog/zstd", "a skippable frame before it", datadog(bytes.NewReader(slices.Concat(skippable, frame))))
	read("DataDog/zstd", "a skippable frame between two", datadog(bytes.NewReader(slices.Concat(frame, skippable, frame))))
	read("DataDog/zstd", "a skippable frame after it", datadog(bytes.NewReader(after)))
	read("DataDog/zstd", "two frames, a byte at a time", datadog(iotest.OneByteReader(bytes.NewReader(slices.Concat(frame, frame)))))
	read("gozstd", "two frames", gozstd.NewReader(bytes.NewReader(slices.Concat(frame, frame))))
	read("gozstd", "a skippable frame after it", gozstd.NewReader(bytes.NewReader(after)))
}

func read(by, what string, r io.Reader) {
	got, err := io.ReadAll(r)
	fmt.Printf("%-13s %-32s %d bytes, error: %v\n", by, what, len(got), err)
}
GO
go get github.com/DataDog/zstd@v1.5.7 github.com/valyala/gozstd@v1.27.0 >/dev/null 2>&1
CGO_ENABLED=1 go build -o reader .

# Fails if it is not so any more.
./reader | tee out
[ "$(grep -c 'error: <nil>$' out)" = 4 ]
[ "$(grep -c '^DataDog/zstd  .* error: unexpected EOF$' out)" = 4 ]
grep -q '^DataDog/zstd  two frames  .* 100000 bytes, error: unexpected EOF$' out
