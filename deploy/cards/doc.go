// Package cards proves, by tests alone, that cards are read through the real PC/SC daemon.
//
// It is the only test package that runs pcscd with vpcd, the virtual reader, whose ports are
// fixed and open to all interfaces: so its tests run in a mount and network namespace of
// their own, in which nothing of the machine's readers, daemons and networks is seen, and
// out of which nothing leaks. OpenSC, which knows the My Number Card on its own account,
// judges the virtual card; the virtual card judges the agent.
package cards
