<?php

namespace BatchProgress\Laravel;

use WeakReference;

/**
 * Sends calls and results in the order in which they were put, and keeps them while the gateway is away.
 *
 * A flush takes at most the time-out. After a failure the next flush is put off, by one second at first and
 * half a minute at most, so that jobs do not wait for a gateway that is away.
 */
final class Outbox
{
    /** About 15,000 results without errors; what is put beyond is lost. */
    private const BYTES_MAX = 4 * 1024 * 1024;
    /** A call may have 10,000 results and 4 MiB. Smaller calls are answered sooner. */
    private const RESULTS_PER_CALL = 1_000;
    private const BYTES_PER_CALL = 1024 * 1024;
    private const PAUSE_SECONDS_MIN = 1.0;
    private const PAUSE_SECONDS_MAX = 30.0;
    /** Workers flush between two jobs. Elsewhere, results wait for this time. */
    private const AGE_SECONDS_MAX = 1.0;
    /** These say that another process has announced the batch or its jobs first. */
    private const ANNOUNCED = ['BATCH_CONFLICT', 'REQUEST_CONFLICT'];

    /** @var list<Entry> */
    private array $entries = [];
    /** @var array<string, Entry> by batch; sent after all others, so that the batch exists */
    private array $seals = [];
    private int $bytes = 0;
    private int $failures = 0;
    private float $pausedUntil = 0.0;
    private float $oldest = 0.0;
    private bool $isFlushing = false;
    private bool $isInWorker = false;
    private bool $endsWithProcess = false;

    /** @param  float  $timeout  how long a flush may take, in seconds */
    public function __construct(
        private readonly Gateway $gateway,
        private readonly ProblemLog $log,
        private readonly Cancellations $cancellations,
        private readonly float $timeout,
    ) {
    }

    public function put(Entry ...$entries): void
    {
        $this->endWithProcess();
        foreach ($entries as $entry) {
            if ($this->bytes + strlen($entry->json) > self::BYTES_MAX) {
                $this->log->tell('lost', 'the gateway is away and the buffer is full: results are lost. The reconciler takes them from the queue.');
            } else {
                $this->oldest = $this->entries === [] ? self::now() : $this->oldest;
                $this->entries[] = $entry;
                $this->bytes += strlen($entry->json);
            }
        }
        $isOld = $this->entries !== [] && self::now() - $this->oldest > self::AGE_SECONDS_MAX;
        if ($isOld && ! $this->isInWorker) {
            $this->flush();
        }
    }

    /** Return whether there is only room for results without stack traces. */
    public function isHalfFull(): bool
    {
        return 2 * $this->bytes > self::BYTES_MAX;
    }

    /** Seal a batch after everything else is sent. */
    public function seal(string $batchId): void
    {
        $this->endWithProcess();
        $this->seals[$batchId] = Entry::call('SealBatch', ['batchId' => $batchId]);
    }

    /** Send what is there, unless the gateway was away a moment ago. */
    public function flush(): void
    {
        if (self::now() >= $this->pausedUntil) {
            $this->log->guard($this->send(...));
        }
    }

    /** Send what is there between two jobs of a worker, and no longer while the time limit of a job runs. */
    public function flushBetweenJobs(): void
    {
        $this->isInWorker = true;
        $this->flush();
    }

    /** Send what is there because the process ends; what cannot be sent is lost. */
    public function close(): void
    {
        $this->log->guard($this->send(...));
        if (($count = count($this->entries) + count($this->seals)) > 0) {
            $this->log->tell('lost', "the process ends and the gateway does not answer: $count calls and results are lost. The reconciler takes the results from the queue.");
        }
        [$this->entries, $this->seals, $this->bytes] = [[], [], 0];
    }

    private function send(): void
    {
        if ($this->isFlushing) {
            return; // a signal has interrupted a flush
        }
        $this->isFlushing = true;
        $deadline = self::now() + $this->timeout;
        try {
            while (($entries = $this->next()) !== [] && ($seconds = $deadline - self::now()) > 0) {
                if (! $this->post($entries, $seconds)) {
                    break;
                }
            }
        } finally {
            $this->isFlushing = false;
        }
    }

    /**
     * Return what the next call has.
     *
     * @return list<Entry>
     */
    private function next(): array
    {
        if ($this->entries === []) {
            [$this->entries, $this->seals] = [array_values($this->seals), []];
        }
        [$next, $bytes] = [[], 0];
        foreach ($this->entries as $entry) {
            $bytes += strlen($entry->json);
            $isFull = count($next) === self::RESULTS_PER_CALL || $bytes > self::BYTES_PER_CALL;
            if ($next !== [] && ($isFull || ! $entry->isResult() || ! $next[0]->isResult())) {
                break;
            }
            $next[] = $entry;
        }

        return $next;
    }

    /**
     * Make a call with these entries; return whether it was answered.
     *
     * @param  non-empty-list<Entry>  $entries
     */
    private function post(array $entries, float $seconds): bool
    {
        if (! $entries[0]->isResult()) {
            $answer = $this->gateway->call($entries[0]->method, $entries[0]->json, $seconds);
            if ($answer->hasBatch()) {
                $this->checkLimit($entries[0], $answer);

                return $this->answered($entries);
            }
        } else {
            $json = '{"results":[' . implode(',', array_column($entries, 'json')) . ']}';
            $answer = $this->gateway->call('ReportJobResults', $json, $seconds);
            if (($results = $answer->results(count($entries))) !== null) {
                return $this->answered($entries, $this->unsettled($entries, $results));
            }
        }
        if ($answer->isRefusal()) {
            if (! in_array($answer->reason(), self::ANNOUNCED, true)) {
                $this->log->tell($answer->reason(), "{$entries[0]->method} was refused: {$answer->problem()}: {$entries[0]->json}");
            }

            return $this->answered($entries);
        }
        $this->pause($answer);

        return false;
    }

    /**
     * Return what must be sent again after the answer to some results: those of a batch that the server does
     * not know, after its announcement, and those that were not answered finally.
     *
     * @param  list<Entry>  $entries
     * @return list<Entry>
     */
    private function unsettled(array $entries, array $results): array
    {
        [$announcements, $again] = [[], []];
        foreach ($entries as $index => $entry) {
            $error = $results[$index]['error'] ?? null;
            if ($error === null) {
                $this->noteState($entry, $results[$index]);

                continue;
            }
            if (($error['reason'] ?? '') === 'BATCH_NOT_FOUND' && $entry->announcement !== null) {
                $announcements[$entry->announcement->key()] = $entry->announcement->entries();
                $again[] = $entry->withoutAnnouncement();
            } elseif (Answer::isFinal($error)) {
                $this->log->tell($error['reason'] ?? '', "a result was refused: {$error['reason']}: {$error['message']}: $entry->json");
            } else {
                $again[] = $entry;
            }
        }

        return array_merge(...array_values($announcements), ...[$again]);
    }

    /** Cancel a batch of Laravel that the server has cancelled, by its failure limit or for an operator. */
    private function noteState(Entry $entry, array $result): void
    {
        if (($result['batchState'] ?? '') === 'BATCH_STATE_CANCELLED') {
            $this->cancellations->cancel($entry->batchId);
        }
    }

    /** Say that a server ignores the failure limit of a batch: one of 0.1 does not know it. */
    private function checkLimit(Entry $entry, Answer $answer): void
    {
        if ($entry->hasFailureLimit && ! $answer->batchHas('failureLimit')) {
            $this->log->tell('SERVER_TOO_OLD', "the server ignores the failure limit of $entry->batchId, which it does not know: update it");
        }
    }

    /** Replace the first entries by those that must be sent again. */
    private function answered(array $entries, array $again = []): bool
    {
        array_splice($this->entries, 0, count($entries), $again);
        $this->bytes = array_sum(array_map(fn (Entry $entry) => strlen($entry->json), $this->entries));
        $this->oldest = self::now();
        $this->failures = 0;
        $this->pausedUntil = 0.0;
        $this->log->solved('away');
        $this->log->solved('lost');

        return true;
    }

    private function pause(Answer $answer): void
    {
        $seconds = $answer->retryAfter ?? self::PAUSE_SECONDS_MIN * 2 ** min($this->failures++, 10);
        // Workers that lost the gateway at the same time must not come back at the same time.
        $jitter = random_int(500, 1_000) / 1_000;
        $this->pausedUntil = self::now() + min($seconds, self::PAUSE_SECONDS_MAX) * $jitter;
        $this->log->tell('away', "the gateway does not answer; jobs go on, and their results are sent later: {$answer->problem()}");
    }

    /** Send what is left when the process ends, also after a fatal error. */
    private function endWithProcess(): void
    {
        if (! $this->endsWithProcess) {
            $this->endsWithProcess = true;
            $outbox = WeakReference::create($this);
            register_shutdown_function(static fn () => $outbox->get()?->close());
        }
    }

    private static function now(): float
    {
        return hrtime(true) / 1e9;
    }
}
