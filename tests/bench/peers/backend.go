package main

import (
	"bytes"
	"fmt"
	"io/ioutil"
	"net"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// repeatHeader names the request header that asks for the same answer more than once: a server stream.
const repeatHeader = "repeat"

// anyID stands in a status for the id that is asked for, which is as long.
var anyID = bytes.Repeat([]byte("5"), 64)

// largestMessage is what the kubelet and containerd allow each other.
const largestMessage = 16 << 20

// serve answers each method of any service with the content of the file of that name: ANSWERS/Version and so on.
func serve(socket, directory string) error {
	files, err := filepath.Glob(filepath.Join(directory, "*"))
	if err != nil {
		return err
	}
	answers := map[string]*[]byte{}
	for _, file := range files {
		content, err := ioutil.ReadFile(file)
		if err != nil {
			return err
		}
		answers[filepath.Base(file)] = &content
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer(
		grpc.CustomCodec(raw{}),
		grpc.MaxRecvMsgSize(largestMessage),
		grpc.MaxSendMsgSize(largestMessage),
		grpc.UnknownServiceHandler(func(_ interface{}, stream grpc.ServerStream) error {
			return answer(answers, stream)
		}),
	)
	return server.Serve(listener)
}

func answer(answers map[string]*[]byte, stream grpc.ServerStream) error {
	full, _ := grpc.MethodFromServerStream(stream)
	message, known := answers[path.Base(full)]
	if !known {
		return status.Error(codes.Unimplemented, fmt.Sprintf("no answer to %s", full))
	}
	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	if strings.HasSuffix(full, "Status") {
		filled := bytes.ReplaceAll(*message, anyID, idOf(request))
		message = &filled
	}
	times := 1
	if headers, _ := metadata.FromIncomingContext(stream.Context()); len(headers[repeatHeader]) > 0 {
		wanted, err := strconv.Atoi(strings.Join(headers[repeatHeader], ""))
		if err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		times = wanted
	}
	for ; times > 0; times-- {
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
	return nil
}

// idOf is the first field of a request, where that is an id; a status keeps what stands there otherwise.
func idOf(request []byte) []byte {
	start, end := 2, 2+len(anyID)
	if len(request) < end || request[0] != 1<<3|2 || int(request[1]) != len(anyID) {
		return anyID
	}
	return request[start:end]
}
