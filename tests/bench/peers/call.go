package main

import (
	"context"
	"io"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// callDeadline is the kubelet's: it makes the grpc-timeout header another one for every call.
const callDeadline = 2 * time.Minute

// taken is what a "call" order answers.
type taken struct {
	Calls      int     `json:"calls"`
	Seconds    float64 `json:"seconds"`
	P50        float64 `json:"p50_us"`
	P99        float64 `json:"p99_us"`
	Failed     int     `json:"failed"`
	FirstError string  `json:"first_error"`
}

func (c *client) call(wanted order) (interface{}, error) {
	connection, err := c.connection(wanted.Target)
	if err != nil {
		return nil, err
	}
	request, err := c.request(wanted.Request)
	if err != nil {
		return nil, err
	}
	one := func() error { return unary(connection, wanted.Method, request) }
	if wanted.Repeat > 0 {
		one = func() error { return stream(connection, wanted, request) }
	}
	return closedLoop(wanted, one), nil
}

// closedLoop has each caller call again and again, and keeps how long each call took.
func closedLoop(wanted order, one func() error) taken {
	var (
		callers  sync.WaitGroup
		mutex    sync.Mutex
		all      []time.Duration
		result   taken
		begun    int64
		started  = time.Now()
		deadline = started.Add(time.Duration(wanted.Seconds * float64(time.Second)))
	)
	callOn := func() {
		defer callers.Done()
		var own []time.Duration
		for {
			if wanted.Calls > 0 && atomic.AddInt64(&begun, 1) > int64(wanted.Calls) {
				break
			}
			before := time.Now()
			if wanted.Seconds > 0 && before.After(deadline) {
				break
			}
			if err := one(); err != nil {
				mutex.Lock()
				result.Failed++
				result.FirstError = err.Error()
				mutex.Unlock()
				break
			}
			own = append(own, time.Since(before))
		}
		mutex.Lock()
		all = append(all, own...)
		mutex.Unlock()
	}
	for n := 0; n < wanted.Callers; n++ {
		callers.Add(1)
		go callOn()
	}
	callers.Wait()
	result.Seconds = time.Since(started).Seconds()
	result.Calls = len(all)
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	result.P50, result.P99 = microseconds(all, 0.50), microseconds(all, 0.99)
	return result
}

func unary(connection *grpc.ClientConn, method string, request *[]byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), callDeadline)
	defer cancel()
	var answer []byte
	return connection.Invoke(ctx, method, request, &answer)
}

// stream asks for wanted.Repeat messages and reads them all.
func stream(connection *grpc.ClientConn, wanted order, request *[]byte) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, repeatHeader, strconv.Itoa(wanted.Repeat))
	messages, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, wanted.Method)
	if err != nil {
		return err
	}
	if err := messages.SendMsg(request); err != nil {
		return err
	}
	if err := messages.CloseSend(); err != nil {
		return err
	}
	for {
		var message []byte
		if err := messages.RecvMsg(&message); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// microseconds is the given quantile of sorted times.
func microseconds(sorted []time.Duration, quantile float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := int(quantile * float64(len(sorted)))
	return float64(sorted[at].Nanoseconds()) / 1e3
}
