<?php

namespace Tradesync;

/**
 * Calls something whose failure is seen by its answer. From PHP 8 on, `@` still hands the warning to OpenCart's error handler, which writes
 * it into the log and, if errors are shown, into the middle of a JSON answer.
 */
final class Quietly
{
    /**
     * @return mixed what the call answers
     */
    public static function call(callable $function, ...$arguments)
    {
        set_error_handler(function () {
            return true;
        });
        try {
            return $function(...$arguments);
        } finally {
            restore_error_handler();
        }
    }
}
