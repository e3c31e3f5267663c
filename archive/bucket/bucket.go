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
	// ErrRemains says that a bucket still has something that it was told to remove,
	// whatever it answered. The message says what.
	ErrRemains = errors.New("object is still there")
	// ErrVersionsUnknown says that a bucket may keep versions of what is removed, and
	// does not let us list them.
	ErrVersionsUnknown = errors.New("whether the bucket keeps versions cannot be known: allow s3:GetBucketVersioning, and s3:ListBucketVersions if it does")
	// ErrBucketName says that no bucket can have the name that the URL has.
	ErrBucketName = errors.New("no bucket can have this name: want 3 to 63 lower-case letters, digits, '-' and '.', with a letter or a digit at both ends")
	// ErrUnreadable says that the bucket gave an object that is not as this
	// package writes it: cut short, changed, or something else altogether.
	ErrUnreadable = errors.New("object is unreadable")
)

// Bucket keeps immutable objects under keys made of letters, digits, '.', '-',
// '_' and '/'. Implementations may be used by any number of goroutines and
// processes at once.
type Bucket interface {
	// Put stores all that r gives under a free key; if the key is taken, it fails with
	// ErrExists. Once Put returns nil, the object is complete, with the size and checksum
	// of what was read; otherwise, even if the process is killed, there is no object. Put
	// fails with any error of r.
	Put(ctx context.Context, key string, r io.Reader) (size int64, err error)
	// Replace is Put for a key that may be taken: the old object stays until the new one
	// is complete and takes its place. It is only for damaged objects: if the server
	// stores something else than it was sent, neither object may be left. Of two
	// concurrent calls, one may fail with ErrExists.
	Replace(ctx context.Context, key string, r io.Reader) (size int64, err error)
	// Get reads length bytes from offset; a negative length reads to the end. It fails
	// with ErrNotFound. A range that ends beyond the object's end gives the bytes that
	// there are.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	// Size returns the object's size in bytes. It fails with ErrNotFound.
	Size(ctx context.Context, key string) (int64, error)
	// List gives every object whose key begins with prefix, which is empty or a folder
	// with its '/', once; the objects of one folder come together. Objects that are put
	// or removed meanwhile may be among them or not. It holds a bounded part of the
	// listing in memory. Keys that Put would refuse are given too, those of probes are not.
	// The sequence ends after an error; without an error it is complete.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// Remove removes an object; it is no error if there is none. An S3 bucket with
	// versioning only hides it behind a delete marker: Get and List no longer find it,
	// but its bytes stay until the bucket's own rules delete them.
	Remove(ctx context.Context, key string) error
	// Purge is Remove that hides nothing: it deletes every version of the object, and
	// then checks that each is gone. It may be repeated. It fails with ErrLocked if the
	// bucket keeps a version by Object Lock, and then leaves the rest of the object; with
	// ErrRemains if the bucket still has something of it after it said that it had not;
	// and with ErrVersionsUnknown.
	Purge(ctx context.Context, key string) error
	// ListVersions is List including what is hidden: if the bucket keeps versions, or has
	// kept some, it gives each version of each object, and each delete marker; otherwise
	// it gives what List gives. It fails with ErrVersionsUnknown if there may be versions
	// and they cannot be listed.
	ListVersions(ctx context.Context, prefix string) iter.Seq2[Version, error]
	// Check fails unless the bucket answers; it stores nothing. It fails with ErrNotFound
	// if there is no such bucket, with ErrBucketName if there can be none, and with ErrNoLock.
	Check(ctx context.Context) error
	// Probe is Check that tries what an archive needs. With write it puts a small object
	// under ProbePrefix, in one request and in parts, reads a range of it, lists it, and
	// removes it with all its versions, and removes what older probes have left there. In a
	// bucket that locks what is put, its object is locked for some minutes, and a later probe
	// removes it. Without write it reads a range of any object that it finds. Any number may
	// run at once. It returns what the store lacks that jobvault can do without. It fails
	// with ErrUnfit, with ErrRefused, or with what kept the store from answering.
	Probe(ctx context.Context, write bool) ([]Lack, error)
	// String returns the bucket's URL, without credentials.
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
	Hidden bool   // another version, or a delete marker, is newer than this version
	Marker bool   // a delete marker, which has no bytes
}

// Open opens the bucket behind a URL:
//
//	file:///path
//	s3://bucket/prefix?endpoint=host:port&region=R&tls=false&lock=compliance&lock_days=N
//
// With lock, which is governance or compliance, each object is locked for lock_days days
// from when it is put; replacing or removing a locked object only hides it, and the
// bucket keeps it. Open does not ask whether the bucket is there; Check does.
func Open(rawURL string) (Bucket, error) {
	open, err := opener(rawURL)
	if err != nil {
		return nil, err
	}
	return open()
}

// CheckURL fails if Open would not understand the URL. It opens nothing.
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

// checkKey refuses keys that could leave the bucket or mean two things. All keys are made
// from ids, so none should ever be refused: this is a second line of defence.
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
