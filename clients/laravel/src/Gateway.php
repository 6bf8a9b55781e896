<?php

namespace BatchProgress\Laravel;

use Closure;
use CurlHandle;

/** Calls ProgressService over HTTP. */
final class Gateway
{
    /** The answer to 1,000 results has about 150 kB. */
    private const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

    private ?CurlHandle $curl = null;
    private int $pid = 0;

    /** @param  Closure(): string  $token  returns the bearer token, or '' if there is none */
    public function __construct(
        private readonly string $url,
        private readonly Closure $token,
        private readonly ?string $caFile,
    ) {
    }

    public static function of(array $config): self
    {
        $token = static fn (): string => match (true) {
            (string) $config['token'] !== '' => $config['token'],
            (string) $config['token_file'] !== '' => trim((string) @file_get_contents($config['token_file'])),
            default => '',
        };

        return new self(rtrim((string) $config['url'], '/'), $token, $config['ca_file'] ?: null);
    }

    /** Make a call, which takes at most these seconds. */
    public function call(string $method, string $json, float $secondsMax): Answer
    {
        $curl = $this->connection();
        $retryAfter = null;
        curl_setopt_array($curl, $this->options($method, 'application/json') + [
            CURLOPT_POSTFIELDS => $json,
            CURLOPT_TIMEOUT_MS => max(1, (int) ($secondsMax * 1_000)),
            CURLOPT_MAXFILESIZE => self::ANSWER_BYTES_MAX,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_HEADERFUNCTION => function (CurlHandle $curl, string $line) use (&$retryAfter): int {
                if (preg_match('/^retry-after: *(\d+)/i', $line, $matches)) {
                    $retryAfter = (float) $matches[1];
                }

                return strlen($line);
            },
        ]);
        $body = curl_exec($curl);
        if (! is_string($body)) {
            return Answer::none("$this->url: " . curl_error($curl));
        }

        return new Answer(curl_getinfo($curl, CURLINFO_RESPONSE_CODE), json_decode($body, true), $retryAfter);
    }

    /**
     * Make a call whose answer is a stream of messages.
     *
     * @param  Closure(string): void  $receive  takes each piece of the answer
     * @param  int  $quietSecondsMax  after which time without a byte the stream is dead
     * @return string why the stream ended
     */
    public function stream(string $method, string $body, int $quietSecondsMax, Closure $receive): string
    {
        $curl = curl_init();
        curl_setopt_array($curl, $this->options($method, 'application/connect+json') + [
            CURLOPT_POSTFIELDS => $body,
            CURLOPT_CONNECTTIMEOUT => $quietSecondsMax,
            CURLOPT_LOW_SPEED_LIMIT => 1,
            CURLOPT_LOW_SPEED_TIME => $quietSecondsMax,
            CURLOPT_WRITEFUNCTION => function (CurlHandle $curl, string $piece) use ($receive): int {
                $receive($piece);

                return strlen($piece);
            },
        ]);
        curl_exec($curl);

        return curl_error($curl) ?: 'HTTP ' . curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    }

    /** Return the connection of this process, which it keeps open; a forked process needs its own. */
    private function connection(): CurlHandle
    {
        if ($this->curl === null || $this->pid !== getmypid()) {
            $this->curl = curl_init();
            $this->pid = getmypid();
        }

        return $this->curl;
    }

    private function options(string $method, string $contentType): array
    {
        $headers = ["Content-Type: $contentType", 'Expect:']; // or curl would wait before it sends a large body
        if (($token = ($this->token)()) !== '') {
            $headers[] = "Authorization: Bearer $token";
        }
        $options = [
            CURLOPT_URL => "$this->url/batchprogress.v1.ProgressService/$method",
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_NOSIGNAL => true, // Laravel's workers use the signals
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
        ];

        return $this->caFile === null ? $options : $options + [CURLOPT_CAINFO => $this->caFile];
    }
}
