<?php

namespace BatchProgress\Laravel;

use Carbon\CarbonImmutable;
use Illuminate\Bus\BatchFactory;
use Illuminate\Bus\BatchRepository;

/** Makes the batches that Laravel reads from its repository. */
final class TrackedBatchFactory extends BatchFactory
{
    public function make(
        BatchRepository $repository,
        string $id,
        string $name,
        int $totalJobs,
        int $pendingJobs,
        int $failedJobs,
        array $failedJobIds,
        array $options,
        CarbonImmutable $createdAt,
        ?CarbonImmutable $cancelledAt,
        ?CarbonImmutable $finishedAt,
    ): TrackedBatch {
        return new TrackedBatch($this->queue, ...func_get_args());
    }
}
