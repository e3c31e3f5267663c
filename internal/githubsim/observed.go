package githubsim

import "net/http"

// observed is a ResponseWriter that calls a function just before the answer begins, so
// that whatever the client does next comes after that call.
type observed struct {
	http.ResponseWriter
	begins func(status int)
	begun  bool
}

func (o *observed) WriteHeader(status int) {
	if !o.begun {
		o.begun = true
		o.begins(status)
	}
	o.ResponseWriter.WriteHeader(status)
}

func (o *observed) Write(b []byte) (int, error) {
	if !o.begun {
		o.WriteHeader(http.StatusOK)
	}
	return o.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush.
func (o *observed) Unwrap() http.ResponseWriter { return o.ResponseWriter }
