<?php

namespace BatchProgress\Laravel\Tests\Unit;

use BatchProgress\Laravel\StackTrace;
use LogicException;
use PHPUnit\Framework\TestCase;
use RuntimeException;
use Throwable;

/** What is sent of an error. */
final class StackTraceTest extends TestCase
{
    public function testTraceHasTheErrorAndItsCausesWithoutArguments(): void
    {
        $trace = StackTrace::of($this->fail_(new LogicException('the cause'), 'a secret'));
        $lines = explode("\n", $trace);
        self::assertSame('RuntimeException: the file is broken', $lines[0]);
        self::assertSame('  thrown in ' . __FILE__ . ':', substr($lines[1], 0, -2));
        self::assertStringContainsString(self::class . '->fail_()', $lines[2]);
        self::assertContains('Caused by: LogicException: the cause', $lines);
        self::assertStringNotContainsString('a secret', $trace);
    }

    public function testLongTraceKeepsItsFirstLines(): void
    {
        $error = new RuntimeException('first line' . str_repeat("\nlöng", 10_000));
        $trace = StackTrace::of($error);
        self::assertLessThanOrEqual(16 * 1024, strlen($trace));
        self::assertStringStartsWith("RuntimeException: first line\nlöng", $trace);
        self::assertStringEndsWith("\nlöng\n…", $trace);
    }

    private function fail_(Throwable $cause, string $secret): Throwable
    {
        return new RuntimeException('the file is broken', strlen($secret), $cause);
    }
}
