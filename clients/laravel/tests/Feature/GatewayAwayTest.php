<?php

namespace BatchProgress\Laravel\Tests\Feature;

use BatchProgress\Laravel\Tests\TestCase;
use Illuminate\Support\Facades\Bus;

/** Jobs while the gateway cannot be reached. */
final class GatewayAwayTest extends TestCase
{
    /** A port of this machine on which nothing listens. */
    private const AWAY = 'http://127.0.0.1:1';

    private string|false $usual;

    protected function setUp(): void
    {
        $this->usual = getenv('BATCHPROGRESS_URL');
        $this->setUrl(self::AWAY);
        parent::setUp();
    }

    protected function tearDown(): void
    {
        parent::tearDown();
        $this->setUrl((string) $this->usual);
    }

    public function testJobsRunAsWithoutThePackage(): void
    {
        $batch = $this->dispatch('succeed', 'fail');
        $this->work();
        $row = Bus::findBatch($batch->id);
        self::assertSame([1, 1], [$row->processedJobs(), $row->failedJobs]);
    }

    public function testProblemIsLoggedOnce(): void
    {
        $this->dispatch('succeed', 'succeed', 'succeed');
        $this->work();
        $away = array_filter($this->logged(), fn (string $line) => str_contains($line, 'the gateway does not answer; jobs go on'));
        self::assertCount(1, $away);
    }

    private function setUrl(string $url): void
    {
        putenv("BATCHPROGRESS_URL=$url");
        $_ENV['BATCHPROGRESS_URL'] = $_SERVER['BATCHPROGRESS_URL'] = $url;
    }
}
