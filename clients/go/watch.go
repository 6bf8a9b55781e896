package batchprogress

import (
	"context"
	"errors"
	"io"
	"iter"
	"strconv"
	"time"

	pb "batchprogress/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	heartbeat           = 20 * time.Second // haproxy ends a quiet stream after 50 s, nginx after 60 s
	heartbeatsMissedMax = 3                // two may be late or lost to a busy machine
	heartbeatKey        = "batchprogress-heartbeat-seconds"
)

var (
	errCut    = status.Error(codes.Unavailable, "the stream was cut before the batch had ended")
	errSilent = status.Error(codes.Unavailable, "the stream fell silent")
)

// WatchOptions say how a batch is watched.
type WatchOptions struct {
	// MinInterval is the least time between two states; the end comes at once. Default: none.
	MinInterval time.Duration
	// OnWaiting is told why a stream has ended, before the next one is opened. Default: nobody is told.
	OnWaiting func(error)
}

// Watch yields each new state of a batch until it has ended, through restarts of servers and proxies. No state comes
// twice. If the server refuses the watch, for example if there is no such batch, the last pair has a *CallError; if
// ctx ends, it has its error.
func (c *Client) Watch(ctx context.Context, batchID string, options WatchOptions) iter.Seq2[*pb.Batch, error] {
	return func(yield func(*pb.Batch, error) bool) {
		// A connection carries 100 calls through many proxies, so a watch has its own.
		channel, err := dial(c.settings)
		if err != nil {
			yield(nil, err)
			return
		}
		defer channel.Close()
		watch := &watch{progress: pb.NewProgressServiceClient(channel), batchID: batchID, server: c.settings.server(), options: options}
		if err := watch.run(ctx, func(batch *pb.Batch) bool { return yield(batch, nil) }); err != nil {
			yield(nil, err)
		}
	}
}

// watch is where a watch is.
type watch struct {
	progress pb.ProgressServiceClient
	batchID  string
	server   string
	options  WatchOptions

	batch        *pb.Batch // the last state that was yielded
	streamBegins bool
	hasEnded     bool
	isLeft       bool // the caller has left the loop
	tries        int
}

func (w *watch) run(ctx context.Context, yield func(*pb.Batch) bool) error {
	for {
		err := w.stream(ctx, yield)
		var refused *CallError
		if w.hasEnded || w.isLeft {
			return nil
		}
		if errors.As(err, &refused) {
			return refused
		}
		found := failureOf(err)
		if found.refusesCall() {
			return callError(found, "WatchBatch", w.batchID, w.server)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if w.options.OnWaiting != nil {
			w.options.OnWaiting(err)
		}
		if !pause(ctx, found.delay(w.tries)) {
			return ctx.Err()
		}
		w.tries++
	}
}

// stream yields the states of one stream, and returns why it ended.
func (w *watch) stream(ctx context.Context, yield func(*pb.Batch) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(heartbeatsMissedMax*heartbeat, func() { cancel(errSilent) })
	defer silence.Stop()
	stream, err := w.progress.WatchBatch(ctx, w.request())
	if err != nil {
		return err
	}
	w.streamBegins = true
	silent := silentMax(stream)
	for {
		if silent > 0 {
			silence.Reset(silent)
		}
		response, err := stream.Recv()
		silence.Stop() // the program may take its time with a state
		switch {
		case errors.Is(err, io.EOF):
			return errCut
		case errors.Is(context.Cause(ctx), errSilent):
			return errSilent
		case err != nil:
			return err
		}
		w.tries = 0
		isNew, err := w.advance(response.GetBatch())
		if err != nil {
			return err
		}
		if isNew && !yield(w.batch) {
			w.isLeft = true
			return nil
		}
	}
}

// request asks for the present state also if it is known: then every server answers at once, one of 0.1 too, and a
// stream that says nothing is dead.
func (w *watch) request() *pb.WatchBatchRequest {
	return &pb.WatchBatchRequest{
		BatchId:           w.batchID,
		MinInterval:       durationpb.New(w.options.MinInterval),
		HeartbeatInterval: durationpb.New(heartbeat),
	}
}

// silentMax returns how long a stream may be silent, once its headers have come. A server of 0.1 sends no heartbeats,
// and nothing else until the batch changes.
func silentMax(stream grpc.ServerStreamingClient[pb.WatchBatchResponse]) time.Duration {
	header, err := stream.Header()
	if err != nil || len(header.Get(heartbeatKey)) == 0 {
		return 0
	}
	seconds, err := strconv.ParseFloat(header.Get(heartbeatKey)[0], 64)
	if err != nil {
		return 0
	}
	return time.Duration(heartbeatsMissedMax * seconds * float64(time.Second))
}

// advance notes a state, which is nil in a heartbeat, and tells whether it is a newer one.
func (w *watch) advance(batch *pb.Batch) (bool, error) {
	if batch == nil {
		return false, nil
	}
	before := w.batch
	if before != nil && !proto.Equal(before.GetCreateTime(), batch.GetCreateTime()) {
		sentence := "batch " + w.batchID + " at " + w.server + " was replaced by a new batch: watch it again to follow that one"
		return false, &CallError{Reason: batchNotFound, Code: codes.NotFound, sentence: sentence}
	}
	// A fail-over of the database may have lost changes: then the first state of a stream is below the last one.
	isOlder := before != nil && batch.GetRevision() < before.GetRevision() && !w.streamBegins
	w.streamBegins = false
	if isOlder {
		return false, nil
	}
	w.hasEnded = batch.GetState() != pb.BatchState_BATCH_STATE_PROCESSING
	isKnown := before != nil && batch.GetRevision() == before.GetRevision() && batch.GetState() == before.GetState()
	w.batch = batch
	return !isKnown, nil
}
