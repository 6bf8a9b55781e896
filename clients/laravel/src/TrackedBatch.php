<?php

namespace BatchProgress\Laravel;

use Illuminate\Bus\Batch;
use Illuminate\Bus\UpdatedBatchJobCounts;
use Illuminate\Container\Container;
use Illuminate\Support\Collection;

/** A batch of Laravel that is announced before its jobs can run, and sealed after all of them have run. */
final class TrackedBatch extends Batch
{
    /** Add jobs: those that the batch is dispatched with, or further ones. */
    public function add($jobs)
    {
        $jobs = Collection::wrap($jobs);
        $count = $jobs->sum(fn ($job) => is_array($job) ? count($job) : 1); // an array is a chain

        return $this->tracker()->announcing($this, $count, fn () => parent::add($jobs));
    }

    public function decrementPendingJobs(string $jobId): UpdatedBatchJobCounts
    {
        return $this->sealIfAllHaveRun(parent::decrementPendingJobs($jobId));
    }

    public function incrementFailedJobs(string $jobId): UpdatedBatchJobCounts
    {
        return $this->sealIfAllHaveRun(parent::incrementFailedJobs($jobId));
    }

    private function sealIfAllHaveRun(UpdatedBatchJobCounts $counts): UpdatedBatchJobCounts
    {
        if ($counts->allJobsHaveRanExactlyOnce()) {
            $this->tracker()->seal($this);
        }

        return $counts;
    }

    private function tracker(): Tracker
    {
        return Container::getInstance()->make(Tracker::class);
    }
}
