package bucket

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// s3Bucket keeps objects in S3-compatible storage.
type s3Bucket struct {
	client *minio.Client
	bucket string
	prefix string // empty, or ends with '/'
	url    string
	lock   *objectLock // nil: objects are not locked
	// unconditional is true once the server has refused to know a condition.
	unconditional atomic.Bool
}

// parseS3URL checks all of a bucket's URL, without a request.
func parseS3URL(u *url.URL) (func() (Bucket, error), error) {
	b, err := newS3Bucket(u)
	if err != nil {
		return nil, fmt.Errorf("archive: bucket URL %q: %w", u.Redacted(), err)
	}
	return func() (Bucket, error) { return b, nil }, nil
}

func newS3Bucket(u *url.URL) (*s3Bucket, error) {
	q := u.Query()
	for k := range q {
		if k != "endpoint" && k != "region" && k != "tls" && k != "lock" && k != "lock_days" {
			return nil, errors.New("unknown parameter " + strconv.Quote(k))
		}
	}
	lock, err := parseLock(q)
	if err != nil {
		return nil, err
	}
	if u.Host == "" {
		return nil, errors.New("no bucket name; want s3://bucket/prefix?endpoint=host:port")
	}
	if u.User != nil {
		return nil, errors.New("credentials belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	client, err := newS3Client(q)
	if err != nil {
		return nil, err
	}
	prefix := strings.Trim(u.Path, "/")
	if prefix != "" {
		if err := checkKey(prefix); err != nil {
			return nil, err
		}
		prefix += "/"
	}
	if err := s3utils.CheckValidBucketName(u.Host); err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrBucketName, err)
	}
	return &s3Bucket{client: client, bucket: u.Host, prefix: prefix, url: u.Redacted(), lock: lock}, nil
}

// newS3Client makes the client that the URL's parameters tell of; without an endpoint, it
// is Amazon's.
func newS3Client(q url.Values) (*minio.Client, error) {
	tls := true
	if v := q.Get("tls"); v != "" {
		var err error
		if tls, err = strconv.ParseBool(v); err != nil {
			return nil, errors.New("tls must be true or false")
		}
	}
	endpoint := q.Get("endpoint")
	if endpoint == "" {
		endpoint = "s3.amazonaws.com"
	}
	return minio.New(endpoint, &minio.Options{
		// Environment first, then the machine's role.
		Creds:     credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.IAM{}}),
		Secure:    tls,
		Region:    q.Get("region"),
		Transport: newTransport(),
	})
}

func (b *s3Bucket) String() string { return b.url }

func (b *s3Bucket) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	if err := checkKey(key); err != nil {
		return 0, err
	}
	// Some servers ignore If-None-Match when a multipart upload completes.
	if _, err := b.Size(ctx, key); err == nil {
		return 0, fmt.Errorf("archive: put %s: %w", key, ErrExists)
	} else if !errors.Is(err, ErrNotFound) {
		return 0, err
	}
	return b.put(ctx, key, r, true)
}

func (b *s3Bucket) Replace(ctx context.Context, key string, r io.Reader) (int64, error) {
	if err := checkKey(key); err != nil {
		return 0, err
	}
	return b.put(ctx, key, r, false)
}

// put stores what r gives, and checks that it was stored as sent.
func (b *s3Bucket) put(ctx context.Context, key string, r io.Reader, free bool) (int64, error) {
	sum := crc32.New(castagnoli)
	sent := &countingReader{r: io.TeeReader(r, sum)}
	info, err := b.send(ctx, key, sent, free)
	if err != nil {
		return 0, b.error("put", key, err)
	}
	if err := b.checkStored(ctx, key, info.ETag, sent.n, encode(sum)); err != nil {
		if errors.Is(err, ErrStoreMismatch) {
			err = errors.Join(err, b.takeBack(ctx, key, info.VersionID))
		}
		return 0, fmt.Errorf("archive: put %s: %w", key, err)
	}
	return sent.n, nil
}

// takeBack removes an object that this Put has just stored and that is wrong; nothing
// refers to it yet. A locked object stays, hidden.
func (b *s3Bucket) takeBack(ctx context.Context, key, version string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stall)
	defer cancel()
	if b.lock != nil {
		version = ""
	}
	return b.removeVersion(ctx, key, version)
}

func (b *s3Bucket) Remove(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return b.removeVersion(ctx, key, "")
}

// removeVersion removes one version or, if the id is empty, the object.
func (b *s3Bucket) removeVersion(ctx context.Context, key, version string) error {
	err := b.client.RemoveObject(ctx, b.bucket, b.prefix+key, minio.RemoveObjectOptions{VersionID: version})
	if err == nil {
		return nil
	}
	// S3 calls that a success; some servers do not.
	if err = b.error("remove", key, err); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func (b *s3Bucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if length == 0 {
		return io.NopCloser(strings.NewReader("")), nil
	}
	var opts minio.GetObjectOptions
	var err error
	switch {
	case length > 0:
		err = opts.SetRange(offset, offset+length-1)
	case offset > 0:
		err = opts.SetRange(offset, 0)
	}
	if err != nil {
		return nil, b.error("get", key, err)
	}
	// Core: one request, made now; Client.GetObject would make it at the first
	// read, and a second one to learn the size.
	body, _, _, err := b.core().GetObject(ctx, b.bucket, b.prefix+key, opts)
	if minio.ToErrorResponse(err).StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return nil, b.error("get", key, err)
	}
	return body, nil
}

func (b *s3Bucket) Size(ctx context.Context, key string) (int64, error) {
	if err := checkKey(key); err != nil {
		return 0, err
	}
	info, err := b.client.StatObject(ctx, b.bucket, b.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return 0, b.error("size of", key, err)
	}
	return info.Size, nil
}

func (b *s3Bucket) Check(ctx context.Context) error {
	ok, err := b.client.BucketExists(ctx, b.bucket)
	var resp minio.ErrorResponse
	if errors.As(err, &resp) && resp.Code == "InvalidBucketName" {
		err = ErrBucketName // by the server's own rules
	}
	if err != nil {
		return fmt.Errorf("archive: bucket %s: %w", b.bucket, err)
	}
	if !ok {
		return fmt.Errorf("archive: bucket %s: %w", b.bucket, ErrNotFound)
	}
	if b.lock == nil {
		return nil
	}
	return b.checkLock(ctx)
}

// error returns an error that names the operation, with S3's codes turned into this
// package's errors.
func (b *s3Bucket) error(op, key string, err error) error {
	var resp minio.ErrorResponse
	switch {
	case isTaken(err):
		err = ErrExists
	case errors.As(err, &resp) && resp.Code == minio.NoSuchKey:
		err = ErrNotFound
	}
	return fmt.Errorf("archive: %s %s: %w", op, key, err)
}

// isTaken reports whether a server says that a condition is not met: that the key is taken,
// or that another takes it at this moment.
func isTaken(err error) bool {
	var resp minio.ErrorResponse
	return errors.As(err, &resp) && (resp.Code == minio.PreconditionFailed || resp.Code == "ConditionalRequestConflict")
}

// countingReader counts what is read through it.
type countingReader struct {
	r io.Reader
	n int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.n += int64(n)
	return n, err
}
