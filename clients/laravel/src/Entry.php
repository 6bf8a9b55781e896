<?php

namespace BatchProgress\Laravel;

/** What waits in the outbox: a call, or a result, which is sent in one call with others. */
final class Entry
{
    private const RESULT = 'ReportJobResult';

    private function __construct(
        public readonly string $method,
        public readonly string $json,
        public readonly ?Announcement $announcement = null,
        public readonly string $batchId = '',
        public readonly bool $hasFailureLimit = false,
    ) {
    }

    public static function call(string $method, array $fields): self
    {
        return new self($method, self::encode($fields), null, $fields['batchId'], isset($fields['failureLimit']));
    }

    /** @param  Announcement|null  $announcement  announces the job again if the server does not know its batch */
    public static function result(array $fields, ?Announcement $announcement): self
    {
        return new self(self::RESULT, self::encode($fields), $announcement, $fields['batchId']);
    }

    public function isResult(): bool
    {
        return $this->method === self::RESULT;
    }

    public function withoutAnnouncement(): self
    {
        return new self($this->method, $this->json, null, $this->batchId);
    }

    private static function encode(array $fields): string
    {
        return json_encode($fields, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR);
    }
}
