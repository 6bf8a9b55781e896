<?php

namespace BatchProgress\Laravel\Tests\Jobs;

use Illuminate\Bus\Batchable;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldBeEncrypted;
use Illuminate\Contracts\Queue\ShouldQueue;

/** A job that nobody can read in the queue. */
final class Encrypted implements ShouldBeEncrypted, ShouldQueue
{
    use Batchable;
    use Queueable;

    public function handle(): void
    {
    }
}
