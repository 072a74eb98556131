// Package server is HTTP in and out: listeners, the checks of a request, the
// writing of replies and errors, the drain. Nothing else writes to a client.
//
// The bytes of a request have passed package strict before net/http reads them.
// What strict refused arrives here as a request that stands for it, and becomes
// a call like any other, so that it is traced, counted and answered in one way.
package server
