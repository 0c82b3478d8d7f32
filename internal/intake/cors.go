package intake

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rs/cors"
)

// CORS lets web pages of other origins send (Fetch Standard, 3.2).
type CORS struct {
	// AllowedOrigins are the origins of web pages that may send batches from a browser, such as `https://app.example.com`. `*` stands
	// for any text, and alone for every origin. Empty lets no page of another origin send JSON. Browsers send neither cookies nor
	// passwords; a page sends its token itself.
	AllowedOrigins []string `config:"allowed_origins" show:"text"`
}

func (c *CORS) check() error {
	for i, origin := range c.AllowedOrigins {
		key := fmt.Sprintf("rtbeat.cors.allowed_origins.%d", i)
		if origin == "*" {
			if len(c.AllowedOrigins) > 1 {
				return fmt.Errorf("%s is *, which is every origin; remove it, or the others", key)
			}
			continue
		}
		if !isOrigin(origin) {
			return fmt.Errorf("%s is no origin; write scheme and host, with a port if it is not the usual one, such as https://app.example.com, or *", key)
		}
	}
	return nil
}

// isOrigin tells whether a browser may send the text as Origin. It may have one * in its host.
func isOrigin(origin string) bool {
	u, err := url.Parse(strings.Replace(origin, "*", "any", 1))
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && !strings.Contains(u.Host, "*") &&
		strings.ToLower(origin) == origin && u.Scheme+"://"+u.Host == strings.Replace(origin, "*", "any", 1)
}

// preflightAge is how long a browser remembers what a source allows. Browsers bound it themselves, to ten minutes or to two hours.
const preflightAge = 10 * time.Minute

// handler answers preflight requests, and lets the pages of allowed origins read the answers of next. It allows no credentials of
// the browser: a page that has a token sends it in a header. The answers to preflights are not reply's, so prepare comes before them.
func (c *CORS) handler(next http.Handler, prepare http.HandlerFunc) http.Handler {
	if len(c.AllowedOrigins) == 0 {
		return next
	}
	handler := cors.New(cors.Options{
		AllowedOrigins: c.AllowedOrigins,
		AllowedMethods: []string{http.MethodPost},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{"Retry-After", "X-Request-Id"},
		MaxAge:         int(preflightAge.Seconds()),
	}).Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodOptions {
			prepare(w, req)
		}
		handler.ServeHTTP(w, req)
	})
}
