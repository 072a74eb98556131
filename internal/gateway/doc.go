// Package gateway is the centre of the program. It names the things that all
// other packages speak of, and it imports none of them but llm, which is words.
//
// A [Call] is one client request. A [Handler] answers it with a [Reply] or an
// [Error]. A [Policy] is a Handler that stands in front of another one: it may
// answer in its place, send the call on, send it on more than once, or look at
// what comes back. Everything between the server (package server) and the wire
// (package upstream) is a Handler, so there is one shape to learn:
//
//	server -> policy -> policy -> ... -> target -> wire
//
// Errors travel back as values. Only the server writes them to a client.
package gateway
