package preset

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxChallenge bounds the text of a challenge, and so the answer. Those of Okta, Slack and Zoom have less than 100 bytes.
const maxChallenge = 1 << 10

// maxChallengeBody bounds the bodies that are read for a challenge.
const maxChallengeBody = 8 << 10

// answerOkta repeats a header of a GET: Okta sends it once when an event hook is verified, with the secret in Authorization.
func answerOkta(req *http.Request, _, _ []byte) (answer []byte, ok bool) {
	values := req.Header["X-Okta-Verification-Challenge"]
	if req.Method != http.MethodGet || len(values) != 1 {
		return nil, false
	}
	return answerJSON(values[0], struct {
		Verification string `json:"verification"`
	}{values[0]})
}

// answerSlack repeats the challenge of a signed body of the type url_verification.
func answerSlack(_ *http.Request, body, _ []byte) (answer []byte, ok bool) {
	var sent struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
	}
	if !readChallenge(body, "url_verification", &sent) || sent.Type != "url_verification" {
		return nil, false
	}
	return answerJSON(sent.Challenge, struct {
		Challenge string `json:"challenge"`
	}{sent.Challenge})
}

// answerZoom signs the token of a signed body of the event endpoint.url_validation, with the key that signed the body. Without a
// signature there is no answer: it would sign a text that anybody may choose.
func answerZoom(_ *http.Request, body, key []byte) (answer []byte, ok bool) {
	var sent struct {
		Event   string `json:"event"`
		Payload struct {
			PlainToken string `json:"plainToken"`
		} `json:"payload"`
	}
	if key == nil || !readChallenge(body, "endpoint.url_validation", &sent) || sent.Event != "endpoint.url_validation" {
		return nil, false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(sent.Payload.PlainToken))
	return answerJSON(sent.Payload.PlainToken, struct {
		PlainToken     string `json:"plainToken"`
		EncryptedToken string `json:"encryptedToken"`
	}{sent.Payload.PlainToken, hex.EncodeToString(mac.Sum(nil))})
}

// readChallenge reads a body that may have a challenge. Names count in their case, and once: else an event could pass for a challenge. Most bodies are not read twice: they lack the mark, or are too long.
func readChallenge(body []byte, mark string, into any) bool {
	return len(body) <= maxChallengeBody && bytes.Contains(body, []byte(mark)) && json.Unmarshal(body, into) == nil
}

// answerJSON returns the answer to a challenge, unless that is empty or too long.
func answerJSON(challenge string, v any) (answer []byte, ok bool) {
	if challenge == "" || len(challenge) > maxChallenge {
		return nil, false
	}
	answer, err := json.Marshal(v, jsontext.EscapeForHTML(true))
	return answer, err == nil
}
