package event

import (
	"bytes"
	"unicode/utf8"

	"github.com/elastic/elastic-agent-libs/mapstr"

	"github.com/txn2/rtbeat/internal/batch"
)

// invalidTag is the tag of messages that are not valid, as Logstash has it.
const invalidTag = "_jsonparsefailure"

// invalid are the fields of a message that is not valid, as ECS has them. They are at the root: target is for messages that can
// be read.
func invalid(m batch.Message) mapstr.M {
	return mapstr.M{
		"error": mapstr.M{"type": string(m.Failure.Reason), "message": m.Failure.Error()},
		"event": mapstr.M{"original": original(m.Raw)},
	}
}

// original returns the text of a message, of at most batch.MaxOriginal bytes. Bytes that are no UTF-8 become U+FFFD, which is longer.
func original(raw []byte) string {
	return string(cut(bytes.ToValidUTF8(cut(raw), []byte("\uFFFD"))))
}

// cut returns the first batch.MaxOriginal bytes of a text, without the part of a character at their end. Detach cuts there, too.
func cut(text []byte) []byte {
	if len(text) < batch.MaxOriginal {
		return text
	}
	text = text[:batch.MaxOriginal]
	for i := len(text) - 1; i > len(text)-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				text = text[:i]
			}
			break
		}
	}
	return text
}
