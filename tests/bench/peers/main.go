// The compiled peers of the benchmarks: a runtime that answers from files, and a client that measures.
//
//	peers backend SOCKET ANSWERS   serve the files of the directory ANSWERS on a Unix socket
//	peers load                     obey one JSON order per line of standard input, answer each with a line
//
// A client in Python would be slower than the differences that are measured. Messages are opaque bytes here: what they
// mean is written in tests/bench/messages.py.
package main

import (
	"fmt"
	"os"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "backend":
		err = serve(os.Args[2], os.Args[3])
	case len(os.Args) == 2 && os.Args[1] == "load":
		err = obey(os.Stdin, os.Stdout)
	default:
		err = fmt.Errorf("usage: peers backend SOCKET ANSWERS | peers load")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
