// Reports how a job ended and retries until the server answers.
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand"
	"os"
	"time"

	pb "batchprogress/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

func report(progress pb.ProgressServiceClient, result *pb.ReportJobResultRequest) (*pb.ReportJobResultResponse, error) {
	for {
		// A new deadline for each try, but always the same job id: it is counted once.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		response, err := progress.ReportJobResult(ctx, result)
		cancel()
		switch status.Code(err) {
		case codes.OK, codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.FailedPrecondition:
			return response, err
		default: // may come from a proxy, or pass
			time.Sleep(time.Duration(rand.Int63n(int64(2 * time.Second))))
		}
	}
}

func main() {
	channel, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer channel.Close()
	response, err := report(pb.NewProgressServiceClient(channel), &pb.ReportJobResultRequest{
		BatchId: os.Args[2], JobId: os.Args[3], Outcome: pb.JobOutcome_JOB_OUTCOME_SUCCEEDED,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.GetDisposition())
}
