<?php

return [
    // Where the gateway is, such as http://127.0.0.1:8080. Without it, nothing is reported.
    'url' => env('BATCHPROGRESS_URL'),

    // A token with the roles worker and operator, and reader for progress:watch; or a file that has it, which
    // is read again for each call.
    'token' => env('BATCHPROGRESS_TOKEN'),
    'token_file' => env('BATCHPROGRESS_TOKEN_FILE'),

    // The PEM file of the authority that signed the gateway's certificate. By default, those of the system.
    'ca_file' => env('BATCHPROGRESS_CA_FILE'),

    // How long a job, or the code that dispatches a batch, may wait for the gateway, in seconds.
    'timeout' => (float) env('BATCHPROGRESS_TIMEOUT', 2),

    // Whether the jobs that a batch is dispatched with are all its jobs. If so, the remaining time is known
    // while it runs, and jobs that are added later are refused. A batch decides for itself with
    // ->withOption('batchprogress', ['sealed' => true]).
    'sealed' => (bool) env('BATCHPROGRESS_SEALED', false),

    // Whether the stack traces of failed jobs are sent, without the arguments of functions. They contain the
    // messages of all exceptions in the chain, which may be personal data.
    'error_details' => (bool) env('BATCHPROGRESS_ERROR_DETAILS', true),

    // Where problems are logged. By default, in the application's log.
    'log_channel' => env('BATCHPROGRESS_LOG_CHANNEL'),
];
