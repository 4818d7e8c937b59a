package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// started is what a "start" order answers.
type started struct {
	// Milliseconds from exec to the first answered call.
	Milliseconds float64 `json:"ms"`
}

const (
	startLimit = 10 * time.Second
	knockEvery = 500 * time.Microsecond
)

// start executes a program, calls its socket until a call is answered, and ends it with SIGTERM.
func (c *client) start(wanted order) (interface{}, error) {
	request, err := c.request(wanted.Request)
	if err != nil {
		return nil, err
	}
	program := exec.Command(wanted.Program[0], wanted.Program[1:]...)
	program.Stderr = os.Stderr
	begun := time.Now()
	if err := program.Start(); err != nil {
		return nil, err
	}
	defer program.Wait()
	defer program.Process.Signal(syscall.SIGTERM)
	for time.Since(begun) < startLimit {
		first, err := net.Dial("unix", wanted.Target)
		if err != nil {
			time.Sleep(knockEvery)
			continue
		}
		connection, err := dial(wanted.Target, func(context.Context, string) (net.Conn, error) { return first, nil })
		if err != nil {
			return nil, err
		}
		defer connection.Close()
		if err := unary(connection, wanted.Method, request); err != nil {
			return nil, err
		}
		return started{Milliseconds: float64(time.Since(begun).Microseconds()) / 1e3}, nil
	}
	return nil, fmt.Errorf("%v served nothing on %s within %v", wanted.Program, wanted.Target, startLimit)
}
