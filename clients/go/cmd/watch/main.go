// Watches a batch until it ends, through restarts of servers and proxies.
//
//	go run ./cmd/watch sync-2026-11
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"batchprogress"
	"batchprogress/internal/program"
	pb "batchprogress/v1"
)

func main() { program.Run("watch BATCH", 1, watch) }

func watch(ctx context.Context, client *batchprogress.Client, arguments []string) (int, error) {
	options := batchprogress.WatchOptions{OnWaiting: func(err error) {
		fmt.Fprintln(os.Stderr, "waiting for the server:", err)
	}}
	var last *pb.Batch
	for batch, err := range client.Watch(ctx, arguments[0], options) {
		if err != nil {
			return 0, err
		}
		last = batch
		ended := batch.GetTotalJobs() - batch.GetPendingJobs()
		fmt.Printf("%d %% %d of %d, %d failed %s\n", batch.GetPercentComplete(), ended, batch.GetTotalJobs(),
			batch.GetFailedJobs(), strings.TrimPrefix(batch.GetState().String(), "BATCH_STATE_"))
	}
	switch {
	case last.GetState() == pb.BatchState_BATCH_STATE_CANCELLED:
		return program.Cancelled, nil
	case last.GetFailedJobs() > 0:
		return program.WithFailures, nil
	}
	return 0, nil
}
