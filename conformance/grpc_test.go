package conformance_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

const grpcConfig = twoListeners + `
services:
  plain: {protocol: grpc, instances: [{address: "$plain"}]}
  secure: {protocol: grpcs, instances: [{address: "$secure"}], tls: {ca: $dir/cert.pem}}
  dead: {protocol: grpc, instances: [{address: "127.0.0.1:1"}]}
routes:
  plain: {match: {hosts: [plain.test]}, service: plain}
  secure: {match: {hosts: [secure.test]}, service: secure}
  dead: {match: {hosts: [dead.test]}, service: dead}
`

// The fourteen cases of gRPC's interoperability suite, with gRPC's own client and server, in the clear and over TLS on
// either side.
func TestGRPC(t *testing.T) {
	panicOnFatal()
	plain, _ := serveGRPC(t)
	secure, _ := serveGRPC(t, grpc.Creds(credentials.NewTLS(identity().server())))
	g := start(t, grpcConfig, "$plain", plain, "$secure", secure)
	cases := map[string]func(context.Context, *grpc.ClientConn){
		"empty_unary":                 on(interop.DoEmptyUnaryCall),
		"large_unary":                 on(interop.DoLargeUnaryCall),
		"client_streaming":            on(interop.DoClientStreaming),
		"server_streaming":            on(interop.DoServerStreaming),
		"ping_pong":                   on(interop.DoPingPong),
		"empty_stream":                on(interop.DoEmptyStream),
		"timeout_on_sleeping_server":  on(interop.DoTimeoutOnSleepingServer),
		"cancel_after_begin":          on(interop.DoCancelAfterBegin),
		"cancel_after_first_response": on(interop.DoCancelAfterFirstResponse),
		"status_code_and_message":     on(interop.DoStatusCodeAndMessage),
		"special_status_message":      on(interop.DoSpecialStatusMessage),
		"custom_metadata":             on(interop.DoCustomMetadata),
		"unimplemented_method":        interop.DoUnimplementedMethod,
		"unimplemented_service": func(ctx context.Context, c *grpc.ClientConn) {
			interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(c))
		},
	}
	if len(cases) != 14 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, from := range []string{"h2c", "tls"} {
		for _, to := range []string{"plain", "secure"} {
			conn := dialGRPC(t, g, from, to+".test")
			for name, run := range cases {
				t.Run(fmt.Sprintf("%s to %s/%s", from, to, name), func(t *testing.T) {
					defer failed(t)
					run(within(t, 20*time.Second), conn)
				})
			}
		}
	}
}

// What the gateway itself answers is an answer of gRPC too.
func TestGRPCErrorsOfTheGateway(t *testing.T) {
	plain, server := serveGRPC(t)
	g := start(t, grpcConfig, "$plain", plain, "$secure", plain)
	for _, from := range []string{"h2c", "tls"} {
		for host, want := range map[string]codes.Code{"dead.test": codes.Unavailable, "nobody.test": codes.Unimplemented} {
			t.Run(from+"/"+host, func(t *testing.T) {
				_, err := testgrpc.NewTestServiceClient(dialGRPC(t, g, from, host)).EmptyCall(within(t, 10*time.Second), &testgrpc.Empty{})
				if status.Code(err) != want {
					t.Errorf("%v, want %v", err, want)
				}
			})
		}
	}
	t.Run("the server dies within a stream", func(t *testing.T) {
		stream := talk(t, testgrpc.NewTestServiceClient(dialGRPC(t, g, "h2c", "plain.test")))
		server.Stop()
		if _, err := stream.Recv(); err == nil || err == io.EOF || status.Code(err) == codes.DeadlineExceeded {
			t.Errorf("a stream that was cut ended with %v", err)
		}
	})
}

// on adapts the cases, all of which take a client of the test service.
func on(run func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption)) func(context.Context, *grpc.ClientConn) {
	return func(ctx context.Context, c *grpc.ClientConn) { run(ctx, testgrpc.NewTestServiceClient(c)) }
}

func serveGRPC(t *testing.T, opts ...grpc.ServerOption) (string, *grpc.Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(opts...)
	testgrpc.RegisterTestServiceServer(s, interop.NewTestServer())
	var running sync.WaitGroup
	running.Go(func() { _ = s.Serve(l) }) // it ends when it is stopped
	t.Cleanup(func() {
		s.Stop()
		running.Wait()
	})
	return l.Addr().String(), s
}

func dialGRPC(t *testing.T, g *gateway, from, host string) *grpc.ClientConn {
	t.Helper()
	address, creds := g.web, insecure.NewCredentials()
	if from == "tls" {
		address, creds = g.secure, credentials.NewTLS(identity().client())
	}
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(creds), grpc.WithAuthority(host))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// The cases end the process when they fail. fatal turns that into a panic, which failed turns into a failed test.
type fatal struct {
	grpclog.LoggerV2
}

type verdict string

func (fatal) Fatal(args ...any)                 { panic(verdict(fmt.Sprint(args...))) }
func (fatal) Fatalln(args ...any)               { panic(verdict(fmt.Sprintln(args...))) }
func (fatal) Fatalf(format string, args ...any) { panic(verdict(fmt.Sprintf(format, args...))) }

var panicOnFatal = sync.OnceFunc(func() {
	grpclog.SetLoggerV2(fatal{grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard)})
})

func failed(t *testing.T) {
	switch p := recover().(type) {
	case nil:
	case verdict:
		t.Error(string(p))
	default:
		panic(p)
	}
}

// A server may end a call while its client still holds the stream open and waits. The client must hear of it at once.
func TestGRPCServerEndsFirst(t *testing.T) {
	eachGRPC(t, twoListeners, func(t *testing.T, client testgrpc.TestServiceClient) {
		stream := talk(t, client)
		if err := stream.Send(&testgrpc.StreamingOutputCallRequest{ResponseStatus: &testgrpc.EchoStatus{Code: 9, Message: "enough"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.FailedPrecondition || status.Convert(err).Message() != "enough" {
			t.Errorf("%v", err)
		}
	})
}

// A stream may be silent for longer than the body of an upload may.
func TestGRPCSilence(t *testing.T) {
	listeners := strings.ReplaceAll(twoListeners, `"127.0.0.1:0"`, `"127.0.0.1:0", timeouts: {body: 500ms}`)
	eachGRPC(t, listeners, func(t *testing.T, client testgrpc.TestServiceClient) {
		t.Parallel()
		stream := talk(t, client)
		time.Sleep(1500 * time.Millisecond)
		word(t, stream)
	})
}

// eachGRPC runs a test in the clear and over TLS on either side.
func eachGRPC(t *testing.T, listeners string, test func(*testing.T, testgrpc.TestServiceClient)) {
	t.Helper()
	plain, _ := serveGRPC(t)
	secure, _ := serveGRPC(t, grpc.Creds(credentials.NewTLS(identity().server())))
	g := start(t, strings.Replace(grpcConfig, twoListeners, listeners, 1), "$plain", plain, "$secure", secure)
	for _, from := range []string{"h2c", "tls"} {
		for _, to := range []string{"plain", "secure"} {
			conn := dialGRPC(t, g, from, to+".test")
			t.Run(from+" to "+to, func(t *testing.T) { test(t, testgrpc.NewTestServiceClient(conn)) })
		}
	}
}

// talk opens a stream over which a word has been exchanged.
func talk(t *testing.T, client testgrpc.TestServiceClient) testgrpc.TestService_FullDuplexCallClient {
	t.Helper()
	stream, err := client.FullDuplexCall(within(t, 10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	word(t, stream)
	return stream
}

func word(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient) {
	t.Helper()
	if err := stream.Send(&testgrpc.StreamingOutputCallRequest{ResponseParameters: []*testgrpc.ResponseParameters{{Size: 10}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
}
