package batchprogress

import (
	"context"
	"fmt"
	"log"
	"sync"
	"time"

	pb "batchprogress/v1"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Reporter reports how jobs end, in the background, until the server answers. A report is counted once, however
// often it is sent. While one call is under way, further reports wait and share the next one.
//
// Each report returns a channel that gets the server's answer; nobody has to receive it. Its Error says why a report
// was not counted. Close the reporter before the process ends.
type Reporter struct {
	client  *Client
	batchID string
	log     func(sentence string)

	mutex    sync.Mutex
	settled  *sync.Cond // when a call has ended
	buffer   buffer
	isClosed bool
	refused  map[string]int // by reason

	added  chan struct{} // there is something to send
	hurry  chan struct{} // a flush waits
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{}

	// Of the goroutine that sends.
	tries          int
	failingSince   time.Time
	isOutageLogged bool
}

// NewReporter returns a reporter for the jobs of a batch, which logs problems by the package log.
func (c *Client) NewReporter(batchID string) *Reporter {
	return c.NewReporterWithLog(batchID, func(s string) { log.Print(s) })
}

// NewReporterWithLog returns a reporter that gives each problem to a function, as one sentence.
func (c *Client) NewReporterWithLog(batchID string, log func(sentence string)) *Reporter {
	r := &Reporter{client: c, batchID: batchID, log: log, buffer: buffer{callReports: callReportsMax}, refused: map[string]int{}}
	r.settled = sync.NewCond(&r.mutex)
	r.added, r.hurry, r.ended = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
	r.ctx, r.cancel = context.WithCancel(context.Background())
	go r.run()
	return r
}

// Unanswered returns the number of reports without an answer.
func (r *Reporter) Unanswered() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.buffer.len()
}

// Succeeded reports that a job did its work.
func (r *Reporter) Succeeded(jobID string, options ...Option) <-chan *pb.ReportedResult {
	return r.report(jobID, pb.JobOutcome_JOB_OUTCOME_SUCCEEDED, options)
}

// Failed reports that a job ended with an error.
func (r *Reporter) Failed(jobID string, err error, options ...Option) <-chan *pb.ReportedResult {
	return r.report(jobID, pb.JobOutcome_JOB_OUTCOME_FAILED, append([]Option{because(err)}, options...))
}

// Skipped reports that a job ended without doing its work.
func (r *Reporter) Skipped(jobID string, options ...Option) <-chan *pb.ReportedResult {
	return r.report(jobID, pb.JobOutcome_JOB_OUTCOME_SKIPPED, options)
}

// Flush waits until every report is answered, or ctx ends; it returns whether every report is.
func (r *Reporter) Flush(ctx context.Context) bool {
	signalOnce(r.hurry)
	stop := context.AfterFunc(ctx, func() {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		r.settled.Broadcast()
	})
	defer stop()
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for r.buffer.len() > 0 && ctx.Err() == nil {
		r.settled.Wait()
	}
	return r.buffer.len() == 0
}

// Close flushes for up to 10 s, or until ctx ends. Reports without an answer are then left to the reconciler; it
// returns how many.
func (r *Reporter) Close(ctx context.Context) int {
	r.mutex.Lock()
	r.isClosed = true
	r.mutex.Unlock()
	limited, cancel := context.WithTimeout(ctx, closeMax)
	defer cancel()
	r.Flush(limited)
	r.cancel()
	<-r.ended
	r.mutex.Lock()
	unsent := r.buffer.clear()
	r.mutex.Unlock()
	for _, one := range unsent {
		one.answer <- refusal(codes.Unavailable, "UNSENT", "the reporter was closed before the server answered")
	}
	if len(unsent) > 0 {
		r.log(fmt.Sprintf("%d reports are unsent at the end: only a reconciler recovers them", len(unsent)))
	}
	return len(unsent)
}

func (r *Reporter) report(jobID string, outcome pb.JobOutcome, options []Option) <-chan *pb.ReportedResult {
	one := &entry{newReport(r.batchID, jobID, outcome, options), make(chan *pb.ReportedResult, 1), 0}
	if refused := r.accept(one); refused != nil {
		one.answer <- r.refuse(one, refused)
	}
	return one.answer
}

// accept puts a report into the buffer, or says why not.
func (r *Reporter) accept(one *entry) *pb.ReportError {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.isClosed {
		return refusal(codes.FailedPrecondition, "CLOSED", "the reporter is closed").Error
	}
	if !r.buffer.add(one) {
		sentence := fmt.Sprintf("%d reports wait already", r.buffer.len())
		return refusal(codes.ResourceExhausted, "BUFFER_FULL", sentence).Error
	}
	signalOnce(r.added)
	return nil
}

func (r *Reporter) run() {
	defer close(r.ended)
	for r.ctx.Err() == nil {
		r.mutex.Lock()
		entries := r.buffer.claim()
		r.mutex.Unlock()
		if len(entries) > 0 {
			r.pause(r.call(entries))
			continue
		}
		select {
		case <-r.added:
		case <-r.ctx.Done():
		}
	}
}

// call sends reports, and returns what keeps the next call waiting; nil if nothing does.
func (r *Reporter) call(entries []*entry) *failure {
	request := &pb.ReportJobResultsRequest{Results: make([]*pb.ReportJobResultRequest, len(entries))}
	for index, one := range entries {
		request.Results[index] = one.report
	}
	ctx, cancel := context.WithTimeout(r.ctx, tryMax)
	defer cancel()
	response, err := r.client.Progress.ReportJobResults(ctx, request)
	switch found := failureOf(err); {
	case err == nil:
		return r.onAnswer(entries, response.GetResults())
	case r.ctx.Err() != nil:
		return nil
	case !found.refusesReports():
		r.logOutage(found)
		r.finish(r.buffer.failed)
		return &found
	case len(entries) > 1: // one bad report must not fail its neighbours
		r.finish(r.buffer.failed)
	default:
		r.finish(func() { r.buffer.answered(nil) })
		why := &pb.ReportError{Code: int32(found.code), Reason: found.reason, Message: status.Convert(err).Message()}
		entries[0].answer <- r.refuse(entries[0], why)
	}
	return nil
}

func (r *Reporter) onAnswer(entries []*entry, results []*pb.ReportedResult) *failure {
	if r.isOutageLogged {
		r.log(r.client.settings.server() + " answers again")
	}
	r.failingSince, r.isOutageLogged = time.Time{}, false
	var unanswered []*entry
	for index, one := range entries {
		switch {
		case index >= len(results) || isLater(codes.Code(results[index].GetError().GetCode())):
			unanswered = append(unanswered, one)
		case results[index].GetError() != nil:
			one.answer <- r.refuse(one, results[index].GetError())
		default:
			one.answer <- results[index]
		}
	}
	r.finish(func() { r.buffer.answered(unanswered) })
	if len(unanswered) > 0 {
		return &failure{code: codes.Unavailable}
	}
	r.tries = 0
	return nil
}

// finish changes the buffer after a call.
func (r *Reporter) finish(change func()) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	change()
	r.settled.Broadcast()
}

// pause waits before the next call; a flush cuts it short, unless the server has asked for it.
func (r *Reporter) pause(found *failure) {
	if found == nil {
		return
	}
	hurry := r.hurry
	if found.retry > 0 {
		hurry = nil
	}
	timer := time.NewTimer(found.delay(r.tries))
	defer timer.Stop()
	r.tries++
	select {
	case <-timer.C:
	case <-hurry:
		r.tries = 0
	case <-r.ctx.Done():
	}
}

func (r *Reporter) logOutage(found failure) {
	if r.failingSince.IsZero() {
		r.failingSince = time.Now()
	}
	isLong := time.Since(r.failingSince) >= outageQuietMax
	if r.isOutageLogged || !(isLong || found.needsPerson()) {
		return
	}
	r.isOutageLogged = true
	r.log(fmt.Sprintf("%s does not accept reports (%v): %d wait", r.client.settings.server(), found.err, r.Unanswered()))
}

func (r *Reporter) refuse(one *entry, why *pb.ReportError) *pb.ReportedResult {
	r.mutex.Lock()
	r.refused[why.GetReason()]++
	count := r.refused[why.GetReason()]
	r.mutex.Unlock()
	if isPowerOfTen(count) { // a million jobs must not write a million lines
		r.log(fmt.Sprintf("the report of job %s of batch %s is not counted: %s: %s (%d for this reason so far)",
			one.report.GetJobId(), one.report.GetBatchId(), why.GetReason(), why.GetMessage(), count))
	}
	return &pb.ReportedResult{Error: why}
}

func isPowerOfTen(number int) bool {
	for number > 9 && number%10 == 0 {
		number /= 10
	}
	return number == 1
}

func refusal(code codes.Code, reason, message string) *pb.ReportedResult {
	return &pb.ReportedResult{Error: &pb.ReportError{Code: int32(code), Reason: reason, Message: message}}
}

func signalOnce(channel chan struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}
