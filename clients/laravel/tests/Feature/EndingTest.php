<?php

namespace BatchProgress\Laravel\Tests\Feature;

use BatchProgress\Laravel\Tests\Jobs\Encrypted;
use BatchProgress\Laravel\Tests\Jobs\Work;
use BatchProgress\Laravel\Tests\TestCase;
use BatchProgress\Laravel\Tracker;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\Bus;
use ReflectionProperty;

/** The ways in which a job ends, or does not end yet. */
final class EndingTest extends TestCase
{
    public function testReleasedJobIsReportedWhenItHasEnded(): void
    {
        $batch = $this->dispatch('release once', 'succeed');
        $this->work(tries: 3);
        $this->assertTallies($batch->id, total: 2, succeeded: 2);
    }

    public function testJobThatIsReleasedTooOftenHasFailed(): void
    {
        $batch = $this->dispatch('release', 'succeed');
        $this->work(tries: 2);
        $this->assertTallies($batch->id, total: 2, succeeded: 1, failed: 1);
    }

    /** Another worker may run it again. */
    public function testNothingIsKeptOfAReleasedJob(): void
    {
        $this->dispatch('release');
        Artisan::call('queue:work', ['--once' => true, '--tries' => 3, '--sleep' => 0]);
        $running = new ReflectionProperty(Tracker::class, 'running');
        self::assertSame([], $running->getValue($this->app->make(Tracker::class)));
    }

    public function testJobMayFailOrDeleteItself(): void
    {
        $batch = $this->dispatch('fail itself', 'delete itself');
        $this->work();
        $this->assertTallies($batch->id, total: 2, succeeded: 1, failed: 1);
    }

    public function testFirstFailureSkipsTheRestOfABatchThatAllowsNone(): void
    {
        $batch = Bus::batch(Work::each('fail', 'succeed', 'succeed'))->dispatch();
        $this->work();
        $this->assertTallies($batch->id, total: 3, succeeded: 0, failed: 1, skipped: 2);
    }

    public function testEncryptedJobsAreReported(): void
    {
        $batch = Bus::batch([new Encrypted(), new Encrypted()])->dispatch();
        $this->work();
        $this->assertTallies($batch->id, total: 2, succeeded: 2);
    }
}
