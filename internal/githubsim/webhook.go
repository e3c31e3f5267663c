package githubsim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// hookID is the id of the one webhook there is.
const hookID = 421337

// Delivery is one webhook as GitHub would send it.
type Delivery struct {
	GUID  string
	Event string
	// Action is the payload's; empty for ping.
	Action string
	// JobID and RepositoryID are the payload's; 0 for events without them.
	JobID, RepositoryID int64
	// At is when GitHub would send it.
	At          time.Time
	Body        []byte // signed as it stands
	ContentType string

	gitea   bool   // it has Gitea's headers
	sending func() // called before it is sent; nil: nothing is
}

// Form is the delivery as GitHub sends it with the content type
// application/x-www-form-urlencoded.
func (d Delivery) Form() Delivery {
	d.Body = []byte("payload=" + url.QueryEscape(string(d.Body)))
	d.ContentType = "application/x-www-form-urlencoded"
	return d
}

// Sign is the value of X-Hub-Signature-256, "sha256=…".
func Sign(secret string, body []byte) string {
	return "sha256=" + sign(sha256.New, secret, body)
}

func sign(h func() hash.Hash, secret string, body []byte) string {
	m := hmac.New(h, []byte(secret))
	m.Write(body)
	return hex.EncodeToString(m.Sum(nil))
}

// Request is the delivery as an HTTP request with all the headers GitHub sends, or Gitea.
// With an empty secret there are no signatures.
func (d Delivery) Request(ctx context.Context, url, secret string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(d.Body))
	if err != nil {
		return nil, fmt.Errorf("githubsim: delivery %s: %w", d.GUID, err)
	}
	h := r.Header
	if d.gitea {
		d.setGiteaHeaders(h, secret)
		return r, nil
	}
	h.Set("Accept", "*/*")
	h.Set("Content-Type", d.ContentType)
	h.Set("User-Agent", "GitHub-Hookshot/044aadd")
	h.Set("X-GitHub-Delivery", d.GUID)
	h.Set("X-GitHub-Event", d.Event)
	h.Set("X-GitHub-Hook-ID", strconv.Itoa(hookID))
	h.Set("X-GitHub-Hook-Installation-Target-ID", strconv.FormatInt(d.RepositoryID, 10))
	h.Set("X-GitHub-Hook-Installation-Target-Type", "repository")
	if secret != "" {
		h.Set("X-Hub-Signature", "sha1="+sign(sha1.New, secret, d.Body))
		h.Set("X-Hub-Signature-256", Sign(secret, d.Body))
	}
	return r, nil
}
