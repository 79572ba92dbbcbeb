package redistest

import "syscall"

// processAttributes lets servers end with the process that started them, and not
// before it when Ctrl-C goes to the whole group of a terminal.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
