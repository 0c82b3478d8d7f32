package intake

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
)

// maxRequestID is the longest request id that is taken from a sender, in bytes.
const maxRequestID = 128

// requestID names a request in its answer and its log line. It is the sender's X-Request-Id if that has only letters, digits and
// -_.:/+=@, which can forge nothing in a log or a terminal. Otherwise it is a new one.
func requestID(req *http.Request) string {
	id := req.Header.Get("X-Request-ID")
	if plain(id) {
		return id
	}
	var fresh [16]byte
	binary.BigEndian.PutUint64(fresh[:8], rand.Uint64()) //nolint:gosec // to tell requests apart, no secret
	binary.BigEndian.PutUint64(fresh[8:], rand.Uint64()) //nolint:gosec // to tell requests apart, no secret
	return hex.EncodeToString(fresh[:])
}

func plain(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '/', c == '+', c == '=', c == '@':
		default:
			return false
		}
	}
	return true
}
