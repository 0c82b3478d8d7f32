package config

import (
	"fmt"
	"slices"
	"strings"
)

// credentials are the headers that have to be named twice.
var credentials = []string{"authorization", "proxy-authorization", "cookie"}

// fieldNameBytes are what the name of a header may have (RFC 9110, 5.1 and 5.6.2).
const fieldNameBytes = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-.^_`|~"

// Headers returns the names of IncludeHeaders in lower case, each once, in their order.
func (c Config) Headers() []string {
	var names []string
	for _, name := range c.IncludeHeaders {
		if name = strings.ToLower(name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// checkHeaders applies the rules for IncludeHeaders.
func (c *Config) checkHeaders() error {
	times := make(map[string]int)
	for i, name := range c.IncludeHeaders {
		if !isFieldName(name) {
			return fmt.Errorf("rtbeat.include_headers.%d is not the name of a header; use letters, digits and hyphens, such as X-Request-Id", i)
		}
		times[strings.ToLower(name)]++
	}
	for i, name := range c.IncludeHeaders {
		if lower := strings.ToLower(name); times[lower] == 1 && slices.Contains(credentials, lower) {
			return fmt.Errorf("rtbeat.include_headers.%d is %s, which carries credentials, and they would be in each event; leave it out, or name it twice if that is meant", i, name)
		}
	}
	return nil
}

// isFieldName tells whether name can be the name of a header.
func isFieldName(name string) bool {
	return name != "" && strings.Trim(name, fieldNameBytes) == ""
}
