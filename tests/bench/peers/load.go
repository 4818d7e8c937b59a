package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/ioutil"
	"net"

	"google.golang.org/grpc"
)

// order is one line of standard input.
type order struct {
	// Do is "call", "poll" or "start".
	Do string
	// Target is the Unix socket to call.
	Target string
	// Method is the full name, with service and slashes.
	Method string
	// Request is the file that holds the message to send.
	Request string
	// Callers is how many call at once, each its next as soon as it has its answer.
	Callers int
	// Seconds bounds the time, and Calls the number of calls; whichever is not 0.
	Seconds float64
	Calls   int
	// Repeat asks for a server stream of so many messages instead of one answer.
	Repeat int
	// Schedule is what "poll" calls, each in its interval.
	Schedule []polled
	// Program is what "start" executes, with its arguments.
	Program []string
}

// obey carries out orders until there are no more. Connections stay open between them.
func obey(orders io.Reader, results io.Writer) error {
	client := &client{connections: map[string]*grpc.ClientConn{}, requests: map[string]*[]byte{}}
	out := json.NewEncoder(results)
	lines := bufio.NewScanner(orders)
	for lines.Scan() {
		var wanted order
		if err := json.Unmarshal(lines.Bytes(), &wanted); err != nil {
			return err
		}
		result, err := client.carryOut(wanted)
		if err != nil {
			result = map[string]string{"error": err.Error()}
		}
		if err := out.Encode(result); err != nil {
			return err
		}
	}
	return lines.Err()
}

type client struct {
	connections map[string]*grpc.ClientConn
	requests    map[string]*[]byte
}

func (c *client) carryOut(wanted order) (interface{}, error) {
	switch wanted.Do {
	case "call":
		return c.call(wanted)
	case "poll":
		return c.poll(wanted)
	case "start":
		return c.start(wanted)
	}
	return nil, fmt.Errorf("no such order: %q", wanted.Do)
}

// connection is the one to a socket, as the kubelet has one for each service.
func (c *client) connection(target string) (*grpc.ClientConn, error) {
	if open, there := c.connections[target]; there {
		return open, nil
	}
	opened, err := dial(target, dialUnix)
	if err == nil {
		c.connections[target] = opened
	}
	return opened, err
}

type dialer func(context.Context, string) (net.Conn, error)

func dialUnix(ctx context.Context, path string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", path)
}

func dial(target string, connect dialer) (*grpc.ClientConn, error) {
	return grpc.Dial(
		target,
		grpc.WithInsecure(),
		grpc.WithAuthority("localhost"),
		grpc.WithContextDialer(connect),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodec(raw{}),
			grpc.MaxCallRecvMsgSize(largestMessage),
			grpc.MaxCallSendMsgSize(largestMessage),
		),
	)
}

func (c *client) request(path string) (*[]byte, error) {
	if known, there := c.requests[path]; there {
		return known, nil
	}
	content, err := ioutil.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c.requests[path] = &content
	return &content, nil
}
