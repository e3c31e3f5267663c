package bucket

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"
)

// versioned reports whether the bucket keeps versions, or may have kept some. A server
// that does not know versions has none; a server that does not let us ask may have some.
func (b *s3Bucket) versioned(ctx context.Context) (bool, error) {
	c, err := b.client.GetBucketVersioning(ctx, b.bucket)
	switch {
	case err == nil:
		return c.Status != "", nil
	case isNotImplemented(err):
		return false, nil
	case refusedQuestion(err):
		return true, nil // the list of versions will tell, if we may list them
	}
	return false, fmt.Errorf("archive: versioning of bucket %s: %w", b.bucket, err)
}

// refusedQuestion reports whether a server refuses this question for good.
func refusedQuestion(err error) bool {
	var resp minio.ErrorResponse
	if !errors.As(err, &resp) {
		return false
	}
	switch resp.StatusCode {
	case http.StatusForbidden, http.StatusNotImplemented, http.StatusMethodNotAllowed:
		return true
	}
	return false
}

func (b *s3Bucket) ListVersions(ctx context.Context, prefix string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(Version{}, err)
			return
		}
		versioned, err := b.versioned(ctx)
		switch {
		case err != nil:
			yield(Version{}, err)
		case versioned:
			for v, err := range b.versions(ctx, prefix) {
				if !isProbe(v.Key) && !yield(v, err) {
					return
				}
			}
		default:
			for o, err := range b.List(ctx, prefix) {
				if !yield(Version{Key: o.Key}, err) {
					return
				}
			}
		}
	}
}

// versions lists the versions of all objects whose keys begin with a prefix.
func (b *s3Bucket) versions(ctx context.Context, prefix string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		fail := func(err error) {
			if refusedQuestion(err) {
				err = fmt.Errorf("%w: %w", ErrVersionsUnknown, err)
			}
			yield(Version{}, fmt.Errorf("archive: list versions of %q: %w", prefix, err))
		}
		for v := range b.client.ListObjectsIter(ctx, b.bucket, minio.ListObjectsOptions{Prefix: b.prefix + prefix, Recursive: true, WithVersions: true}) {
			if v.Err != nil {
				fail(v.Err)
				return
			}
			key, err := b.keyListed(v.Key, prefix)
			if err != nil {
				fail(err)
				return
			}
			version := Version{Key: key, ID: v.VersionID, Hidden: !v.IsLatest, Marker: v.IsDeleteMarker}
			if version.Key != "" && !yield(version, nil) {
				return
			}
		}
		// Between two pages minio-go ends a cancelled listing without a word.
		if err := ctx.Err(); err != nil {
			fail(err)
		}
	}
}

// versionsOf lists the versions of one object.
func (b *s3Bucket) versionsOf(ctx context.Context, key string) (found []Version, err error) {
	for v, err := range b.versions(ctx, key) {
		if err != nil {
			return nil, err
		}
		if v.Key == key { // and does not only begin like it
			found = append(found, v)
		}
	}
	return found, nil
}

func (b *s3Bucket) Purge(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	versioned, err := b.versioned(ctx)
	if err != nil {
		return err
	}
	if !versioned {
		if err := b.removeVersion(ctx, key, ""); err != nil {
			return b.explainKept(ctx, key, "", err)
		}
		return b.checkGone(ctx, key, nil)
	}
	found, err := b.versionsOf(ctx, key)
	if err != nil {
		return err
	}
	for _, v := range found {
		if err := b.removeVersion(ctx, key, v.ID); err != nil {
			return b.explainKept(ctx, key, v.ID, err)
		}
	}
	// Some servers answer 204 and do nothing.
	if found, err = b.versionsOf(ctx, key); err != nil {
		return err
	}
	return b.checkGone(ctx, key, found)
}

// checkGone fails with ErrRemains if the object is found under its name, or if versions
// of it are listed.
func (b *s3Bucket) checkGone(ctx context.Context, key string, listed []Version) error {
	var still []string
	size, err := b.Size(ctx, key)
	switch {
	case err == nil:
		still = append(still, fmt.Sprintf("it answers by its name, with %d bytes", size))
	case !errors.Is(err, ErrNotFound):
		return err
	}
	for _, v := range listed {
		still = append(still, v.String())
	}
	if len(still) == 0 {
		return nil
	}
	return fmt.Errorf("archive: purge %s: %w: %s", key, ErrRemains, shortList(still))
}

// String says what is under the key.
func (v Version) String() string {
	switch {
	case v.Marker:
		return "delete marker " + v.ID
	case v.ID != "":
		return "version " + v.ID
	}
	return "the object"
}

// shortList formats a list for a message, with a bounded length.
func shortList(of []string) string {
	const maxListed = 5
	text := strings.Join(of[:min(len(of), maxListed)], ", ")
	if more := len(of) - maxListed; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}
