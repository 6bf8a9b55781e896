package batchprogress

import (
	"fmt"
	"strings"

	pb "batchprogress/v1"
)

// Where the server cuts texts, in characters.
const (
	errorTypeMax    = 200
	errorMessageMax = 2_000
	displayNameMax  = 200
)

// Option is a further field of a report.
type Option func(*pb.ReportJobResultRequest)

// Attempt is the number of this attempt of the job, from 1. Default: 1.
func Attempt(number int32) Option {
	return func(report *pb.ReportJobResultRequest) { report.Attempt = number }
}

// DisplayName says what the job does, for people.
func DisplayName(name string) Option {
	return func(report *pb.ReportJobResultRequest) { report.DisplayName = name }
}

// ErrorType names the kind of the error. Default: the type of the Go error.
func ErrorType(name string) Option {
	return func(report *pb.ReportJobResultRequest) { report.ErrorType = name }
}

// InBatch names the batch. Default: that of the reporter.
func InBatch(batchID string) Option {
	return func(report *pb.ReportJobResultRequest) { report.BatchId = batchID }
}

func because(err error) Option {
	return func(report *pb.ReportJobResultRequest) {
		if err != nil {
			report.ErrorType = strings.TrimPrefix(fmt.Sprintf("%T", err), "*")
			report.ErrorMessage = fmt.Sprint(err) // unlike err.Error(), it survives a nil pointer in the interface
		}
	}
}

func newReport(batchID, jobID string, outcome pb.JobOutcome, options []Option) *pb.ReportJobResultRequest {
	report := &pb.ReportJobResultRequest{BatchId: batchID, JobId: jobID, Outcome: outcome, Attempt: 1}
	for _, option := range options {
		option(report)
	}
	// Only valid UTF-8 can be sent; the server refuses an id that was none.
	report.BatchId, report.JobId = valid(report.BatchId), valid(report.JobId)
	report.ErrorType = cut(report.ErrorType, errorTypeMax)
	report.ErrorMessage = cut(report.ErrorMessage, errorMessageMax)
	report.DisplayName = cut(report.DisplayName, displayNameMax)
	return report
}

func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func cut(text string, charactersMax int) string {
	if len(text) <= charactersMax {
		return valid(text)
	}
	characters := []rune(text)
	return string(characters[:min(len(characters), charactersMax)])
}
