<?php

namespace BatchProgress\Laravel\Tests\Unit;

use BatchProgress\Laravel\ProblemLog;
use Monolog\Handler\TestHandler;
use Monolog\Logger;
use PHPUnit\Framework\TestCase;
use RuntimeException;

/** How problems are logged. */
final class ProblemLogTest extends TestCase
{
    private TestHandler $handler;

    private ProblemLog $log;

    protected function setUp(): void
    {
        $this->handler = new TestHandler();
        $this->log = new ProblemLog(fn () => new Logger('test', [$this->handler]));
    }

    public function testEachKindIsLoggedOnceUntilItIsSolved(): void
    {
        $this->log->tell('away', 'first');
        $this->log->tell('away', 'second');
        $this->log->tell('lost', 'third');
        $this->log->solved('away');
        $this->log->tell('away', 'fourth');
        $messages = array_map(fn ($record) => $record['message'], $this->handler->getRecords());
        self::assertSame(['Batch Progress: first', 'Batch Progress: third', 'Batch Progress: fourth'], $messages);
    }

    public function testNoErrorLeavesTheGuard(): void
    {
        $this->log->guard(fn () => throw new RuntimeException('broken'));
        self::assertTrue($this->handler->hasWarningThatContains('an event was not tracked: broken'));
    }

    public function testLogThatCannotBeWrittenEndsNoJob(): void
    {
        $log = new ProblemLog(fn () => throw new RuntimeException('the disk is full'));
        $log->guard(fn () => throw new RuntimeException('broken'));
        $this->expectNotToPerformAssertions();
    }
}
