<?php

namespace BatchProgress\Laravel;

use Closure;
use Illuminate\Bus\Batch;
use Illuminate\Contracts\Queue\Job;
use Illuminate\Queue\Events\JobExceptionOccurred;
use Illuminate\Queue\Events\JobFailed;
use Illuminate\Queue\Events\JobProcessed;
use Illuminate\Queue\Events\JobProcessing;
use Illuminate\Queue\Events\JobRetryRequested;
use Illuminate\Support\Facades\Bus;
use Illuminate\Support\Str;
use InvalidArgumentException;
use Throwable;

/** Announces the jobs of batches and reports how they end, from what Laravel tells about them. */
final class Tracker
{
    /** The option of a batch: false, or ['sealed' => true, 'max_failed_jobs' => 50]. */
    private const OPTION = 'batchprogress';
    private const NAME_LENGTH_MAX = 200;
    private const MESSAGE_LENGTH_MAX = 2_000;

    /** The addition whose jobs are pushed now. */
    private ?Announcement $announcement = null;
    /** @var array<string, string> what a success of a running job is reported as, by job; '' for nothing */
    private array $running = [];

    public function __construct(
        private readonly Outbox $outbox,
        private readonly ProblemLog $log,
        private readonly bool $sealsBatches,
        private readonly bool $sendsTraces,
    ) {
    }

    /**
     * Announce jobs while they are added to a batch, before the first of them can run.
     *
     * @param  Closure(): ?Batch  $add
     */
    public function announcing(Batch $batch, int $count, Closure $add): ?Batch
    {
        $outer = $this->announcement; // a job on the connection `sync` runs now, and may add jobs itself
        $this->announcement = null;
        $this->log->guard(function () use ($batch, $count): void {
            if ($this->isTracked($batch)) {
                $isSealed = $this->isSealed($batch) && $batch->totalJobs === 0 && $count > 0;
                $name = mb_substr($batch->name, 0, self::NAME_LENGTH_MAX);
                $request = (string) Str::uuid();
                $this->announcement = new Announcement($batch->id, $name, $count, $request, $isSealed, $this->failureLimit($batch));
                $this->outbox->put(...$this->announcement->entries());
                $this->outbox->flush();
            }
        });
        try {
            return $add();
        } finally {
            $this->announcement = $outer;
        }
    }

    /** Seal a batch all of whose jobs have run: Laravel calls it finished. */
    public function seal(Batch $batch): void
    {
        if ($this->isTracked($batch)) {
            $this->outbox->seal($batch->id);
        }
    }

    /** Return what a job carries: its batch, and the id that it keeps when it is retried. */
    public function mark(array $payload): array
    {
        $job = $payload['data']['command'] ?? null;
        $batchId = is_object($job) ? $job->batchId ?? null : null;

        return $batchId === null ? [] : JobMark::create($batchId, $payload['uuid'], $this->announcement)->toPayload();
    }

    public function countRetry(JobRetryRequested $event): void
    {
        $this->log->guard(function () use ($event): void {
            if (($payload = JobMark::retried($event->payload())) !== null) {
                $event->job->payload = json_encode($payload); // Laravel queues what this event leaves
            }
        });
    }

    /** Note whether the batch of a job was cancelled before the job began: then it returns without doing its work. */
    public function begin(JobProcessing $event): void
    {
        $this->log->guard(function () use ($event): void {
            if (($mark = JobMark::of($event->job)) !== null) {
                $batch = Bus::findBatch($mark->batchId);
                $this->running[$mark->jobId] = match (true) {
                    $batch !== null && ! $this->isTracked($batch) => '',
                    $batch !== null && $batch->cancelled() => 'JOB_OUTCOME_SKIPPED',
                    default => 'JOB_OUTCOME_SUCCEEDED',
                };
            }
        });
    }

    /** Report a job that has ended well; one that was released runs again, maybe in another worker. */
    public function reportProcessed(JobProcessed $event): void
    {
        if ($event->job->hasFailed() || $event->job->isReleased()) {
            $this->forget($event);
        } else {
            $this->report($event->job);
        }
    }

    public function reportFailed(JobFailed $event): void
    {
        $this->report($event->job, $event->exception);
    }

    /** Forget an attempt: the job has failed before this, or runs again. */
    public function forget(JobExceptionOccurred|JobProcessed $event): void
    {
        $this->log->guard(function () use ($event): void {
            unset($this->running[JobMark::of($event->job)?->jobId]);
        });
    }

    private function report(Job $job, ?Throwable $error = null): void
    {
        $this->log->guard(function () use ($job, $error): void {
            if (($mark = JobMark::of($job)) === null) {
                return;
            }
            $outcome = $this->running[$mark->jobId] ?? 'JOB_OUTCOME_SUCCEEDED';
            unset($this->running[$mark->jobId]);
            if ($outcome !== '') {
                $this->outbox->put(Entry::result(array_filter([
                    'batchId' => $mark->batchId,
                    'jobId' => $mark->jobId,
                    'attempt' => $mark->attempt($job),
                    'outcome' => $error === null ? $outcome : 'JOB_OUTCOME_FAILED',
                    'displayName' => mb_substr($job->resolveName(), 0, self::NAME_LENGTH_MAX),
                    'errorType' => $error === null ? '' : get_debug_type($error),
                    'errorMessage' => mb_substr($error?->getMessage() ?? '', 0, self::MESSAGE_LENGTH_MAX),
                    'errorDetails' => $error === null || ! $this->sendsTraces || $this->outbox->isHalfFull()
                        ? ''
                        : StackTrace::of($error),
                ]), $mark->announcement));
            }
        });
    }

    private function isTracked(Batch $batch): bool
    {
        return ($batch->options[self::OPTION] ?? null) !== false;
    }

    /** Return how many jobs of a batch may fail; null if any number may, or if its option is wrong, which is logged. */
    private function failureLimit(Batch $batch): ?array
    {
        try {
            return FailureLimit::of((array) ($batch->options[self::OPTION] ?? []));
        } catch (InvalidArgumentException $error) {
            $this->log->tell('FAILURE_LIMIT', "batch $batch->id has no failure limit: {$error->getMessage()}");

            return null;
        }
    }

    private function isSealed(Batch $batch): bool
    {
        return (bool) ($batch->options[self::OPTION]['sealed'] ?? $this->sealsBatches);
    }
}
