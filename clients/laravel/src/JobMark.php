<?php

namespace BatchProgress\Laravel;

use Illuminate\Contracts\Queue\Job;

/** What the payload of a job of a batch says to us. */
final class JobMark
{
    private const KEY = 'batchprogress';
    /** Attempts count from 1 again when a failed job is retried: those of run 1 are reported as 1,001 and so on. */
    private const ATTEMPTS_PER_RUN = 1_000;
    /** So that no attempt exceeds the 32 bits of the contract. */
    private const RUN_MAX = 2_000_000;

    /**
     * @param  string  $jobId  the uuid that the job was first pushed with
     * @param  int  $queueTime  when it was, in seconds since 1970
     * @param  int  $run  how often it was retried since
     */
    private function __construct(
        public readonly string $batchId,
        public readonly string $jobId,
        public readonly ?Announcement $announcement,
        private readonly int $queueTime,
        private readonly int $run,
    ) {
    }

    public static function create(string $batchId, string $jobId, ?Announcement $announcement): self
    {
        $isOfBatch = $announcement?->batchId === $batchId; // else it is the next job of a chain
        return new self($batchId, $jobId, $isOfBatch ? $announcement : null, time(), 0);
    }

    /** Return the mark of a job; null if it is not of a batch. */
    public static function of(Job $job): ?self
    {
        $values = $job->payload()[self::KEY] ?? null;
        if ($values === null) {
            return null;
        }
        $announcement = Announcement::fromPayload($values['batch_id'], $values['announcement']);

        return new self($values['batch_id'], $values['job_id'], $announcement, $values['queue_time'], $values['run']);
    }

    /** Return the payload of a job that is retried; null if it is not of a batch. */
    public static function retried(array $payload): ?array
    {
        if (! isset($payload[self::KEY])) {
            return null;
        }
        $payload[self::KEY]['run']++;

        return $payload;
    }

    public function toPayload(): array
    {
        return [self::KEY => [
            'batch_id' => $this->batchId,
            'job_id' => $this->jobId,
            'queue_time' => $this->queueTime,
            'run' => $this->run,
            'announcement' => $this->announcement?->toPayload(),
        ]];
    }

    /** Return the number of a job's attempt, which is above those of all runs before. */
    public function attempt(Job $job): int
    {
        $run = $this->run;
        $payload = $job->payload();
        if (isset($payload['retry_of'])) {
            // Horizon has no event before it queues a retry, but it says when it did.
            $run = max($run + 1, (int) ($payload['pushedAt'] ?? 0) - $this->queueTime);
        }

        return min($run, self::RUN_MAX) * self::ATTEMPTS_PER_RUN + $job->attempts();
    }
}
