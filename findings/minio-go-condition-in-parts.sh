#!/usr/bin/env bash
# minio-go: PutObject under SetMatchETagExcept("*") replaces an object that is there, without
# an error, when it is large enough to go in parts.
#
# Seen with github.com/minio/minio-go/v7 v7.4.1 and github.com/versity/versitygw v1.8.0 (over
# http, posix backend), Go 1.26.
#
# One would guess that the condition (If-None-Match: *) holds for whatever PutObject sends, as
# its size alone decides whether that is one request or several. But S3 takes the condition
# where an upload in parts completes (CompleteMultipartUpload), and minio-go sends it where one
# begins (CreateMultipartUpload) and leaves it out at the end. Servers ignore it at the
# beginning; MinIO's own looks at it there, so that tests against it show nothing.
#
# What is done: versitygw runs on loopback; a program puts an object of 9 bytes, and then
# another under the same key and the condition, of 1,000 bytes and of 20 MiB.
#
# Output seen:
#   of 1000 bytes: At least one of the pre-conditions you specified did not hold.; there are 9 bytes
#   of 20971520 bytes: <nil>; there are 20971520 bytes
#
# Needs: Go 1.26, curl. Takes some minutes. Exits 0 while minio-go does so, 1 when it does not
# any more.
set -euo pipefail

dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$dir"' EXIT
GOBIN="$dir" go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 2>/dev/null
mkdir "$dir/data" "$dir/program"
port=$((20000 + RANDOM % 10000))
ROOT_ACCESS_KEY=trial ROOT_SECRET_KEY=trial-secret "$dir/versitygw" --quiet --port "127.0.0.1:$port" --health /health posix "$dir/data" >"$dir/log" 2>&1 &
server=$!
curl --silent --retry 50 --retry-delay 1 --retry-connrefused --output /dev/null "http://127.0.0.1:$port/health"

cd "$dir/program"
cat >go.mod <<'MOD'
module example.com/conditional

go 1.26
MOD
cat >main.go <<'GO'
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

func main() {
	ctx := context.Background()
	c, err := minio.New(os.Args[1], &minio.Options{Creds: credentials.NewStaticV4("trial", "trial-secret", "")})
	check(err)
	check(c.MakeBucket(ctx, "trial", minio.MakeBucketOptions{}))
	for _, size := range []int64{1000, 20 << 20} {
		name := fmt.Sprint(size)
		_, err := c.PutObject(ctx, "trial", name, bytes.NewReader([]byte("the first")), 9, minio.PutObjectOptions{})
		check(err)
		var opts minio.PutObjectOptions
		opts.SetMatchETagExcept("*")
		_, err = c.PutObject(ctx, "trial", name, bytes.NewReader(make([]byte, size)), size, opts)
		info, serr := c.StatObject(ctx, "trial", name, minio.StatObjectOptions{})
		check(serr)
		fmt.Printf("of %d bytes: %v; there are %d bytes\n", size, err, info.Size)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
GO
go get github.com/minio/minio-go/v7@v7.4.1 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
go build -o conditional .
./conditional "127.0.0.1:$port" | tee "$dir/output"

# Fails if it is not so any more.
grep -q '^of 1000 bytes: At least one of the pre-conditions.* there are 9 bytes$' "$dir/output"
grep -q '^of 20971520 bytes: <nil>; there are 20971520 bytes$' "$dir/output"
