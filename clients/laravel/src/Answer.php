<?php

namespace BatchProgress\Laravel;

/** What the gateway answered to a call. */
final class Answer
{
    private const OK = 200;
    /** An error without this domain comes from a proxy. */
    private const DOMAIN = 'batchprogress';
    /** With these the server does not refuse a call: it is busy, or a person has to change something first. */
    private const LATER = [
        'unavailable', 'canceled', 'deadline_exceeded', 'resource_exhausted', 'unauthenticated', 'permission_denied', 'unimplemented',
    ];
    /** The same as numbers, as they stand in the answer to one of many results. */
    private const LATER_NUMBERS = [14, 1, 4, 8, 16, 7, 12];

    /**
     * @param  int  $status  the HTTP status; 0 if there is no answer
     * @param  mixed  $body  the JSON of the answer; null if it is not JSON
     * @param  float|null  $retryAfter  when to call again, in seconds
     */
    public function __construct(
        private readonly int $status,
        private readonly mixed $body,
        public readonly ?float $retryAfter,
        private readonly string $cause = '',
    ) {
    }

    /** Return what stands for the answer of a gateway that does not answer. */
    public static function none(string $cause): self
    {
        return new self(0, null, null, $cause);
    }

    /** Return the answers to so many results; null if this is something else. */
    public function results(int $count): ?array
    {
        $results = $this->status === self::OK ? $this->body['results'] ?? null : null;

        return is_array($results) && count($results) === $count ? $results : null;
    }

    public function hasBatch(): bool
    {
        return $this->status === self::OK && isset($this->body['batch']);
    }

    /** Return whether the batch that was answered has this field, which an old server does not know. */
    public function batchHas(string $field): bool
    {
        return isset($this->body['batch'][$field]);
    }

    /** Return whether the server refuses the call, so that calling again would not help. */
    public function isRefusal(): bool
    {
        $isFromServer = ($this->errorInfo()['domain'] ?? null) === self::DOMAIN;

        return $this->status !== self::OK && $isFromServer && ! in_array($this->body['code'] ?? null, self::LATER, true);
    }

    /** Return whether the server refuses one of many results. */
    public static function isFinal(array $error): bool
    {
        return ! in_array($error['code'] ?? null, self::LATER_NUMBERS, true);
    }

    /** Return the reason of a refusal, such as BATCH_CONFLICT. */
    public function reason(): string
    {
        return $this->errorInfo()['reason'] ?? strtoupper($this->text('code'));
    }

    /** Return what is wrong, for people. */
    public function problem(): string
    {
        return $this->cause ?: trim("HTTP $this->status {$this->reason()} {$this->text('message')}");
    }

    /** Return the ErrorInfo of the server; null if there is none. The body may be any JSON: a proxy may have answered. */
    private function errorInfo(): ?array
    {
        $details = is_array($this->body) ? $this->body['details'] ?? null : null;
        foreach (is_array($details) ? $details : [] as $detail) {
            if (is_array($detail) && ($detail['type'] ?? null) === 'google.rpc.ErrorInfo') {
                return is_array($detail['debug'] ?? null) ? $detail['debug'] : null;
            }
        }

        return null;
    }

    /** Return a field of the body that is a text; '' if it is something else. */
    private function text(string $field): string
    {
        $value = is_array($this->body) ? $this->body[$field] ?? '' : '';

        return is_string($value) ? $value : '';
    }
}
