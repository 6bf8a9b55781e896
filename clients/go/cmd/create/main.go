// Creates a batch. Running it again changes nothing.
//
//	go run ./cmd/create sync-2026-11 1037
package main

import (
	"context"
	"fmt"
	"strconv"

	"batchprogress"
	"batchprogress/internal/program"
	pb "batchprogress/v1"
)

func main() { program.Run("create BATCH TOTAL", 2, create) }

func create(ctx context.Context, client *batchprogress.Client, arguments []string) (int, error) {
	total, err := strconv.ParseInt(arguments[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the total %s is not a number", arguments[1])
	}
	request := &pb.CreateBatchRequest{BatchId: arguments[0], TotalJobs: total}
	response, err := batchprogress.Call(ctx, client, client.Progress.CreateBatch, request)
	if err != nil {
		return 0, err
	}
	fmt.Printf("%s: %d jobs\n", response.GetBatch().GetBatchId(), response.GetBatch().GetTotalJobs())
	return 0, nil
}
