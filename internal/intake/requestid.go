package intake

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strings"
)

// maxRequestID is the longest request id that is taken from a sender, in bytes.
const maxRequestID = 128

// plain are the characters of a request id. They can forge nothing in a log or a terminal.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+=@"

// requestID names a request in its answer and its log line. It is the sender's X-Request-Id if that is plain, otherwise a new id.
func requestID(req *http.Request) string {
	id := req.Header.Get("X-Request-ID")
	if id != "" && len(id) <= maxRequestID && strings.Trim(id, plain) == "" {
		return id
	}
	var fresh [16]byte
	binary.BigEndian.PutUint64(fresh[:8], rand.Uint64()) //nolint:gosec // to tell requests apart, no secret
	binary.BigEndian.PutUint64(fresh[8:], rand.Uint64()) //nolint:gosec // to tell requests apart, no secret
	return hex.EncodeToString(fresh[:])
}
