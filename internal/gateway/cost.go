package gateway

import "math"

// Cost is money that providers ask for.
type Cost struct {
	NanoUSD int64 // in 10⁻⁹ USD, of what is known
	Known   bool  // something was billed, at a price that is known
	Unknown bool  // something was, or may have been, billed of which the tokens or the price are not known
}

// Owe says that an attempt has begun which may cost something. Charge follows.
func (c *Call) Owe() {
	c.shared.mu.Lock()
	c.shared.owed++
	c.shared.mu.Unlock()
}

// Charge adds what one attempt cost to what the call cost, whether or not its
// reply was the one that was used.
func (c *Call) Charge(cost Cost) {
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	c.shared.owed--
	sum := &c.shared.cost
	if cost.NanoUSD > math.MaxInt64-sum.NanoUSD {
		cost.NanoUSD = math.MaxInt64 - sum.NanoUSD
	}
	sum.NanoUSD += cost.NanoUSD
	sum.Known = sum.Known || cost.Known
	sum.Unknown = sum.Unknown || cost.Unknown
}

// Cost returns what the attempts cost. What one costs that has not ended, as when
// it has lost a race, is unknown.
func (c *Call) Cost() Cost {
	c.shared.mu.Lock()
	defer c.shared.mu.Unlock()
	cost := c.shared.cost
	cost.Unknown = cost.Unknown || c.shared.owed > 0
	return cost
}
