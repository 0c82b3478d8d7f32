// Package message makes the messages of the bench: one kind, as the body of a request and as the decoder's fields.
package message

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Size is the length of a message.
type Size int

// Small is a message of about 370 bytes, as rxtx sends them; Large is one of about 4 KB.
const (
	Small Size = iota
	Large
)

// digits is the length of the number at the end of a uuid. Two rounds of messages differ only in this number.
const digits = 12

const uuidPrefix = "00000000-0000-4000-8000-"

// firstNumber has twelve digits, so that all numbers have them.
const firstNumber = 100_000_000_000

func message(i int, size Size) map[string]any {
	payload := map[string]any{
		"reading": 1234.5678 + float64(i%100), "unit": "kWh", "quality": "good", "tariff": 2, "valid": true,
		"location": map[string]any{"lat": 52.520008, "lon": 13.404954}, "note": nil, "counter": 9007199254740993 + int64(i),
	}
	if size == Large {
		payload["samples"], payload["trace"] = samples(i), trace(i)
	}
	return map[string]any{
		"seq":      fmt.Sprintf("20261101-%012d", i),
		"time":     "2026-11-01T12:00:00.123456789Z",
		"uuid":     fmt.Sprintf("%s%0*d", uuidPrefix, digits, i),
		"producer": "gateway-17",
		"label":    "meter",
		"key":      fmt.Sprintf("meter-%06d", i%1000),
		"payload":  payload,
	}
}

// samples and trace make a message long: half numbers, half text. They are the same in every run.
func samples(i int) []float64 {
	random := rand.New(rand.NewPCG(uint64(i), 1))
	values := make([]float64, 240)
	for n := range values {
		values[n] = float64(random.IntN(100_000)) / 1000
	}
	return values
}

func trace(i int) string {
	words := []string{"open", "valve", "pressure", "retry", "timeout", "station", "north", "closed", "reading", "ok"}
	random := rand.New(rand.NewPCG(uint64(i), 2))
	var text strings.Builder
	for text.Len() < 1900 {
		fmt.Fprintf(&text, "%s=%d ", words[random.IntN(len(words))], random.IntN(1000))
	}
	return text.String()
}
