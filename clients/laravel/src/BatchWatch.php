<?php

namespace BatchProgress\Laravel;

use Closure;

/** Watches a batch; after a stream has ended, the next one goes on from the last state. */
final class BatchWatch
{
    private const HEARTBEAT = '20s';
    /** Three heartbeats. */
    private const QUIET_SECONDS_MAX = 60;
    /** A flag and the length stand before each message. */
    private const PREFIX_BYTES = 5;
    private const END_FLAG = 2;
    private const REFUSALS = ['invalid_argument', 'not_found', 'permission_denied', 'unauthenticated', 'unimplemented'];

    /** Whether watching again would not help. */
    public bool $isRefused = false;

    private string $revision = '0';

    public function __construct(private readonly Gateway $gateway, private readonly string $batchId)
    {
    }

    /**
     * Open a stream, and take its states until it ends.
     *
     * @param  Closure(array): void  $show  takes each state
     * @return string why the stream ended before the batch; '' if the batch has ended
     */
    public function receive(Closure $show): string
    {
        $request = json_encode(['batchId' => $this->batchId, 'afterRevision' => $this->revision, 'heartbeatInterval' => self::HEARTBEAT]);
        [$buffer, $end] = ['', null];
        $problem = $this->gateway->stream('WatchBatch', pack('CN', 0, strlen($request)) . $request, self::QUIET_SECONDS_MAX,
            function (string $piece) use (&$buffer, &$end, $show): void {
                $buffer .= $piece;
                while (strlen($buffer) >= self::PREFIX_BYTES) {
                    ['flag' => $flag, 'length' => $length] = unpack('Cflag/Nlength', $buffer);
                    if (strlen($buffer) < self::PREFIX_BYTES + $length) {
                        break;
                    }
                    $message = json_decode(substr($buffer, self::PREFIX_BYTES, $length), true);
                    $buffer = substr($buffer, self::PREFIX_BYTES + $length);
                    if ($flag & self::END_FLAG) {
                        $end = $message;
                    } elseif (isset($message['batch'])) { // else it is a heartbeat
                        $this->revision = $message['batch']['revision'];
                        $show($message['batch']);
                    }
                }
            });
        if ($end === null) {
            return $problem;
        }
        $error = $end['error'] ?? null;
        $this->isRefused = in_array($error['code'] ?? null, self::REFUSALS, true);

        return $error === null ? '' : $error['message'];
    }
}
