<?php
// Reports how a job ended and retries until the server answers.
require __DIR__ . '/vendor/autoload.php';

use BatchProgress\V1\JobOutcome;
use BatchProgress\V1\ProgressServiceClient;
use BatchProgress\V1\ReportJobResultRequest;

// With these the server answers. Any other status may come from a proxy, or pass.
const ANSWERED = [
    Grpc\STATUS_OK,
    Grpc\STATUS_INVALID_ARGUMENT, Grpc\STATUS_NOT_FOUND, Grpc\STATUS_ALREADY_EXISTS, Grpc\STATUS_FAILED_PRECONDITION,
];

[, $server, $batchId, $jobId] = $argv;
$progress = new ProgressServiceClient($server, ['credentials' => Grpc\ChannelCredentials::createInsecure()]);
$result = new ReportJobResultRequest([
    'batch_id' => $batchId, 'job_id' => $jobId, 'outcome' => JobOutcome::JOB_OUTCOME_SUCCEEDED, 'attempt' => 1,
]);

do {
    // A new deadline for each try (in microseconds), but always the same job id: it is counted once.
    [$response, $status] = $progress->ReportJobResult($result, [], ['timeout' => 10_000_000])->wait();
    $answered = in_array($status->code, ANSWERED, true);
    if (!$answered) {
        usleep(random_int(0, 2_000_000));
    }
} while (!$answered);

if ($status->code !== Grpc\STATUS_OK) {
    fwrite(STDERR, $status->details . "\n");
    exit(1);
}
echo $response->getDisposition(), "\n";
