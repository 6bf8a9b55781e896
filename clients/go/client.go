// Package batchprogress reports the results of jobs to Batch Progress and watches batches live.
package batchprogress

import (
	"context"
	"time"

	pb "batchprogress/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
)

var options = []grpc.DialOption{
	// Use every replica behind the name, not only the first.
	grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
	// The server allows one ping every 5 s; a busy proxy answers a ping after seconds.
	grpc.WithKeepaliveParams(keepalive.ClientParameters{
		Time: 10 * time.Second, Timeout: 10 * time.Second, PermitWithoutStream: true,
	}),
	// Find a restarted server within seconds; the default waits up to two minutes.
	grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
		MinConnectTimeout: 5 * time.Second,
	}),
}

// Client makes calls, reporters and watches of one server. It connects with the first call.
type Client struct {
	// Progress has the calls as they are generated, which are tried once.
	Progress pb.ProgressServiceClient

	settings Settings
	channel  *grpc.ClientConn
}

// New returns a client. It fails if the settings are wrong, or a file cannot be read.
func New(settings Settings) (*Client, error) {
	channel, err := dial(settings)
	if err != nil {
		return nil, err
	}
	return &Client{pb.NewProgressServiceClient(channel), settings, channel}, nil
}

// Close ends the connection, with the calls and reporters that use it. Watches have their own.
func (c *Client) Close() error { return c.channel.Close() }

// Call makes a call, and tries it again while the server does not answer: until ctx ends, for up to 10 s if ctx has
// no deadline. Every request of the contract may be sent again. The error is a *CallError.
//
//	response, err := batchprogress.Call(ctx, client, client.Progress.GetBatch, &pb.GetBatchRequest{BatchId: "b"})
func Call[Request, Response any](
	ctx context.Context,
	c *Client,
	method func(context.Context, Request, ...grpc.CallOption) (Response, error),
	request Request,
) (Response, error) {
	if _, has := ctx.Deadline(); !has {
		limited, cancel := context.WithTimeout(ctx, tryMax)
		defer cancel()
		ctx = limited
	}
	for tries := 0; ; tries++ {
		each, cancel := context.WithTimeout(ctx, tryMax)
		response, err := method(each, request)
		cancel()
		if err == nil {
			return response, nil
		}
		found := failureOf(err)
		if found.refusesCall() || !pause(ctx, found.delay(tries)) {
			return response, callError(found, "the call", batchOf(request), c.settings.server())
		}
	}
}

// pause waits, and tells whether ctx has not ended before.
func pause(ctx context.Context, delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func batchOf(request any) string {
	if named, ok := request.(interface{ GetBatchId() string }); ok {
		return named.GetBatchId()
	}
	return ""
}

func dial(settings Settings) (*grpc.ClientConn, error) {
	transport, err := settings.credentials()
	if err != nil {
		return nil, err
	}
	chosen := append([]grpc.DialOption{grpc.WithTransportCredentials(transport)}, options...)
	authorize := token(settings.Token)
	if settings.TokenFile != "" {
		authorize = tokenIn(settings.TokenFile)
		if _, err := authorize(context.Background()); err != nil {
			return nil, err // an empty file is reported before anything is sent
		}
	}
	if authorize != nil {
		chosen = append(chosen, grpc.WithPerRPCCredentials(authorize))
	}
	return grpc.NewClient(settings.server(), chosen...)
}
