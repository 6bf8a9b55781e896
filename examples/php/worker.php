<?php
// Reports how a job ended and retries until the server answers.
require __DIR__ . '/vendor/autoload.php';

use BatchProgress\V1\JobOutcome;
use BatchProgress\V1\ProgressServiceClient;
use BatchProgress\V1\ReportJobResultRequest;

// The field `domain` of an ErrorInfo: a status without it comes from a proxy, or from a broken connection.
const FROM_SERVER = "\x12\x0dbatchprogress";
// With these the server does not refuse the report: it is busy, or a person has to change something first.
const LATER = [
    Grpc\STATUS_UNAVAILABLE, Grpc\STATUS_CANCELLED, Grpc\STATUS_DEADLINE_EXCEEDED, Grpc\STATUS_RESOURCE_EXHAUSTED,
    Grpc\STATUS_UNAUTHENTICATED, Grpc\STATUS_PERMISSION_DENIED, Grpc\STATUS_UNIMPLEMENTED,
];

function isAnswer(object $status): bool
{
    $details = $status->metadata['grpc-status-details-bin'][0] ?? '';
    return $status->code === Grpc\STATUS_OK
        || (!in_array($status->code, LATER, true) && str_contains($details, FROM_SERVER));
}

[, $server, $batchId, $jobId] = $argv;
$progress = new ProgressServiceClient($server, [
    'credentials' => Grpc\ChannelCredentials::createInsecure(),
    'grpc.keepalive_time_ms' => 10_000, // the server allows one ping every 5 s
    'grpc.keepalive_timeout_ms' => 10_000, // a busy proxy answers a ping after seconds
]);
$result = new ReportJobResultRequest([
    'batch_id' => $batchId, 'job_id' => $jobId, 'outcome' => JobOutcome::JOB_OUTCOME_SUCCEEDED, 'attempt' => 1,
]);

for ($bound = 50_000; ; $bound = min(2 * $bound, 5_000_000)) {
    // A new deadline for each try (in microseconds), but always the same job id: it is counted once.
    [$response, $status] = $progress->ReportJobResult($result, [], ['timeout' => 10_000_000])->wait();
    if (isAnswer($status)) {
        break;
    }
    usleep(random_int(0, $bound));
}

if ($status->code !== Grpc\STATUS_OK) {
    fwrite(STDERR, $status->details . "\n");
    exit(1);
}
echo $response->getDisposition(), "\n";
