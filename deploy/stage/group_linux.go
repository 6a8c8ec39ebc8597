package stage

import (
	"runtime"
	"sync"
	"syscall"
)

// ownGroup puts a child into a process group of its own, so that Ctrl-C at the terminal
// reaches only this process, and lets the kernel kill it when this process dies.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killGroup(pid int, sig syscall.Signal) error { return syscall.Kill(-pid, sig) }

var lasting = sync.OnceValue(func() chan<- func() {
	calls := make(chan func())
	go func() {
		// The kernel watches the thread that started the child, not the process: this one
		// lives as long as the process does.
		runtime.LockOSThread()
		for f := range calls {
			f()
		}
	}()
	return calls
})

// onLastingThread runs f on a thread that ends only with the process.
func onLastingThread(f func() error) error {
	failed := make(chan error, 1)
	lasting() <- func() { failed <- f() }
	return <-failed
}
