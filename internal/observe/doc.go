// Package observe is the joints: around each call, and around each attempt, it
// turns what happened into spans, metrics and one log line. Rooms on either side
// know nothing of telemetry; they fill in the call and its attempt, and note
// what they decided.
package observe
