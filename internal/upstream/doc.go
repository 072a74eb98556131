// Package upstream is the wire. It sends a call to one of the servers of an
// upstream and gives back what that server answered, byte for byte; it does not
// know what the bytes mean, follows no redirect, unpacks nothing, and never
// sends anything twice: sending again is an attempt, and policies decide it.
//
// It speaks HTTP/1.1 on connections of its own, and not through http.Transport,
// for two reasons. A plain call costs no goroutine and one write. And framing is
// read strictly: what two readers could read differently (a length beside
// chunks, a bare line feed) is refused, and its connection is never used again.
//
//	Pools     the process's: who leases the same servers shares their connections
//	Upstream  one generation's: a name, a lease and credentials; a gateway.Handler
//	exchange  one call on one connection, and the body of its reply
//
// Whatever goes wrong is named for the client (without addresses), for the
// operator (with them), and counted against the endpoint only where it is the
// upstream's fault.
package upstream
