package redistest

import "syscall"

// processAttributes lets servers end with the process that started them.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
