// Package gatewaytest has what tests put in place of the world: handlers that
// answer from a list ([Answers]), and a provider that streams and misbehaves as
// a script says ([NewProvider]).
//
// # Scripts
//
// A script has one block for each request that is expected, in that order, on
// whichever connection it comes. A block ends at an empty line, or where the
// next head begins. Its head is one of
//
//	200 {"id":"a"}                 a whole answer: status, headers, body
//	429 retry-after=1 {"error":1}  headers are written name=value, in front of the body
//	stream x-a=b                   status 200, an event stream in chunks
//
// and the lines after a head, or in its place, say what happens, in order:
//
//	data: {"x":1}    one event: the line and an empty one, in a chunk of its own
//	comment text     a comment and an empty line
//	raw "data: \r"   these bytes, quoted as in Go
//	after 30s        nothing for so long
//	hang             nothing until the client goes
//	cut              the connection is closed
//	reset            the connection breaks: the client reads ECONNRESET
//	garbage          bytes that are not HTTP
//	refuse           (alone in its block) the connection is refused with ECONNREFUSED
//
// A stream that is not cut ends with its last chunk, and its connection stays
// open for the next request. A body longer or shorter than it says is a whole
// answer with a content-length of its own, and a cut. Lines that begin with #
// are for the reader.
//
// A provider's connections are pipes in memory, so it can be used in a bubble
// of testing/synctest, where "after" takes no time.
package gatewaytest
