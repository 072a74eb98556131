// Package price says what tokens cost. A [Table] is embedded, and a file may
// take its place: in the shape of the embedded one, or in that of LiteLLM's
// model_prices_and_context_window.json.
//
// Money is counted in whole nano-USD (10⁻⁹ USD), from the decimal text of a
// price to the sum of a call; nothing on that way is rounded to binary, runs
// over or becomes negative. What a table does not hold is unknown, never free.
package price
