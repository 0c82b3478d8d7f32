// Package lumbersink is a lumberjack v2 server whose behaviour can be scripted
// while it runs: it acknowledges what it receives at once, late or never, cuts
// connections in the middle, or lets nobody in. It stands in for Logstash
// wherever rtbeat's promise has to be seen from the other end of the wire: in
// `rtbeat sink`, in the end-to-end and chaos tests, and under the load
// generator.
//
// Its connections end as Logstash's do: with a reset, after a minute without a
// byte, and at Close only after a quiet period without acknowledgements.
//
// The protocol is spoken by go-lumber's own server over real TCP. This package
// adds the record of what arrived and when it was acknowledged, the policy, and
// the ownership of each window's acknowledgement.
//
// A window is what a client sends and gets acknowledged as a whole. Go-lumber
// hands over one window of a connection at a time: while it is unacknowledged,
// the next one on the same connection waits outside and is not counted as
// received. Windows of other connections are not held up.
package lumbersink
