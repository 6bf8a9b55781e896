<?php

namespace BatchProgress\Laravel;

use Illuminate\Support\Facades\Bus;

/** Cancels the batches of Laravel that the server has cancelled, so that their jobs are skipped. */
final class Cancellations
{
    /** Batches that were cancelled here; a worker that runs for long forgets the oldest. */
    private const KNOWN_MAX = 1_000;

    /** @var array<string, true> */
    private array $known = [];

    public function __construct(private readonly ProblemLog $log)
    {
    }

    /** Cancel a batch, unless this process has done so. */
    public function cancel(string $batchId): void
    {
        if (isset($this->known[$batchId])) {
            return;
        }
        if (count($this->known) >= self::KNOWN_MAX) {
            array_shift($this->known);
        }
        $this->known[$batchId] = true;
        $this->log->guard(function () use ($batchId): void {
            $batch = Bus::findBatch($batchId);
            if ($batch !== null && ! $batch->finished()) { // a finished one has no jobs to skip
                $batch->cancel();
            }
        });
    }
}
