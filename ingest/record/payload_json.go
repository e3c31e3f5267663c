package record

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
)

// Content types of webhooks.
const (
	ContentJSON = "application/json"
	ContentForm = "application/x-www-form-urlencoded"
)

// PayloadJSON takes the JSON out of a signed body: the body itself, or the field
// "payload" of a form.
func PayloadJSON(contentType string, body []byte) ([]byte, error) {
	if contentType == ContentJSON {
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

// StoredPayloadJSON takes the JSON out of a stored body, whose content type is
// not known any more. A usable payload is an object; no form begins like one.
func StoredPayloadJSON(body []byte) ([]byte, error) {
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return body, nil
	}
	return PayloadJSON(ContentForm, body)
}
