package growth

import (
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// spent is how much of a processor f takes on its own thread: what else goes on, on the
// machine and in the garbage collector, is not f's.
func spent(f func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := ofThread()
	f()
	return ofThread() - before
}

// ofThread is how much of a processor this thread has taken. getrusage tells that in
// ticks of milliseconds.
func ofThread() time.Duration {
	const threadCPU = 3 // CLOCK_THREAD_CPUTIME_ID
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, threadCPU, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		panic(errno)
	}
	return time.Duration(ts.Nano())
}
