<?php

$retryAfter = (int) getenv('QUEUE_RETRY_AFTER');

return [
    'default' => getenv('QUEUE_CONNECTION'),
    'connections' => [
        'sync' => ['driver' => 'sync'],
        'database' => ['driver' => 'database', 'table' => 'jobs', 'queue' => 'default', 'retry_after' => $retryAfter],
        'redis' => ['driver' => 'redis', 'connection' => 'default', 'queue' => 'default', 'retry_after' => $retryAfter],
    ],
    'batching' => ['database' => 'app', 'table' => 'job_batches'],
    'failed' => ['driver' => 'database-uuids', 'database' => 'app', 'table' => 'failed_jobs'],
];
