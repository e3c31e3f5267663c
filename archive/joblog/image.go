package joblog

import (
	"fmt"

	"github.com/distribution/reference"
)

// ImageScheme is what names of images begin with, as in a workflow that uses one as an
// action.
const ImageScheme = "docker://"

// Image is the name of a container image, taken apart.
type Image struct {
	Name   string // docker://NAME, without what docker adds to a short name
	Ref    string // the tag; without one the digest, and without both "latest", as docker takes it
	Tagged bool   // the name has a tag
	Digest string // sha256:HEX, of a name that is pinned; empty: it is not
}

// ParseImage takes the name of an image apart, such as ghcr.io/acme/lint:v4 or
// postgres@sha256:HEX. Names that mean one image to docker have one Name: postgres and
// docker.io/library/postgres.
func ParseImage(s string) (Image, error) {
	if len(s) > maxField {
		return Image{}, fmt.Errorf("an image's name has %d bytes, of which %d are allowed", len(s), maxField)
	}
	named, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return Image{}, err
	}
	i := Image{Name: ImageScheme + reference.FamiliarName(named), Ref: "latest"}
	if d, ok := named.(reference.Digested); ok {
		i.Digest = d.Digest().String()
		i.Ref = i.Digest
	}
	if t, ok := named.(reference.Tagged); ok {
		i.Ref, i.Tagged = t.Tag(), true
	}
	return i, nil
}
