package main

import (
	"fmt"
	"net"
	"path"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const largestMessage = 64 << 20

// cancelled counts the calls whose client gave up.
var cancelled int64

func serve(socket string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	return grpc.NewServer(
		grpc.CustomCodec(raw{}),
		grpc.MaxRecvMsgSize(largestMessage),
		grpc.MaxSendMsgSize(largestMessage),
		grpc.UnknownServiceHandler(answer),
	).Serve(listener)
}

func answer(_ interface{}, stream grpc.ServerStream) error {
	full, _ := grpc.MethodFromServerStream(stream)
	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	asked, _ := metadata.FromIncomingContext(stream.Context())
	if err := stream.SendHeader(metadata.MD{"seen-bin": asked["x-bytes-bin"], "seen": asked["x-text"]}); err != nil {
		return err
	}
	stream.SetTrailer(metadata.MD{"last-bin": {"\x00\xff last"}, "authority": asked[":authority"]})
	switch path.Base(full) {
	case "Version", "RunPodSandbox", "CreateContainer":
		return stream.SendMsg(&request)
	case "Fail":
		code, err := strconv.Atoi(asked["code"][0])
		if err != nil {
			return err
		}
		return status.Error(codes.Code(code), "100 % of é☃\nfailed")
	case "GetContainerEvents":
		for n := 0; n < 1000; n++ {
			if err := stream.SendMsg(&request); err != nil {
				return err
			}
		}
		return nil
	case "ExecSync":
		<-stream.Context().Done()
		atomic.AddInt64(&cancelled, 1)
		// Both ends know the deadline; what the client makes of it is to be seen, so it is first.
		time.Sleep(2 * time.Second)
		return stream.Context().Err()
	case "Cancelled":
		count := []byte(fmt.Sprint(atomic.LoadInt64(&cancelled)))
		return stream.SendMsg(&count)
	}
	return status.Errorf(codes.Unimplemented, "no %s", full)
}
