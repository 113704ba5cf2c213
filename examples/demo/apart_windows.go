package main

import "syscall"

// exe ends the name of a program.
const exe = ".exe"

// apart puts a process in a group of its own, so that a Ctrl-C in the terminal does not reach it.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
