<?php

namespace BatchProgress\Laravel;

use Illuminate\Console\Command;

/** Shows the progress of a batch until it ends. */
final class WatchCommand extends Command
{
    private const PAUSE_MICROSECONDS_MAX = 2_000_000;

    protected $signature = 'progress:watch {batch : The id of the batch}';

    protected $description = 'Show the progress of a batch until it ends';

    public function handle(Gateway $gateway): int
    {
        if ((string) config('batchprogress.url') === '') {
            $this->error('BATCHPROGRESS_URL is not set: it says where the gateway is.');

            return self::FAILURE;
        }
        $watch = new BatchWatch($gateway, $this->argument('batch'));
        $bar = $this->output->createProgressBar();
        $bar->setFormat('%current%/%max% [%bar%] %percent:3s% %  %message%');
        $bar->setMessage('');
        $batch = null;
        while ($batch === null || $batch['state'] === 'BATCH_STATE_PROCESSING') {
            $problem = $watch->receive(function (array $received) use (&$batch, $bar): void {
                $batch = $received;
                $bar->setMaxSteps((int) $batch['totalJobs']);
                $bar->setMessage(self::summary($batch));
                $bar->setProgress((int) $batch['totalJobs'] - (int) $batch['pendingJobs']);
            });
            if ($watch->isRefused) {
                $this->newLine();
                $this->error($problem);

                return self::FAILURE;
            }
            if ($problem !== '') {
                $bar->setMessage("waiting for the gateway: $problem");
                $bar->display();
                usleep(random_int(0, self::PAUSE_MICROSECONDS_MAX)); // it may be restarted
            }
        }
        $this->newLine();
        $this->info(self::summary($batch));

        return self::SUCCESS;
    }

    private static function summary(array $batch): string
    {
        $state = strtolower(substr($batch['state'], strlen('BATCH_STATE_')));
        $message = "$state: {$batch['succeededJobs']} succeeded, {$batch['failedJobs']} failed, {$batch['skippedJobs']} skipped";

        return ($batch['stallReason'] ?? '') === '' ? $message : "$message. {$batch['stallReason']}";
    }
}
