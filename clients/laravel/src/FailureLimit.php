<?php

namespace BatchProgress\Laravel;

use InvalidArgumentException;

/** How many jobs of a batch may fail: one more, and the batch is cancelled. */
final class FailureLimit
{
    private const JOBS = 'max_failed_jobs';
    private const PERCENT = 'max_failed_percent';
    private const JOBS_MAX = 1_000_000_000;
    private const PERCENT_MAX = 99;

    /**
     * Return the field of CreateBatch for the option of a batch; null if any number of its jobs may fail.
     *
     * @param  array<string, mixed>  $option
     *
     * @throws InvalidArgumentException if the option is not a limit
     */
    public static function of(array $option): ?array
    {
        [$jobs, $percent] = [$option[self::JOBS] ?? null, $option[self::PERCENT] ?? null];
        if ($jobs !== null && $percent !== null) {
            throw new InvalidArgumentException('the option batchprogress has both ' . self::JOBS . ' and ' . self::PERCENT . ': give one of them');
        }

        return match (true) {
            $jobs !== null => ['jobs' => self::number(self::JOBS, $jobs, self::JOBS_MAX)],
            $percent !== null => ['percent' => self::number(self::PERCENT, $percent, self::PERCENT_MAX)],
            default => null,
        };
    }

    private static function number(string $name, mixed $value, int $max): int
    {
        if (! is_int($value) || $value < 0 || $value > $max) {
            throw new InvalidArgumentException("$name of the option batchprogress must be a whole number from 0 to $max");
        }

        return $value;
    }
}
