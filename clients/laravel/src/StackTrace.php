<?php

namespace BatchProgress\Laravel;

use Throwable;

/** Where an error was thrown, and what caused it, without the arguments of functions. */
final class StackTrace
{
    /** The contract's limit. */
    private const BYTES_MAX = 16 * 1024;
    private const CUT = "\n…";

    /** Return the trace in lines; the last ones are left out if it is too long, as the error stands in the first. */
    public static function of(Throwable $error): string
    {
        $lines = [];
        for ($label = ''; $error !== null; $label = 'Caused by: ', $error = $error->getPrevious()) {
            $lines[] = $label . get_debug_type($error) . ": {$error->getMessage()}";
            $lines[] = "  thrown in {$error->getFile()}:{$error->getLine()}";
            foreach ($error->getTrace() as $number => $call) {
                $place = isset($call['file']) ? "{$call['file']}:{$call['line']}" : '[internal function]';
                $lines[] = "#$number $place: " . ($call['class'] ?? '') . ($call['type'] ?? '') . $call['function'] . '()';
            }
        }

        return self::cut(mb_scrub(implode("\n", $lines)));
    }

    private static function cut(string $text): string
    {
        if (strlen($text) <= self::BYTES_MAX) {
            return $text;
        }
        $beginning = mb_strcut($text, 0, self::BYTES_MAX - strlen(self::CUT));
        $end = strrpos($beginning, "\n");

        return ($end === false ? $beginning : substr($beginning, 0, $end)) . self::CUT;
    }
}
