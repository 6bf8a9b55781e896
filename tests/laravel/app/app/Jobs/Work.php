<?php

namespace App\Jobs;

use Illuminate\Bus\Batchable;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Queue\InteractsWithQueue;
use RuntimeException;

final class Work implements ShouldQueue
{
    use Batchable;
    use InteractsWithQueue;
    use Queueable;

    public function __construct(private string $does)
    {
    }

    public function handle(): void
    {
        if ($this->batch()->cancelled()) {
            return; // as Laravel's documentation advises
        }
        match ($this->does) {
            'succeed' => null,
            'fail' => throw new RuntimeException('the file is broken'),
            'fail while broken' => $this->failWhileBroken(),
            'cancel' => $this->batch()->cancel(),
            'add' => $this->batch()->add([new self('succeed'), new self('succeed')]),
            'exit' => exit(1),
            'mark' => touch(storage_path('marked')),
            'sleep' => sleep(3), // longer than a QUEUE_RETRY_AFTER of 1
        };
    }

    private function failWhileBroken(): void
    {
        if (is_file(storage_path('broken'))) {
            throw new RuntimeException('the other side is away');
        }
    }
}
