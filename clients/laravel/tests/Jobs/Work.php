<?php

namespace BatchProgress\Laravel\Tests\Jobs;

use Illuminate\Bus\Batchable;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Queue\InteractsWithQueue;
use RuntimeException;

/** A job that does what its name says. */
final class Work implements ShouldQueue
{
    use Batchable;
    use InteractsWithQueue;
    use Queueable;

    /** @var bool whether the job `fail while broken` fails */
    public static bool $isBroken = false;

    public function __construct(private readonly string $does)
    {
    }

    /** @return list<self> */
    public static function each(string ...$names): array
    {
        return array_map(fn (string $does) => new self($does), array_values($names));
    }

    public function handle(): void
    {
        if ($this->batch()?->cancelled()) {
            return;
        }
        match ($this->does) {
            'succeed' => null,
            'fail' => throw new RuntimeException('the file is broken'),
            'fail while broken' => self::$isBroken ? throw new RuntimeException('the other side is away') : null,
            'cancel' => $this->batch()->cancel(),
            'release once' => $this->attempts() === 1 ? $this->release() : null,
            'release' => $this->release(),
            'fail itself' => $this->fail(new RuntimeException('given up')),
            'delete itself' => $this->delete(),
            'add' => $this->batch()->add(self::each('succeed', 'succeed')),
        };
    }
}
