package policy

import "time"

// Timeout bounds the waits of one attempt. 0 is no bound.
type Timeout struct {
	Connect    time.Duration `yaml:"connect"`     // until a connection stands
	FirstToken time.Duration `yaml:"first_token"` // until the reply begins
	Idle       time.Duration `yaml:"idle"`        // between two pieces of a reply
	Total      time.Duration `yaml:"total"`       // from the start to the last byte
}
