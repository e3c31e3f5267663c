#!/usr/bin/env bash
# versitygw: in a bucket with versions, a key whose object was deleted is taken for ever to
# writes under If-None-Match: *, and free to everything else.
#
# Seen with github.com/versity/versitygw v1.8.0 (posix backend with --versioning-dir) and
# github.com/minio/minio-go/v7 v7.4.1, Go 1.26. Reported there for other requests: delete
# markers should be treated as deleted objects (issue 1750, open).
#
# One would guess that whoever is told 412 to If-None-Match: * finds an object under the key,
# and that a name becomes free when its object is deleted, as in a bucket without versions. S3
# has it so: the condition holds where the current version is a delete marker. versitygw
# compares with the marker, of an upload in parts too. So a program that takes names by
# conditional writes (locks, leases, objects that are written once) never gets one back:
# the write says that the object is there, HEAD says 404, and a listing has nothing. It comes with
# the first bucket that has versions, and so with Object Lock.
#
# What is done: versitygw runs on loopback; in a bucket without versions and in one with them,
# an object is put under the condition, put again, deleted, looked for, and put again under the
# condition, in one request and in parts, and at last without the condition.
#
# Output seen:
#   without versions: put 200, again 412, deleted; HEAD 404, listed 0; put 200; in parts 200; without the condition 200
#   with versions: put 200, again 412, deleted; HEAD 404, listed 0; put 412; in parts 412; without the condition 200
#
# Needs: Go 1.26, curl. Takes some minutes. Exits 0 while versitygw does so, 1 when it does not
# any more.
set -euo pipefail

dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$dir"' EXIT
GOBIN="$dir" go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 2>/dev/null
mkdir "$dir/data" "$dir/versions" "$dir/program"
port=$((20000 + RANDOM % 10000))
ROOT_ACCESS_KEY=trial ROOT_SECRET_KEY=trial-secret "$dir/versitygw" --quiet --port "127.0.0.1:$port" --health /health posix --versioning-dir "$dir/versions" "$dir/data" >"$dir/log" 2>&1 &
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

var ctx = context.Background()

func main() {
	c, err := minio.NewCore(os.Args[1], &minio.Options{Creds: credentials.NewStaticV4("trial", "trial-secret", "")})
	check(err)
	try(c, "without")
	try(c, "with")
}

func try(c *minio.Core, versions string) {
	bucket := versions + "-versions"
	check(c.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}))
	if versions == "with" {
		check(c.EnableVersioning(ctx, bucket))
	}
	fmt.Printf("%s versions: put %d, again %d", versions, put(c, bucket, true), put(c, bucket, true))
	remove(c, bucket)
	_, err := c.StatObject(ctx, bucket, "key", minio.StatObjectOptions{})
	listed := 0
	for o := range c.Client.ListObjects(ctx, bucket, minio.ListObjectsOptions{}) {
		check(o.Err)
		listed++
	}
	fmt.Printf(", deleted; HEAD %d, listed %d; put %d", status(err), listed, put(c, bucket, true))
	remove(c, bucket)
	fmt.Printf("; in parts %d", putInParts(c, bucket))
	remove(c, bucket)
	fmt.Printf("; without the condition %d\n", put(c, bucket, false))
}

// put puts an object under the key, perhaps under the condition that it is free.
func put(c *minio.Core, bucket string, ifFree bool) int {
	var opts minio.PutObjectOptions
	if ifFree {
		opts.SetMatchETagExcept("*")
	}
	_, err := c.PutObject(ctx, bucket, "key", bytes.NewReader([]byte("body")), 4, "", "", opts)
	return status(err)
}

// putInParts is put in parts, of which there is one.
func putInParts(c *minio.Core, bucket string) int {
	id, err := c.NewMultipartUpload(ctx, bucket, "key", minio.PutObjectOptions{})
	check(err)
	part, err := c.PutObjectPart(ctx, bucket, "key", id, 1, bytes.NewReader([]byte("body")), 4, minio.PutObjectPartOptions{})
	check(err)
	var opts minio.PutObjectOptions
	opts.SetMatchETagExcept("*")
	_, err = c.CompleteMultipartUpload(ctx, bucket, "key", id, []minio.CompletePart{{PartNumber: 1, ETag: part.ETag}}, opts)
	return status(err)
}

func remove(c *minio.Core, bucket string) {
	check(c.RemoveObject(ctx, bucket, "key", minio.RemoveObjectOptions{}))
}

func status(err error) int {
	if err == nil {
		return 200
	}
	return minio.ToErrorResponse(err).StatusCode
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
grep -q '^without versions: put 200, again 412, deleted; HEAD 404, listed 0; put 200; in parts 200; without the condition 200$' "$dir/output"
grep -q '^with versions: put 200, again 412, deleted; HEAD 404, listed 0; put 412; in parts 412; without the condition 200$' "$dir/output"
