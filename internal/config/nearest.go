package config

// nearest returns the known name that a mistyped one most likely means, or "".
func nearest(name string, known []string) string {
	best, least := "", 3
	for _, candidate := range known {
		// Of a short word, two changes leave too little.
		if d := distance(name, candidate); d < least && d < max(2, len(candidate)-1) {
			best, least = candidate, d
		}
	}
	return best
}

// distance counts the insertions, deletions, substitutions and swaps of
// neighbours that lead from a to b. It gives up where there are many.
func distance(a, b string) int {
	const many = 100
	if max(len(a), len(b)) > many || len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return many
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
