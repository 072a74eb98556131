//go:build race

package telemetry

// raceDetector: allocations and pools differ under it.
const raceDetector = true
