package batchprogress

import (
	pb "batchprogress/v1"

	"google.golang.org/protobuf/proto"
)

const (
	callReportsMax   = 10_000         // the contract's limit for one call
	callBytesMax     = 4<<20 - 64<<10 // the contract allows 4 MiB for the whole message
	bufferReportsMax = 100_000        // an hour without a server at 28 jobs a second
	bufferBytesMax   = 32 << 20       // errors of 2,000 characters must not fill a worker's memory
	frameBytesMax    = 6              // what a report takes in its call besides its own bytes
)

// entry is a report in the buffer.
type entry struct {
	report *pb.ReportJobResultRequest
	answer chan *pb.ReportedResult // with room for the answer
	size   int
}

// buffer holds unanswered reports in order and within bounds: those in flight, then those that wait.
type buffer struct {
	inFlight, waiting []*entry
	bytes             int
	callReports       int
}

func (b *buffer) len() int { return len(b.inFlight) + len(b.waiting) }

// add adds an entry, and tells whether there was room.
func (b *buffer) add(one *entry) bool {
	one.size = proto.Size(one.report) + frameBytesMax
	if b.len() >= bufferReportsMax || b.bytes+one.size > bufferBytesMax {
		return false
	}
	b.bytes += one.size
	b.waiting = append(b.waiting, one)
	return true
}

// claim puts the oldest entries in flight: as many as one call may carry, and at least one if there is one.
func (b *buffer) claim() []*entry {
	count, bytes := 0, 0
	for count < min(b.callReports, len(b.waiting)) {
		bytes += b.waiting[count].size
		if count > 0 && bytes > callBytesMax {
			break
		}
		count++
	}
	b.inFlight, b.waiting = b.waiting[:count:count], b.waiting[count:]
	return b.inFlight
}

// answered ends a call that was answered, and returns the entries without an answer of their own to the front.
func (b *buffer) answered(unanswered []*entry) {
	b.callReports = min(callReportsMax, 2*b.callReports)
	for _, one := range b.inFlight {
		b.bytes -= one.size
	}
	for _, one := range unanswered {
		b.bytes += one.size
	}
	b.inFlight = nil
	b.waiting = append(unanswered, b.waiting...)
}

// failed ends a call that may have been too large, or that a proxy may dislike: the next one carries half as many. A
// report that does not pass alone lets the others overtake it.
func (b *buffer) failed() {
	entries := b.inFlight
	b.inFlight = nil
	b.callReports = max(1, len(entries)/2)
	if len(entries) > 1 {
		b.waiting = append(entries, b.waiting...)
	} else {
		b.waiting = append(b.waiting, entries...)
	}
}

// clear removes and returns every entry.
func (b *buffer) clear() []*entry {
	entries := append(b.inFlight, b.waiting...)
	*b = buffer{callReports: b.callReports}
	return entries
}
