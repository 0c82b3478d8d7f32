package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/txn2/rtbeat/internal/auth"
)

func Example() {
	settings := auth.DefaultSettings()
	settings.Bearer.Tokens = auth.Unnamed("new-token", "old-token")
	authenticator, err := auth.New(settings)
	if err != nil {
		fmt.Println(err)
		return
	}
	check := func(req *http.Request) *auth.Refusal {
		pending, refusal := authenticator.Check(req)
		if refusal != nil {
			return refusal // the body is not read
		}
		body := []byte("{}") // as it was sent, before it is decompressed
		return pending.Verify(body)
	}

	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/in", strings.NewReader("{}"))
	refusal := check(req)
	fmt.Println(refusal.Status, refusal.Detail, refusal.Challenge)

	req.Header.Set("Authorization", "Bearer old-token")
	fmt.Println(check(req) == nil)
	// Output:
	// 401 missing [Bearer realm="rtbeat"]
	// true
}
