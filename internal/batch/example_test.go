package batch_test

import (
	"errors"
	"fmt"

	"github.com/txn2/rtbeat/internal/batch"
)

func ExampleDecode() {
	b, err := batch.Decode([]byte(`{
		"uuid": "5d0a4a32",
		"size": 2,
		"messages": [
			{"seq": "1", "uuid": "m-1", "payload": {"counter": 9007199254740993}},
			{"seq": "2", "uuid": "m-2", "payload": {"counter": 18446744073709551616}}
		]
	}`), batch.Options{Identity: batch.Identity{Fields: []string{"uuid"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range b.Messages {
		fmt.Printf("%s %#v\n", m.ID, m.Fields["payload"])
	}
	fmt.Println("as strings:", b.NumbersAsStrings)
	// Output:
	// m-1 map[string]interface {}{"counter":9007199254740993}
	// m-2 map[string]interface {}{"counter":"18446744073709551616"}
	// as strings: 1
}

func ExampleDecode_error() {
	_, err := batch.Decode([]byte(`{"messages":[{"a":1},{"a":1,"a":2}]}`), batch.Options{})

	if refused, ok := errors.AsType[*batch.Error](err); ok {
		fmt.Println(refused.Reason, refused.Offset, refused.Index)
	}
	fmt.Println(err)
	// Output:
	// malformed_json 28 1
	// byte 28, message 1: an object has the same key twice
}

func ExampleDecode_lines() {
	var charged int64
	b, err := batch.Decode([]byte("{\"uuid\":\"m-1\"}\n{\"uuid\":\"m-2\",\"payload\":[[],[],[],[]]}\n"), batch.Options{
		Lines:       true,
		Identity:    batch.Identity{Fields: []string{"uuid"}},
		MaxMessages: 5000,
		Charge:      func(bytes int64) error { charged += bytes; return nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range b.Messages {
		fmt.Printf("%s: %d bytes weigh %d\n", m.ID, len(m.Raw), m.Weight)
	}
	fmt.Println("charged for besides the body:", charged)
	// Output:
	// m-1: 14 bytes weigh 266
	// m-2: 38 bytes weigh 271
	// charged for besides the body: 485
}
