package upstream

import "fmt"

// State tells what calls have seen of the upstream's servers: whether any of
// them takes calls, and how many do.
func (u *Upstream) State() (ok bool, state string) {
	in := 0
	for _, e := range u.pool.endpoints {
		if e.in() {
			in++
		}
	}
	return in > 0, fmt.Sprintf("%d of %d endpoints", in, len(u.pool.endpoints))
}
