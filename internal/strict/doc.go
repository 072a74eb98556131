// Package strict stands between a client's connection and net/http's server,
// and lets through only bytes that every HTTP/1 reader understands alike. The
// server of net/http accepts some heads that must be refused, and refuses
// others itself, before a handler could log or count them; so both are caught
// here.
//
// A [Conn] reads whole heads. A good one it hands on as it came; in place of a
// bad one it hands on a small request of its own, which net/http gives to the
// handler like any other and which [Refused] recognises. So the handler stays
// the only writer, and every refusal passes the place where calls are traced.
// A body that breaks off its framing ends in an [Error] out of Body.Read.
//
// What a bad head does to its connection depends on where the next one would
// begin. If that is beyond doubt (a bad path, an unknown method, no body), the
// connection goes on; otherwise the rest of it is never parsed.
//
// Stricter than RFC 9112: no bare LF, no obs-fold, no absolute-form for another
// authority than Host, no white space in chunk lines, no dot segments, empty
// segments, path parameters or encoded delimiters in a path, no ";" in a query.
//
// Left to the server above: names with "_" (dropped there), Upgrade: h2c
// (stripped there), Expect (net/http answers 417), time limits for bodies. Its
// MaxHeaderBytes must not be below [Limits.Head], and its
// DisableGeneralOptionsHandler must be set for "OPTIONS *" to reach the handler.
package strict
