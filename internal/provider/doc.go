// Package provider holds the dialects, a file each: how a call is put to a
// provider of models, and what is learned from its answer as it passes. A
// dialect is a Handler that stands in front of the wire; it knows nothing of
// connections and credentials, which are package upstream's.
//
// The caller's body and the provider's bytes are passed on as they came, but
// for the model's name. A streamed Reply exists only once its first token has
// come, so whatever goes wrong before is an ordinary error, or an ordinary
// reply with the status that it should have had.
//
// The built-in [NewMock] stands where the wire stands.
package provider
