<?php

namespace BatchProgress\Laravel\Tests\Unit;

use BatchProgress\Laravel\Answer;
use PHPUnit\Framework\Attributes\DataProvider;
use PHPUnit\Framework\TestCase;

/** What an answer of the gateway means for the outbox. */
final class AnswerTest extends TestCase
{
    public static function failures(): array
    {
        return [
            'the server refuses it' => [404, self::error('not_found', 'BATCH_NOT_FOUND'), true],
            'the server is busy' => [429, self::error('resource_exhausted', 'BACKLOG_FULL'), false],
            'the token is wrong' => [401, self::error('unauthenticated', 'TOKEN_INVALID'), false],
            'the server is away' => [503, self::error('unavailable', 'SERVER_UNREACHABLE'), false],
            'a proxy refuses it' => [403, ['message' => 'forbidden'], false],
            'a proxy sends a page' => [502, null, false],
            'a proxy sends JSON of its own' => [502, ['code' => 502, 'message' => ['no route'], 'details' => 'no route'], false],
            'a proxy sends other details' => [403, ['details' => [null, 'a', ['@type' => 'b'], ['type' => 'google.rpc.ErrorInfo']]], false],
            'a proxy sends a text' => [500, 'no route', false],
            'another service refuses it' => [404, self::error('not_found', 'NONE', 'another.example'), false],
        ];
    }

    #[DataProvider('failures')]
    public function testOnlyTheServerRefusesForGood(int $status, mixed $body, bool $isRefusal): void
    {
        $answer = new Answer($status, $body, null);
        self::assertSame($isRefusal, $answer->isRefusal());
        self::assertStringStartsWith("HTTP $status", $answer->problem()); // it is logged, whatever it is
        self::assertNull($answer->results(1));
        self::assertFalse($answer->hasBatch());
    }

    public function testReasonAndMessageAreTold(): void
    {
        $answer = new Answer(404, self::error('not_found', 'BATCH_NOT_FOUND'), null);
        self::assertSame('BATCH_NOT_FOUND', $answer->reason());
        self::assertSame('HTTP 404 BATCH_NOT_FOUND a sentence', $answer->problem());
        self::assertSame('connection refused', Answer::none('connection refused')->problem());
    }

    public function testAnswersMustBeAsManyAsTheResults(): void
    {
        $answer = new Answer(200, ['results' => [[], []]], null);
        self::assertSame([[], []], $answer->results(2));
        self::assertNull($answer->results(3));
        self::assertNull((new Answer(200, null, null))->results(0));
    }

    public function testResultIsRefusedForGoodUnlessItMayBeSentAgain(): void
    {
        self::assertTrue(Answer::isFinal(['code' => 5]));
        self::assertFalse(Answer::isFinal(['code' => 14]));
    }

    private static function error(string $code, string $reason, string $domain = 'batchprogress'): array
    {
        $info = ['type' => 'google.rpc.ErrorInfo', 'debug' => ['reason' => $reason, 'domain' => $domain]];

        return ['code' => $code, 'message' => 'a sentence', 'details' => [$info]];
    }
}
