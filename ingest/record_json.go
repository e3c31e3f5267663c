package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
)

// Content types of webhooks.
const (
	contentJSON = "application/json"
	contentForm = "application/x-www-form-urlencoded"
)

// payloadJSON takes the JSON out of a signed body: the body itself, or the field
// "payload" of a form.
func payloadJSON(contentType string, body []byte) ([]byte, error) {
	if contentType == contentJSON {
		return body, nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("form: %w", err)
	}
	if !form.Has("payload") {
		return nil, errors.New("form: no field payload")
	}
	return []byte(form.Get("payload")), nil
}

// storedPayloadJSON takes the JSON out of a stored body, whose content type is
// not known any more. A usable payload is an object; no form begins like one.
func storedPayloadJSON(body []byte) ([]byte, error) {
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return body, nil
	}
	return payloadJSON(contentForm, body)
}
