// Record runs a command on a pty and has the session recorded while it runs.
//
//	go build && ./record who
package main

/*
#cgo pkg-config: libutempter
#include <pty.h>
#include <stdlib.h>
#include <utempter.h>

static int open_pty(int *master, int *slave) {
	return openpty(master, slave, NULL, NULL, NULL);
}
*/
import "C"

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"unsafe"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: record COMMAND [ARGUMENT]...")
		os.Exit(2)
	}
	var masterFd, slaveFd C.int
	if result, err := C.open_pty(&masterFd, &slaveFd); result != 0 {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
	master := os.NewFile(uintptr(masterFd), "master")
	slave := os.NewFile(uintptr(slaveFd), "slave")

	host := C.CString("example")
	defer C.free(unsafe.Pointer(host))
	if recorded, err := C.utempter_add_record(masterFd, host); recorded == 0 {
		fmt.Fprintln(os.Stderr, "record: not recorded:", err)
	}

	command := exec.Command(os.Args[1], os.Args[2:]...)
	command.Stdin, command.Stdout, command.Stderr = slave, slave, slave
	err := command.Start()
	slave.Close()
	if err == nil {
		// A pty whose slave side is closed gives an error, and not an end of file.
		io.Copy(os.Stdout, master)
		err = command.Wait()
	}

	C.utempter_remove_record(masterFd)
	if err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}
