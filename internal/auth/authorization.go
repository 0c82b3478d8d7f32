package auth

import (
	"encoding/base64"
	"strings"
)

const headerAuthorization = "Authorization"

// checkAuthorization checks the values of the Authorization header, and returns the name of the token's owner, or the user. Without
// values, both results are empty.
//
// A request may have the header once (RFC 9110, 11.6.2). Two are refused even if both are right: a proxy may check the first,
// and rtbeat the second.
func (a *Authenticator) checkAuthorization(values []string) (sender string, refusal *Refusal) {
	if len(values) == 0 {
		return "", nil
	}
	if len(values) != 1 {
		return "", a.unauthorized(RepeatedHeader, false)
	}
	scheme, credential, _ := strings.Cut(values[0], " ")
	credential = strings.TrimLeft(credential, " ") // 1*SP, RFC 9110, 11.4

	switch scheme = lowerASCII(scheme); {
	case scheme == "bearer" && !a.tokens.isEmpty():
		if !isToken68(credential) {
			return "", a.unauthorized(BadAuthorization, true)
		}
		name, ok := a.tokens.find(credential)
		if !ok {
			return "", a.unauthorized(WrongToken, true)
		}
		return name, nil
	case scheme == "basic" && !a.logins.isEmpty():
		login, ok := parseBasic(credential)
		if !ok {
			return "", a.unauthorized(BadAuthorization, false)
		}
		user, ok := a.logins.find(login)
		if !ok {
			return "", a.unauthorized(WrongLogin, false)
		}
		return user, nil
	default:
		return "", a.unauthorized(BadScheme, false)
	}
}

// checkToken checks the values of the header of tokens, and returns the name of the token's owner. Without values, both results are
// empty.
func (a *Authenticator) checkToken(values []string) (sender string, refusal *Refusal) {
	if len(values) == 0 {
		return "", nil
	}
	if len(values) != 1 {
		return "", a.unauthorized(RepeatedHeader, false)
	}
	name, ok := a.values.find(values[0])
	if !ok {
		return "", a.unauthorized(WrongToken, false)
	}
	return name, nil
}

// strictBase64 requires padding, and accepts one spelling of each value.
var strictBase64 = base64.StdEncoding.Strict()

// parseBasic returns user and password, with their colon (RFC 7617, 2). Users in the settings have no colon, so one comparison
// compares both, and its time does not tell which of them was wrong. Bytes are compared as they are: a sender must send UTF-8,
// and a letter with an accent in the same form as in the settings.
func parseBasic(credential string) (login string, ok bool) {
	// The decoder ignores line breaks, so the syntax is checked first.
	if !isToken68(credential) {
		return "", false
	}
	decoded, err := strictBase64.DecodeString(credential)
	if err != nil || !strings.Contains(string(decoded), ":") {
		return "", false
	}
	return string(decoded), true
}

// isToken68 tells whether s is the token68 of RFC 9110, 11.2, which is the b64token of RFC 6750, 2.1.
func isToken68(s string) bool {
	s = strings.TrimRight(s, "=")
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/") == ""
}

// lowerASCII returns s with the letters A to Z in lower case. strings.ToLower would also make a k of the Kelvin sign, and
// strings.EqualFold an s of the long s.
func lowerASCII(s string) string {
	lower := []byte(s)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return string(lower)
}
