<?php

// Fills an outbox while the gateway is away, and sends what it has kept after a line on standard input.
//   php fill_outbox.php URL BATCH JOBS

use BatchProgress\Laravel\Cancellations;
use BatchProgress\Laravel\Entry;
use BatchProgress\Laravel\Gateway;
use BatchProgress\Laravel\Outbox;
use BatchProgress\Laravel\ProblemLog;
use Psr\Log\AbstractLogger;

require 'Illuminate/autoload.php';
spl_autoload_register(function (string $class): void {
    if (str_starts_with($class, 'BatchProgress\\Laravel\\')) {
        require __DIR__ . '/../../clients/laravel/src/' . substr($class, strlen('BatchProgress\\Laravel\\')) . '.php';
    }
});

[, $url, $batchId, $jobs] = $argv;
$log = new class () extends AbstractLogger {
    public function log($level, $message, array $context = []): void
    {
        echo $message, "\n";
    }
};
$gateway = Gateway::of(['url' => $url, 'token' => '', 'token_file' => getenv('TOKEN_FILE'), 'ca_file' => '']);
$problems = new ProblemLog(fn () => $log);
$outbox = new Outbox($gateway, $problems, new Cancellations($problems), 20.0);
for ($job = 0; $job < $jobs; $job++) {
    $outbox->put(Entry::result(['batchId' => $batchId, 'jobId' => "$job", 'outcome' => 'JOB_OUTCOME_SUCCEEDED'], null));
}
$outbox->flush();
echo "filled\n";
fgets(STDIN);
$outbox->close();
