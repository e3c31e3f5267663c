// Package bucket keeps immutable objects under keys: in a folder, or on a server that
// speaks S3. What it says of an object is looked up and never believed: a write that
// was not stored as sent has failed, and what was removed is looked for. See
// docs/design.md#the-bucket.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strings"
	"time"
)

var (
	// ErrExists says that the key is taken. What is stored is untouched.
	ErrExists = errors.New("object exists already")
	// ErrNotFound says that there is no object under the key.
	ErrNotFound = errors.New("object not found")
	// ErrStoreMismatch says that the server holds something else than was sent.
	ErrStoreMismatch = errors.New("object was stored wrong")
	// ErrLocked says that the bucket itself keeps an object, by Object Lock. The message
	// says until when, if the bucket tells.
	ErrLocked = errors.New("object is locked")
	// ErrRemains says that a bucket has something still that it was told to remove,
	// whatever it answered. The message says what.
	ErrRemains = errors.New("object is still there")
	// ErrVersionsUnknown says that a bucket may keep versions of what is removed, and does
	// not let them be listed.
	ErrVersionsUnknown = errors.New("whether the bucket keeps versions cannot be known: allow s3:GetBucketVersioning, and s3:ListBucketVersions if it does")
	// ErrUnreadable says that the bucket gave an object that is not as this
	// package writes it: cut short, changed, or something else altogether.
	ErrUnreadable = errors.New("object is unreadable")
)

// Bucket keeps immutable objects under keys made of letters, digits, '.', '-',
// '_' and '/'. Implementations may be used by any number of goroutines and
// processes at once.
type Bucket interface {
	// Put stores all that r gives under a key that is free, or fails with
	// ErrExists. The object is there whole, with the size and checksum of what
	// was read, once Put returns nil; else, also when the process is killed,
	// not at all. An error of r fails the Put with that error.
	Put(ctx context.Context, key string, r io.Reader) (size int64, err error)
	// Replace is Put for a key that may be taken: what was there is there until
	// the new object is, whole, and then no more. Only for what is damaged: if the
	// server stores something else than it was sent, neither may be left. Of two at
	// once, one may fail with ErrExists.
	Replace(ctx context.Context, key string, r io.Reader) (size int64, err error)
	// Get reads length bytes from offset; a negative length reads to the end.
	// Fails with ErrNotFound. Reading past the end gives what there is.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	// Size is the object's size in bytes. Fails with ErrNotFound.
	Size(ctx context.Context, key string) (int64, error)
	// List gives every object whose key begins with prefix, which is empty or a
	// folder with its '/', once; the objects of one folder come together. What
	// is put or removed meanwhile may be among them or not. It holds a bounded
	// part of the listing in memory. Keys that Put would refuse are given too.
	// The sequence ends after an error: without one it is complete.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// Remove removes an object; that there is none is no error. An S3 bucket
	// with versioning only hides it behind a delete marker: Get and List do not
	// find it any more, but its bytes stay until the bucket's own rules end them.
	Remove(ctx context.Context, key string) error
	// Purge is Remove with nothing hidden: every version of the object goes, and is then
	// asked for. It may be repeated. Fails with ErrLocked, and the rest of it stays, where
	// the bucket keeps one by Object Lock; with ErrRemains, if the bucket has something of
	// it still after it said that it had not; with ErrVersionsUnknown.
	Purge(ctx context.Context, key string) error
	// ListVersions is List with what is hidden: where the bucket keeps versions, or has
	// kept some, each version of each object, and each delete marker; else what List
	// gives. Fails with ErrVersionsUnknown where there may be versions and they cannot be
	// listed.
	ListVersions(ctx context.Context, prefix string) iter.Seq2[Version, error]
	// Check tells whether the bucket answers; it stores nothing. Fails with
	// ErrNotFound, and with ErrNoLock.
	Check(ctx context.Context) error
	// String is the bucket's URL, without credentials.
	String() string
}

// Object is what a bucket's listing says of an object.
type Object struct {
	Key     string
	Size    int64     // bytes
	ModTime time.Time // when it was put
}

// Version is what a bucket keeps under a key.
type Version struct {
	Key    string
	ID     string // empty: the bucket keeps no versions, and this is the object
	Hidden bool   // a version that another one, or a delete marker, stands before
	Marker bool   // a delete marker, which has no bytes
}

// Open opens the bucket behind a URL:
//
//	file:///path
//	s3://bucket/prefix?endpoint=host:port&region=R&tls=false&lock=compliance&lock_days=N
//
// With lock, governance or compliance, each object is locked for so many days from
// when it is put; what replaces or removes one then hides it, and the bucket keeps it.
// It does not ask whether the bucket is there; Check does.
func Open(rawURL string) (Bucket, error) {
	open, err := opener(rawURL)
	if err != nil {
		return nil, err
	}
	return open()
}

// CheckURL tells whether Open would understand the URL. It touches nothing.
func CheckURL(rawURL string) error {
	_, err := opener(rawURL)
	return err
}

func opener(rawURL string) (func() (Bucket, error), error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("archive: the bucket URL cannot be parsed")
	}
	switch u.Scheme {
	case "file":
		return parseFileURL(u)
	case "s3":
		return parseS3URL(u)
	default:
		return nil, fmt.Errorf("archive: bucket URL %q: the scheme must be file or s3", u.Redacted())
	}
}

const keyCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

// checkKey refuses keys that could leave the bucket or mean two things. All keys
// are made by this package from ids; this is the second lock on the door.
func checkKey(key string) error {
	start := 0
	for i := 0; i <= len(key); i++ {
		if i < len(key) && key[i] != '/' {
			if !strings.ContainsRune(keyCharacters, rune(key[i])) {
				return fmt.Errorf("archive: key %q: character %q", key, key[i])
			}
			continue
		}
		if part := key[start:i]; part == "" || part == "." || part == ".." {
			return fmt.Errorf("archive: key %q: part %q", key, part)
		}
		start = i + 1
	}
	return nil
}

// checkPrefix refuses what is neither empty nor a folder with its '/'.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	folder, ok := strings.CutSuffix(prefix, "/")
	if !ok {
		return fmt.Errorf("archive: prefix %q does not end with '/'", prefix)
	}
	return checkKey(folder)
}
