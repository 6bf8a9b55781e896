<?php

namespace BatchProgress\Laravel\Tests\Feature;

use BatchProgress\Laravel\Tests\TestCase;
use Illuminate\Support\Facades\Artisan;

/** `artisan progress:watch`. */
final class WatchCommandTest extends TestCase
{
    public function testWatchEndsWithTheBatch(): void
    {
        $batch = $this->dispatch('succeed', 'fail');
        $this->work();
        self::assertSame(0, Artisan::call('progress:watch', ['batch' => $batch->id]));
        self::assertStringContainsString('completed: 1 succeeded, 1 failed, 0 skipped', Artisan::output());
    }

    public function testUnknownBatchIsRefused(): void
    {
        self::assertSame(1, Artisan::call('progress:watch', ['batch' => 'nope']));
        self::assertStringContainsString('there is no batch nope', Artisan::output());
    }
}
