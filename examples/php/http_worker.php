<?php
// Reports how a job ended and retries until the server answers.
//   php http_worker.php http://127.0.0.1:8080 sync-2026-11 17
[, $gateway, $batchId, $jobId] = $argv;
$url = "$gateway/batchprogress.v1.ProgressService/ReportJobResult";
$result = json_encode(['batchId' => $batchId, 'jobId' => $jobId, 'outcome' => 'JOB_OUTCOME_SUCCEEDED', 'attempt' => 1]);
$post = ['method' => 'POST', 'header' => 'content-type: application/json', 'content' => $result];
$context = stream_context_create(['http' => $post + ['timeout' => 10, 'ignore_errors' => true]]);
// The server is busy, or a person has to change something first.
$later = ['unavailable', 'canceled', 'deadline_exceeded', 'resource_exhausted', 'unauthenticated', 'permission_denied', 'unimplemented'];

for ($bound = 50_000; ; $bound = min(2 * $bound, 5_000_000)) { // always the same job id: it is counted once
    $answer = json_decode((string) @file_get_contents($url, false, $context), true);
    if (isset($answer['disposition'])) {
        exit("{$answer['disposition']}\n");
    }
    $details = is_array($answer['details'] ?? null) ? $answer['details'] : []; // a proxy may send any JSON
    $domains = array_column(array_column($details, 'debug'), 'domain');
    if (in_array('batchprogress', $domains, true) && ! in_array($answer['code'], $later, true)) {
        fwrite(STDERR, "{$answer['message']}\n");
        exit(1);
    }
    usleep(random_int(0, $bound));
}
