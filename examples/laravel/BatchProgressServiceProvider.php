<?php

// Reports how the jobs of Laravel's batches end, through relay.py on the same machine.
// Copy it to app/Providers and register it; docs/laravel.md says how.

namespace App\Providers;

use Illuminate\Contracts\Events\Dispatcher;
use Illuminate\Contracts\Queue\Job;
use Illuminate\Queue\Events\JobFailed;
use Illuminate\Queue\Events\JobProcessed;
use Illuminate\Queue\Events\JobProcessing;
use Illuminate\Queue\Events\JobRetryRequested;
use Illuminate\Queue\Queue;
use Illuminate\Support\Facades\Bus;
use Illuminate\Support\Facades\Log;
use Illuminate\Support\ServiceProvider;

final class BatchProgressServiceProvider extends ServiceProvider
{
    /** Attempts count from 1 again when a failed job is retried: those of run 1 are reported as 1,001 and so on. */
    private const ATTEMPTS_PER_RUN = 1_000;
    /** So that no attempt exceeds the 32 bits of the contract. */
    private const RUN_MAX = 2_000_000;
    /** A relay on the same machine answers within milliseconds; a job must not wait for one that is away. */
    private const RELAY_SECONDS_MAX = 2;
    /** Only the code that dispatches a batch waits for an answer of the server, and not long if it is away. */
    private const CREATE_SECONDS_MAX = 5;

    /** @var resource|null */
    private static $relay = null;
    /** @var array<string, bool> whether the batch of a running job was cancelled before the job began */
    private array $cancelled = [];

    public function boot(Dispatcher $events): void
    {
        Queue::createPayloadUsing($this->mark(...));
        $events->listen(JobRetryRequested::class, $this->countRetry(...));
        $events->listen(JobProcessing::class, $this->askWhetherCancelled(...));
        $events->listen(JobProcessed::class, $this->reportProcessed(...));
        $events->listen(JobFailed::class, $this->reportFailed(...));
    }

    /** Create the batch before its first job can be reported: call it in `Bus::batch($jobs)->before(…)`. */
    public static function create(string $batchId, int $totalJobs, bool $sealed = true): void
    {
        self::send(['batch_id' => $batchId, 'total_jobs' => $totalJobs, 'sealed' => $sealed]);
        if (self::$relay === null) {
            return;
        }
        stream_set_timeout(self::$relay, self::CREATE_SECONDS_MAX);
        if (fgets(self::$relay) !== "created\n") {
            self::$relay = null; // so that nobody takes a late answer for that of another batch
            Log::warning("Batch Progress: batch $batchId is not created; see the log of the relay");
        }
    }

    /** Let each job carry its batch, and the id that it keeps when it is retried. */
    private function mark(string $connection, ?string $queue, array $payload): array
    {
        $job = $payload['data']['command'] ?? null;
        $batchId = is_object($job) ? $job->batchId ?? null : null;
        if ($batchId === null) {
            return [];
        }
        $mark = ['batch_id' => $batchId, 'job_id' => $payload['uuid'], 'queue_time' => time(), 'run' => 0];

        return ['batchprogress' => $mark];
    }

    private function countRetry(JobRetryRequested $event): void
    {
        $payload = $event->payload();
        if (isset($payload['batchprogress'])) {
            $payload['batchprogress']['run']++;
            $event->job->payload = json_encode($payload); // Laravel queues what this event leaves
        }
    }

    private function askWhetherCancelled(JobProcessing $event): void
    {
        if ($mark = $event->job->payload()['batchprogress'] ?? null) {
            $this->cancelled[$mark['job_id']] = rescue(fn () => Bus::findBatch($mark['batch_id'])?->cancelled(), false);
        }
    }

    /** A job that has failed is reported by JobFailed, and one that was released runs again. */
    private function reportProcessed(JobProcessed $event): void
    {
        if (! $event->job->hasFailed() && ! $event->job->isReleased()) {
            $isCancelled = $this->cancelled[$event->job->payload()['batchprogress']['job_id'] ?? ''] ?? false;
            $this->report($event->job, ['outcome' => $isCancelled ? 'skipped' : 'succeeded']);
        }
    }

    private function reportFailed(JobFailed $event): void
    {
        $this->report($event->job, [
            'outcome' => 'failed',
            'error_type' => $event->exception::class,
            'error' => mb_substr($event->exception->getMessage(), 0, 2_000),
        ]);
    }

    private function report(Job $job, array $result): void
    {
        $payload = $job->payload();
        if ($mark = $payload['batchprogress'] ?? null) {
            unset($this->cancelled[$mark['job_id']]);
            self::send([
                'batch_id' => $mark['batch_id'],
                'job_id' => $mark['job_id'],
                'attempt' => $this->run($payload) * self::ATTEMPTS_PER_RUN + $job->attempts(),
                'display_name' => $payload['displayName'] ?? '',
            ] + $result);
        }
    }

    /** Return which run this is: 0, and more with each retry by a person. */
    private function run(array $payload): int
    {
        ['run' => $run, 'queue_time' => $queueTime] = $payload['batchprogress'];
        if (isset($payload['retry_of'])) {
            // Horizon has no event before it queues a retry, but it says when it did.
            $run = max($run + 1, (int) ($payload['pushedAt'] ?? 0) - $queueTime);
        }

        return min($run, self::RUN_MAX);
    }

    private static function send(array $values): void
    {
        $line = json_encode($values, JSON_INVALID_UTF8_SUBSTITUTE) . "\n";
        $name = 'unix://' . config('batchprogress.socket');
        for ($try = 1; $try <= 2; $try++) { // the relay may have been restarted since the last line
            self::$relay ??= @stream_socket_client($name, $code, $reason, self::RELAY_SECONDS_MAX) ?: null;
            if (self::$relay !== null) {
                stream_set_timeout(self::$relay, self::RELAY_SECONDS_MAX);
                if (@fwrite(self::$relay, $line) === strlen($line)) {
                    return;
                }
                self::$relay = null;
            }
        }
        Log::warning("Batch Progress: the relay at $name does not answer: $line is lost");
    }
}
