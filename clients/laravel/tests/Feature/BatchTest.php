<?php

namespace BatchProgress\Laravel\Tests\Feature;

use BatchProgress\Laravel\Tests\Jobs\Work;
use BatchProgress\Laravel\Tests\TestCase;
use Illuminate\Support\Facades\Artisan;
use Illuminate\Support\Facades\Bus;

/** What an application reports of its batches. */
final class BatchTest extends TestCase
{
    public function testBatchIsKnownBeforeItsFirstJobRuns(): void
    {
        $batch = $this->dispatch('succeed', 'succeed');
        $this->assertTallies($batch->id, total: 2, succeeded: 0);
        self::assertSame('Import', $this->batch($batch->id)['displayName']);
    }

    public function testEachJobIsCountedOnce(): void
    {
        $batch = $this->dispatch('succeed', 'succeed', 'fail');
        $this->work();
        $this->assertTallies($batch->id, total: 3, succeeded: 2, failed: 1);
        self::assertSame([], $this->logged());
    }

    public function testBatchCompletesWithItsLastJob(): void
    {
        $batch = $this->dispatch('succeed');
        $this->work();
        self::assertSame('BATCH_STATE_COMPLETED', $this->batch($batch->id)['state']);
    }

    public function testFailedJobIsReportedWithItsStackTrace(): void
    {
        $batch = $this->dispatch('fail');
        $this->work();
        [$trace] = $this->errorDetails($batch->id);
        self::assertStringStartsWith('RuntimeException: the file is broken', $trace);
        self::assertStringContainsString('Jobs\\Work->handle()', $trace);
    }

    public function testRetriedAttemptsAreOneFailure(): void
    {
        $batch = $this->dispatch('fail');
        $this->work(tries: 3);
        $this->assertTallies($batch->id, total: 1, succeeded: 0, failed: 1);
    }

    public function testJobThatIsRetriedByHandMovesFromFailedToSucceeded(): void
    {
        Work::$isBroken = true;
        $batch = $this->dispatch('fail while broken', 'succeed');
        $this->work();
        $this->assertTallies($batch->id, total: 2, succeeded: 1, failed: 1);
        Work::$isBroken = false;
        Artisan::call('queue:retry', ['id' => ['all']]);
        $this->work();
        $this->assertTallies($batch->id, total: 2, succeeded: 2);
    }

    public function testJobsThatAJobAddsAreAnnounced(): void
    {
        $batch = $this->dispatch('add');
        $this->work();
        $this->assertTallies($batch->id, total: 3, succeeded: 3);
    }

    public function testJobsOfACancelledBatchAreSkipped(): void
    {
        $batch = $this->dispatch('cancel', 'succeed', 'succeed');
        $this->work();
        $this->assertTallies($batch->id, total: 3, succeeded: 1, skipped: 2);
    }

    public function testBatchIsCancelledByOneFailureMoreThanItsLimit(): void
    {
        $jobs = Work::each('fail', 'fail', 'fail', 'succeed', 'succeed');
        $batch = Bus::batch($jobs)->allowFailures()->withOption('batchprogress', ['max_failed_jobs' => 1])->dispatch();
        self::assertSame(['jobs' => '1'], $this->batch($batch->id)['failureLimit']);
        $this->work();
        self::assertSame('BATCH_STATE_CANCELLED', $this->batch($batch->id)['state']);
        self::assertSame('CANCEL_REASON_FAILURE_LIMIT', $this->batch($batch->id)['cancelReason']);
        self::assertTrue($batch->fresh()->cancelled());
        $this->assertTallies($batch->id, total: 5, succeeded: 0, failed: 2, skipped: 3);
        self::assertSame([], $this->logged());
    }

    public function testBatchIsCancelledByAPercentageOfFailures(): void
    {
        $option = ['sealed' => true, 'max_failed_percent' => 25];
        $jobs = Work::each('fail', 'fail', 'succeed', 'succeed');
        $batch = Bus::batch($jobs)->allowFailures()->withOption('batchprogress', $option)->dispatch();
        $this->work();
        self::assertTrue($batch->fresh()->cancelled());
        $this->assertTallies($batch->id, total: 4, succeeded: 0, failed: 2, skipped: 2);
    }

    public function testBatchWithAnImpossibleLimitRunsAndTheLogSaysWhy(): void
    {
        $batch = Bus::batch(Work::each('succeed'))->withOption('batchprogress', ['max_failed_jobs' => -1])->dispatch();
        $this->work();
        self::assertTrue($batch->fresh()->finished());
        self::assertStringContainsString('max_failed_jobs', $this->logged()[0]);
    }

    public function testJobsOfTheConnectionSyncAreReported(): void
    {
        $batch = Bus::batch(Work::each('succeed', 'succeed'))->onConnection('sync')->dispatch();
        $this->app->terminate();
        $this->assertTallies($batch->id, total: 2, succeeded: 2);
    }

    public function testBatchWhoseOptionIsFalseIsNotReported(): void
    {
        $batch = Bus::batch(Work::each('succeed'))->withOption('batchprogress', false)->dispatch();
        $this->work();
        self::assertNull($this->batch($batch->id));
    }
}
