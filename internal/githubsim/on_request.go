package githubsim

import "net/http"

// OnRequest lets f be called before each request to the API is answered, refused
// ones included, so that the world can change in the middle of a listing: what f
// does, this very answer already shows. nil ends it.
//
// f is called without any lock, by several goroutines at once if requests come at
// once, and may call every method of the server but Close, which waits for it.
// It must leave the request's body alone.
func (s *Server) OnRequest(f func(e Endpoint, r *http.Request)) {
	if f == nil {
		s.onRequest.Store(nil)
		return
	}
	s.onRequest.Store(&f)
}
