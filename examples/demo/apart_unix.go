//go:build unix

package main

import "syscall"

// exe ends the name of a program.
const exe = ""

// apart puts a process in a group of its own, so that a Ctrl-C in the terminal does not reach it.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
