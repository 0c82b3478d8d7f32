package intake

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/txn2/rtbeat/internal/diskqueue"
)

// route is a path and its methods, so that another method is a 405 with Allow.
type route struct {
	path     string
	isBelow  bool // path is the beginning of the paths
	endpoint *endpoint
	methods  []string
	handler  http.Handler
}

// routes returns the handlers of the main and the admin listener. Health and metrics are on one of them. The status page is only on
// the admin listener.
func (s *Server) routes(r *replier) (in, admin http.Handler) {
	h := s.handler
	livez := func(http.ResponseWriter, *http.Request) result { return result{outcome: alive} }
	readyz := func(http.ResponseWriter, *http.Request) result { return s.readiness() }
	get := []string{http.MethodGet, http.MethodHead}
	health := []route{
		{"/livez", false, r.nowhere, get, r.handle(r.nowhere, livez)},
		{"/readyz", false, r.nowhere, get, r.handle(r.nowhere, readyz)},
		{"/metrics", false, r.nowhere, get, h.prepared(h.Metrics.Handler())},
	}
	intake := s.intakeRoutes(r)
	if h.Admin {
		var status []route
		for _, path := range h.StatusPaths {
			status = append(status, route{path, false, r.nowhere, get, h.prepared(h.Status)})
		}
		return r.router(intake), r.router(slices.Concat(health, status))
	}
	return r.router(slices.Concat(health, intake)), r.router(nil)
}

// intakeRoutes returns a route for each source: first the exact paths, then the longest beginnings.
func (s *Server) intakeRoutes(r *replier) (routes []route) {
	for _, e := range s.endpoints {
		path, isBelow := e.source.Below()
		if !isBelow {
			path = e.source.Path
		}
		routes = append(routes, route{path, isBelow, e, e.methods(), e.CORS.handler(s.track(r.handle(e, e.answer)), r.prepare)})
	}
	slices.SortStableFunc(routes, func(a, b route) int {
		switch {
		case a.isBelow == b.isBelow:
			return cmp.Compare(len(b.path), len(a.path))
		case b.isBelow:
			return -1
		default:
			return 1
		}
	})
	return routes
}

// router serves a table of paths. The first that matches counts. Any other path is a 404.
func (r *replier) router(routes []route) http.Handler {
	router := mux.NewRouter().SkipClean(true) // else //in is a redirect, which makes a GET of a POST
	for _, route := range routes {
		at := router.Path
		if route.isBelow {
			at = router.PathPrefix
		}
		at(route.path).Methods(route.methods...).Handler(route.handler)
		at(route.path).Handler(r.handle(route.endpoint, func(w http.ResponseWriter, _ *http.Request) result {
			w.Header().Set("Allow", strings.Join(route.methods, ", "))
			return result{outcome: methodNotAllowed}
		}))
	}
	router.NotFoundHandler = r.handle(r.nowhere, func(http.ResponseWriter, *http.Request) result {
		return result{outcome: notFound, phrase: r.notFound}
	})
	return router
}

// readiness is the answer of /readyz. It takes the locks of the registry and of admission, one after the other, for a short time.
func (s *Server) readiness() result {
	if s.at(phaseLeaving) {
		return healthResult(leaving, time.Since(s.born)-time.Duration(s.leftAt.Load()))
	}
	if !s.at(phaseServing) {
		return healthResult(starting, time.Since(s.born))
	}
	age, isStalled := s.handler.Registry.Stalled()
	if isStalled && s.handler.Store == nil {
		return healthResult(stalled, age)
	}
	if s.handler.Store != nil {
		if age, err := s.handler.Store.Trouble(); errors.Is(err, diskqueue.ErrFull) {
			return healthResult(full, age)
		} else if err != nil {
			return healthResult(failed, age)
		}
	}
	if age, _, isHigh := s.handler.Admission.High(); isHigh {
		return healthResult(high, age)
	}
	if isStalled {
		return healthResult(degraded, age)
	}
	return result{outcome: ready}
}

// settingOf has the setting that decides about an answer of /readyz.
var settingOf = map[outcome]string{
	starting: "rtbeat.port",
	stalled:  "rtbeat.stall_after",
	degraded: "rtbeat.stall_after",
	high:     "rtbeat.max_in_flight_bytes",
	full:     "rtbeat.durable.max_bytes",
	failed:   "rtbeat.durable.path",
	leaving:  "rtbeat.shutdown_delay",
}

// healthResult is an answer of /readyz with the setting that decides about it, and the age of the state.
func healthResult(o outcome, age time.Duration) result {
	return result{outcome: o, detail: detail{Setting: settingOf[o], Age: seconds(age)}}
}

// handle makes a handler that replies with the result of serve, as endpoint e. A panic is a 500. net/http writes a 200 for a handler
// that writes nothing; this handler always writes.
func (r *replier) handle(e *endpoint, serve func(http.ResponseWriter, *http.Request) result) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		began := time.Now()
		res := r.recovered(serve, w, req)
		res.source, res.began = e, began
		r.reply(w, req, res)
	})
}

func (r *replier) recovered(serve func(http.ResponseWriter, *http.Request) result, w http.ResponseWriter, req *http.Request) (res result) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.Errorw("panic while serving a request",
				appendTrace([]any{"error.message", fmt.Sprint(p), "error.stack_trace", string(debug.Stack())}, req)...)
			res = result{outcome: panicked}
		}
	}()
	return serve(w, req)
}

// prepared calls prepare before a handler that writes its answers itself.
func (h *handler) prepared(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h.prepare(w, req)
		next.ServeHTTP(w, req)
	})
}

// prepare sets the deadline and the end of the connection, as reply does, for an answer that reply does not write.
func (h *handler) prepare(w http.ResponseWriter, req *http.Request) {
	now := time.Now()
	_ = http.NewResponseController(w).SetWriteDeadline(now.Add(writeTimeout))
	if h.closes(req) || h.Connections.IsOld(req.Context(), now) {
		w.Header().Set("Connection", "close")
	}
}
