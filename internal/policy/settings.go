package policy

// Admission holds the policies that a call meets once, in the order in which it
// meets them. The file turns them on and sets them; it does not reorder them.
type Admission struct {
	Auth *Auth `yaml:"auth"`
}

// Attempt holds the policies that stand around each attempt, outermost first.
type Attempt struct {
	Timeout *Timeout `yaml:"timeout"`
}
