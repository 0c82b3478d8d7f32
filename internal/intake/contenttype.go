package intake

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/txn2/rtbeat/internal/contentcoding"
)

// format is how a body is to be read, as its headers say.
type format struct {
	coding contentcoding.Coding
	lines  bool // NDJSON
	isForm bool // the JSON is in a field of an HTML form
}

// parseFormat reads the format of a body from the headers. It refuses a body before it is read.
func (e *endpoint) parseFormat(req *http.Request) (f format, err error) {
	if req.ContentLength > int64(e.MaxBody) {
		return format{}, errBodyTooLarge
	}
	if f.coding, err = contentcoding.Parse(req.Header.Values("Content-Encoding")); err != nil {
		return format{}, err
	}
	values := req.Header.Values("Content-Type")
	if len(values) > 1 {
		return format{}, &typeError{strings.Join(values, ", ")}
	}
	if len(values) == 0 || values[0] == "" { // JSON
		return f, nil
	}
	media := mediaType(values[0])
	switch {
	case !inUTF8(values[0]):
		return format{}, &typeError{values[0]}
	case slices.Contains(lineTypes, media):
		f.lines = true
	case slices.Contains(jsonTypes, media), strings.HasSuffix(media, "+json"):
	case slices.Contains(e.types, media):
		f.isForm = media == formType
	default:
		return format{}, &typeError{values[0]}
	}
	return f, nil
}

// The types that each source takes, beside every type that ends in +json (RFC 6839, 3.1).
var (
	jsonTypes = []string{"application/json", "text/json"}
	lineTypes = []string{
		"application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines", "application/x-jsonlines",
		"application/x-ldjson", "application/stream+json",
	}
)

const (
	// acceptedTypes is the header Accept of a 415 for the content type. content_types adds to it.
	acceptedTypes = "application/json, application/x-ndjson"
	formType      = "application/x-www-form-urlencoded"
)

// mediaType returns the type without its parameters, in lower case. It is empty for a value that names no type.
func mediaType(value string) string {
	media, _, _ := strings.Cut(value, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if kind, subtype, _ := strings.Cut(media, "/"); !httpguts.ValidHeaderFieldName(kind) || !httpguts.ValidHeaderFieldName(subtype) {
		return ""
	}
	return media
}

// inUTF8 is false for a type with a charset that is not a part of UTF-8. Parameters that cannot be parsed are ignored.
func inUTF8(value string) bool {
	var charsets []string
	if _, params, err := mime.ParseMediaType(value); err == nil {
		charsets = []string{params["charset"]}
	} else {
		for parameter := range strings.SplitSeq(value, ";") {
			if name, charset, _ := strings.Cut(parameter, "="); strings.EqualFold(strings.TrimSpace(name), "charset") {
				charsets = append(charsets, strings.Trim(charset, ` \t"`))
			}
		}
	}
	return !slices.ContainsFunc(charsets, func(charset string) bool {
		return !slices.Contains([]string{"", "utf-8", "utf8", "us-ascii"}, strings.ToLower(charset))
	})
}

// typeError is the error of a content type that the source does not take. Its text is for the log alone.
type typeError struct{ value string }

// maxLoggedType is how many bytes of a content type are logged.
const maxLoggedType = 100

func (e *typeError) Error() string {
	return "content type " + strconv.QuoteToASCII(e.value[:min(len(e.value), maxLoggedType)])
}

func (e *typeError) Unwrap() error { return errType }
