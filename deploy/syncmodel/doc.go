// Package syncmodel proves, by tests alone, what terminals and backend promise together:
// every record that a person saw confirmed is at the backend exactly once in effect and in
// its terminal's order, or in sight with a reason, and nothing that was accepted was altered.
//
// One test compares random histories (crashes, lost answers, late and doubled requests,
// restored backups, moved clocks, full disks, changed keys, copied disks) with a set. The
// other lets 2,000 terminals work through a line that is down for three days.
package syncmodel
