package config

import (
	"github.com/spanway/spanway/internal/check"
	"github.com/spanway/spanway/internal/price"
)

// readPrices finds out what tokens cost: as the file of prices says, if one is
// named, else as is built in.
func (f *File) readPrices(p check.Problems) {
	read := price.Embedded
	if f.LLM.Prices.Named() {
		read = func() (*price.Table, error) { return price.Parse([]byte(f.LLM.Prices.Text())) }
	}
	table, err := read()
	if err != nil {
		p.At("llm").Addf("prices", "%s: %s", f.LLM.Prices.Path(), err)
	}
	f.LLM.Table = table
}
