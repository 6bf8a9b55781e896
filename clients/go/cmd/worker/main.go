// Reports that jobs succeeded, and waits until the server has answered. A report is counted once, however often it is
// sent. The jobs are arguments, or the lines of standard input.
//
//	go run ./cmd/worker sync-2026-11 17 18 19
//	seq 1037 | go run ./cmd/worker sync-2026-11
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"batchprogress"
	"batchprogress/internal/program"
	pb "batchprogress/v1"
)

// Lines may come faster than the server records them: a reporter holds 100,000.
const unansweredMax = 50_000

func main() { program.Run("worker BATCH [JOB …]", 1, work) }

func work(ctx context.Context, client *batchprogress.Client, arguments []string) (int, error) {
	reporter := client.NewReporter(arguments[0])
	var answers []<-chan *pb.ReportedResult
	jobs := jobsOf(arguments[1:])
	for jobs != nil && ctx.Err() == nil {
		select {
		case jobID, isOpen := <-jobs:
			if !isOpen {
				jobs = nil
				break
			}
			// … the job's own work …
			answers = append(answers, reporter.Succeeded(jobID))
			if reporter.Unanswered() >= unansweredMax {
				reporter.Flush(ctx)
			}
		case <-ctx.Done(): // SIGTERM: send what there is, and end
		}
	}
	if ctx.Err() == nil {
		reporter.Flush(ctx) // as long as it takes
	}
	reporter.Close(context.Background())
	return summary(answers), ctx.Err()
}

// jobsOf returns the arguments or, without any, the lines of standard input.
func jobsOf(arguments []string) <-chan string {
	jobs := make(chan string)
	go func() {
		defer close(jobs)
		for _, jobID := range arguments {
			jobs <- jobID
		}
		if len(arguments) > 0 {
			return
		}
		lines := bufio.NewReader(os.Stdin)
		for line, err := lines.ReadString('\n'); line != ""; line, err = lines.ReadString('\n') {
			jobs <- strings.TrimSuffix(line, "\n")
			if err != nil {
				return
			}
		}
	}()
	return jobs
}

// summary prints what became of the reports, and returns the exit code.
func summary(answers []<-chan *pb.ReportedResult) int {
	code, counts := 0, map[string]int{}
	for _, answer := range answers {
		result := <-answer
		name := strings.TrimPrefix(result.GetDisposition().String(), "DISPOSITION_")
		if why := result.GetError(); why != nil {
			name, code = why.GetReason(), program.For(why.GetReason())
		}
		counts[name]++
	}
	for name, count := range counts {
		fmt.Printf("%s: %d\n", name, count)
	}
	return code
}
