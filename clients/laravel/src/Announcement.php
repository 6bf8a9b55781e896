<?php

namespace BatchProgress\Laravel;

/**
 * How the server learns of jobs that are added to a batch. Each of these jobs carries it, so that a worker can
 * announce them once more if the server was away when they were added. Announcing twice adds nothing.
 */
final class Announcement
{
    /**
     * @param  int  $jobs  how many jobs are added
     * @param  string  $requestId  identifies this addition
     * @param  bool  $isSealed  whether these are all jobs of the batch
     * @param  array|null  $failureLimit  how many jobs of the batch may fail; null: any number
     */
    public function __construct(
        public readonly string $batchId,
        private readonly string $name,
        private readonly int $jobs,
        private readonly string $requestId,
        private readonly bool $isSealed,
        private readonly ?array $failureLimit = null,
    ) {
    }

    /** Return the announcement that a job carries; null if it carries none. */
    public static function fromPayload(string $batchId, ?array $values): ?self
    {
        return $values === null ? null : new self($batchId, ...$values);
    }

    /** Return what a job carries. */
    public function toPayload(): array
    {
        return [$this->name, $this->jobs, $this->requestId, $this->isSealed, $this->failureLimit];
    }

    public function key(): string
    {
        return "$this->batchId $this->requestId";
    }

    /** @return list<Entry> */
    public function entries(): array
    {
        $batch = ['batchId' => $this->batchId, 'displayName' => $this->name, 'sealed' => $this->isSealed];
        if ($this->failureLimit !== null) {
            $batch['failureLimit'] = $this->failureLimit;
        }
        if ($this->isSealed) {
            return [Entry::call('CreateBatch', $batch + ['totalJobs' => $this->jobs])];
        }
        // Every addition has these numbers, so that it finds the batch, or creates it.
        $entries = [Entry::call('CreateBatch', $batch + ['totalJobs' => 0])];
        if ($this->jobs > 0) {
            $added = ['batchId' => $this->batchId, 'additionalJobs' => $this->jobs, 'requestId' => $this->requestId];
            $entries[] = Entry::call('AddJobs', $added);
        }

        return $entries;
    }
}
