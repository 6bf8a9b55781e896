<?php

namespace BatchProgress\Laravel;

use Closure;
use Psr\Log\LoggerInterface;
use Throwable;

/** Logs each kind of problem once, and keeps problems from the application. */
final class ProblemLog
{
    /** @var array<string, true> */
    private array $told = [];

    /** @param  Closure(): LoggerInterface  $logger */
    public function __construct(private readonly Closure $logger)
    {
    }

    /** Log a problem of a kind that has not been logged since it was last solved. */
    public function tell(string $kind, string $sentence): void
    {
        if (isset($this->told[$kind])) {
            return;
        }
        $this->told[$kind] = true;
        try {
            ($this->logger)()->warning("Batch Progress: $sentence");
        } catch (Throwable) {
            // A log that cannot be written must not end a job.
        }
    }

    /** Log the next problem of a kind again. */
    public function solved(string $kind): void
    {
        unset($this->told[$kind]);
    }

    /**
     * Do something that must not fail a job.
     *
     * @param  Closure(): void  $action
     */
    public function guard(Closure $action): void
    {
        try {
            $action();
        } catch (Throwable $error) {
            $this->tell($error::class, "an event was not tracked: {$error->getMessage()} ({$error->getFile()}:{$error->getLine()})");
        }
    }
}
