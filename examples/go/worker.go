// Reports how a job ended and retries until the server answers.
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"time"

	pb "batchprogress/v1"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// The server allows one ping every 5 s; a busy proxy answers one after seconds.
var pings = keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 10 * time.Second}

// refused tells whether the server refuses the report, whenever it is sent again. An error without an ErrorInfo
// of its domain comes from a proxy, or from a broken connection.
func refused(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded, codes.ResourceExhausted: // later
		return false
	case codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented: // when a person has changed something
		return false
	}
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == "batchprogress" {
			return true
		}
	}
	return false
}

func report(progress pb.ProgressServiceClient, result *pb.ReportJobResultRequest) (*pb.ReportJobResultResponse, error) {
	for bound := 50 * time.Millisecond; ; bound = min(2*bound, 5*time.Second) {
		// A new deadline for each try, but always the same job id: it is counted once.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		response, err := progress.ReportJobResult(ctx, result)
		cancel()
		if err == nil || refused(err) {
			return response, err
		}
		time.Sleep(rand.N(bound))
	}
}

func main() {
	channel, err := grpc.NewClient(os.Args[1],
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithKeepaliveParams(pings))
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
