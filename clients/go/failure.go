package batchprogress

import (
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	domain         = "batchprogress"
	batchNotFound  = "BATCH_NOT_FOUND"
	backoffMin     = 50 * time.Millisecond // the first bound: the time of a commit on a busy server
	backoffMax     = 5 * time.Second       // a thousand workers spread their tries over as long
	doublingsMax   = 16
	tryMax         = 10 * time.Second // a server answers in milliseconds, or after a fail-over of its database
	closeMax       = 10 * time.Second
	outageQuietMax = 30 * time.Second // a rollout of the servers takes less
)

// failure is why a call failed. Only our server can refuse one for good: everything else came from the road to it,
// from a proxy or a broken connection, and may change.
type failure struct {
	err    error
	code   codes.Code
	reason string        // of our server; empty if it was not our server that answered
	retry  time.Duration // what the server asks for
}

func failureOf(err error) failure {
	found := failure{err: err, code: status.Code(err)}
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == domain {
				found.reason = detail.GetReason()
			}
		case *errdetails.RetryInfo:
			found.retry = detail.GetRetryDelay().AsDuration()
		}
	}
	return found
}

func (f failure) isFromServer() bool { return f.reason != "" }

// needsPerson tells whether a person has to change the token, its role or the server's version first.
func (f failure) needsPerson() bool {
	return f.code == codes.Unauthenticated || f.code == codes.PermissionDenied || f.code == codes.Unimplemented
}

// refusesCall tells whether the same call gets the same answer, at least until a person has changed something.
func (f failure) refusesCall() bool { return f.isFromServer() && !isLater(f.code) }

// refusesReports tells whether the server refuses these reports, whatever becomes of tokens and databases.
func (f failure) refusesReports() bool { return f.refusesCall() && !f.needsPerson() }

// delay returns how long to wait before the next try, after so many earlier failures.
func (f failure) delay(tries int) time.Duration {
	if f.needsPerson() {
		return backoffMax/2 + rand.N(backoffMax/2)
	}
	return f.retry + rand.N(min(backoffMax, backoffMin<<min(tries, doublingsMax)))
}

// isLater tells whether our server refuses nothing with a code: it restarts or is busy.
func isLater(code codes.Code) bool {
	switch code {
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded, codes.ResourceExhausted:
		return true
	}
	return false
}

// CallError is the error of a call that the server has refused, or has not answered in time.
type CallError struct {
	// Reason is the server's, for example BATCH_NOT_FOUND; empty if it has not answered.
	Reason string
	Code   codes.Code

	sentence string
	err      error
}

func (e *CallError) Error() string { return e.sentence }

func (e *CallError) Unwrap() error { return e.err }

// callError returns the error of a call that is not tried again.
func callError(f failure, call, batchID, server string) *CallError {
	sentence := fmt.Sprintf("%s of batch %s at %s", call, batchID, server)
	if batchID == "" {
		sentence = call + " at " + server
	}
	switch {
	case f.reason == batchNotFound:
		advice := "check the id, and that the batch was created on this server"
		sentence = fmt.Sprintf("there is no batch %s at %s: %s", batchID, server, advice)
	case f.isFromServer():
		sentence += fmt.Sprintf(" was refused: %s: %s", f.code, status.Convert(f.err).Message())
	default:
		sentence += fmt.Sprintf(" got no answer: %s: %s", f.code, status.Convert(f.err).Message())
	}
	return &CallError{f.reason, f.code, sentence, f.err}
}
