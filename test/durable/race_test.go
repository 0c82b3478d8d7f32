//go:build race

package durable

// racing tells whether the race detector is on.
const racing = true
