// grpc-go as a peer of the relay: a runtime that does as it is asked, and a client that says what it saw.
//
//	go_peer serve SOCKET   answer until killed
//	go_peer call SOCKET    make every call of the list below, print one JSON line for each
//
// Both ends speak bytes. The same list is called directly and through the relay: the lines must be the same.
package main

import (
	"fmt"
	"os"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		err = serve(os.Args[2])
	case len(os.Args) == 3 && os.Args[1] == "call":
		err = callAll(os.Args[2], os.Stdout)
	default:
		err = fmt.Errorf("usage: go_peer serve|call SOCKET")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// raw passes messages as the bytes they are. It calls itself proto, so that the content-type is the kubelet's.
type raw struct{}

func (raw) Marshal(message interface{}) ([]byte, error) { return *message.(*[]byte), nil }

func (raw) Unmarshal(data []byte, message interface{}) error {
	*message.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func (raw) Name() string { return "proto" }

func (raw) String() string { return "proto" }
