// Package admin answers operators, not callers: the probe port with /healthz,
// /readyz and /metrics, and the control listener. It knows nothing of the rest
// of the program: it is handed functions.
package admin
