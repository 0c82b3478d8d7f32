package intake

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gorilla/mux"
)

// routes is the table of paths. Each path knows its methods, so that another one is a 405 with Allow.
func (s *Server) routes(h *handler, r *replier, metrics http.Handler) http.Handler {
	in := func(w http.ResponseWriter, req *http.Request) result {
		defer h.metrics.Request()()
		return h.serve(w, req)
	}
	livez := func(http.ResponseWriter, *http.Request) result { return result{outcome: alive} }
	readyz := func(http.ResponseWriter, *http.Request) result { return s.readiness() }
	unknown := func(http.ResponseWriter, *http.Request) result { return result{outcome: notFound} }
	refuse := func(allow string) http.Handler {
		return r.handle(func(w http.ResponseWriter, _ *http.Request) result {
			w.Header().Set("Allow", allow)
			return result{outcome: methodNotAllowed}
		})
	}

	router := mux.NewRouter().SkipClean(true) // else //in is a redirect, which makes a GET of a POST
	for _, route := range []struct {
		path    string
		methods []string
		allow   string
		handler http.Handler
	}{
		{"/in", []string{http.MethodPost}, "POST", s.serving.track(r.handle(in))},
		{"/livez", []string{http.MethodGet, http.MethodHead}, "GET, HEAD", r.handle(livez)},
		{"/readyz", []string{http.MethodGet, http.MethodHead}, "GET, HEAD", r.handle(readyz)},
		{"/metrics", []string{http.MethodGet, http.MethodHead}, "GET, HEAD", withWriteTimeout(metrics)},
	} {
		router.Path(route.path).Methods(route.methods...).Handler(route.handler)
		router.Path(route.path).Handler(refuse(route.allow))
	}
	router.NotFoundHandler = r.handle(unknown)
	return router
}

// readiness is what /readyz answers.
func (s *Server) readiness() result {
	age, isStalled := s.registry.Stalled()
	switch {
	case s.at(phaseLeaving):
		return result{outcome: leaving}
	case !s.at(phaseServing):
		return result{outcome: starting}
	case isStalled:
		return result{outcome: stalled, detail: detail{Age: seconds(age)}}
	default:
		return result{outcome: ready}
	}
}

// handle turns a function that returns how a request ended into a handler that replies. A panic becomes a 500:
// no early return and no bug can become the 200 that net/http writes for a handler which writes nothing.
func (r *replier) handle(serve func(http.ResponseWriter, *http.Request) result) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.reply(w, req, r.recovered(serve, w, req))
	})
}

func (r *replier) recovered(serve func(http.ResponseWriter, *http.Request) result, w http.ResponseWriter, req *http.Request) (res result) {
	defer func() {
		if p := recover(); p != nil {
			r.log.Errorw("panic while serving a request", "error.message", fmt.Sprint(p), "error.stack_trace", string(debug.Stack()))
			res = result{outcome: panicked}
		}
	}()
	return serve(w, req)
}

func withWriteTimeout(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
		next.ServeHTTP(w, req)
	})
}
