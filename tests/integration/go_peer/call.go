package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // registers itself
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const service = "/runtime.v1.RuntimeService/"

// seen is what a call looked like from here; nothing of it may depend on the time of day.
type seen struct {
	Call     string      `json:"call"`
	Messages int         `json:"messages"`
	Digest   string      `json:"digest"`
	Header   metadata.MD `json:"header"`
	Trailer  metadata.MD `json:"trailer"`
	Code     string      `json:"code"`
	Message  string      `json:"message"`
}

func callAll(socket string, out io.Writer) error {
	connection, err := grpc.Dial(
		"unix:"+socket, grpc.WithInsecure(), grpc.WithBlock(), grpc.WithAuthority("localhost"),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodec(raw{}),
			grpc.MaxCallRecvMsgSize(largestMessage), grpc.MaxCallSendMsgSize(largestMessage),
		),
	)
	if err != nil {
		return err
	}
	defer connection.Close()
	lines := json.NewEncoder(out)
	for _, size := range []int{0, 1, 16383, 16384, 70000, 3 << 20, 20 << 20} {
		for _, method := range []string{"Version", "CreateContainer"} {
			lines.Encode(call(connection, method, bytes(size), time.Minute))
			lines.Encode(call(connection, method, bytes(size), 0, grpc.UseCompressor("gzip")))
		}
	}
	for code := 1; code <= 16; code++ {
		lines.Encode(call(connection, "Fail", bytes(10), time.Minute, failing(code)))
	}
	lines.Encode(call(connection, "GetContainerEvents", bytes(1000), 0))
	lines.Encode(call(connection, "OfTheNextYear", bytes(10), time.Minute))
	lines.Encode(call(connection, "ExecSync", bytes(10), time.Second))
	lines.Encode(call(connection, "ExecSync", bytes(10), 0, cancelling{}))
	lines.Encode(many(connection))
	// The runtime has heard of both calls that were given up.
	for call(connection, "Cancelled", nil, time.Minute).Digest != digest([]byte("2")) {
		time.Sleep(10 * time.Millisecond)
	}
	return lines.Encode("cancelled 2")
}

type failing int

type cancelling struct{}

func call(connection *grpc.ClientConn, method string, request []byte, limit time.Duration, more ...interface{}) seen {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "x-text", "a, b", "x-bytes-bin", "\x00\x01\xff")
	var options []grpc.CallOption
	for _, each := range more {
		switch each := each.(type) {
		case failing:
			ctx = metadata.AppendToOutgoingContext(ctx, "code", strconv.Itoa(int(each)))
		case cancelling:
			time.AfterFunc(time.Second, cancel)
		case grpc.CallOption:
			options = append(options, each)
		}
	}
	result := seen{Call: fmt.Sprint(method, " ", len(request), " ", len(options))}
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, service+method, options...)
	if err == nil {
		err = receive(stream, request, &result)
	}
	result.Code, result.Message = status.Code(err).String(), status.Convert(err).Message()
	return result
}

func receive(stream grpc.ClientStream, request []byte, result *seen) error {
	if err := stream.SendMsg(&request); err != nil && err != io.EOF {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	var all []byte
	var err error
	for err == nil {
		var message []byte
		if err = stream.RecvMsg(&message); err == nil {
			all = append(all, message...)
			result.Messages++
		}
	}
	if err == io.EOF {
		err = nil
	}
	result.Digest = digest(all)
	result.Header, _ = stream.Header()
	result.Trailer = stream.Trailer()
	return err
}

// many makes 100 calls at once, of sizes around the limits of frames and windows.
func many(connection *grpc.ClientConn) seen {
	var callers sync.WaitGroup
	var mutex sync.Mutex
	result := seen{Call: "many", Code: "OK"}
	for n := 0; n < 100; n++ {
		callers.Add(1)
		go func(n int) {
			defer callers.Done()
			request := bytes(n * 1500)
			method := []string{"Version", "CreateContainer", "RunPodSandbox"}[n%3]
			one := call(connection, method, request, time.Minute)
			mutex.Lock()
			defer mutex.Unlock()
			result.Messages += one.Messages
			if one.Code != "OK" || one.Digest != digest(request) {
				result.Code = fmt.Sprint(one)
			}
		}(n)
	}
	callers.Wait()
	return result
}

func bytes(size int) []byte {
	data := make([]byte, size)
	rand.New(rand.NewSource(int64(size))).Read(data)
	return data
}

func digest(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }
