<?php

namespace Tradesync;

/**
 * Something that a person has to be told: a problem document of the service, or why the service could not be asked.
 *
 * `name` is stable: a code of the service (`stream-busy`, `not-found` ...) or one of ours (see the constants). Words::problem() makes the
 * sentence out of it; the exception's own message is the service's detail, in English.
 */
final class Problem extends \RuntimeException
{
    /** No connection, no name, no answer in time. */
    public const UNREACHABLE = 'unreachable';
    /** The certificate is not accepted. */
    public const TLS = 'tls';
    /** Something answers there, but not tradesync. */
    public const NOT_TRADESYNC = 'not-tradesync';
    /** Address or key are not filled in. */
    public const NOT_CONFIGURED = 'not-configured';
    /** A sealed key cannot be opened, or the key file cannot be written. */
    public const SEAL = 'seal';
    /** A value that the browser sent has no acceptable form. */
    public const BAD_INPUT = 'bad-input';
    /** The person may not do that here. */
    public const FORBIDDEN_HERE = 'forbidden-here';
    /** The person is logged in, but is no seller. */
    public const NO_SELLER = 'no-seller';
    /** A temporary file cannot be written. */
    public const NO_FILE = 'no-file';

    /** @var string Stable name. */
    public $name;

    /** @var int HTTP status of the service, 0 where it did not answer. */
    public $status;

    /** @var string|null For `stream-busy`: id of the live run. */
    public $run;

    /** @var \stdClass[] Wrong fields: `pointer` and `detail`. */
    public $fields;

    /**
     * @param string           $name   stable name
     * @param string           $detail what failed this time, in the service's words
     * @param int              $status HTTP status, 0 without an answer
     * @param string|null      $run    id of the live run, for `stream-busy`
     * @param \stdClass[]      $fields wrong fields
     */
    public function __construct(string $name, string $detail = '', int $status = 0, ?string $run = null, array $fields = [])
    {
        parent::__construct($detail);
        $this->name = $name;
        $this->status = $status;
        $this->run = $run;
        $this->fields = $fields;
    }

    /**
     * Whether the service never answered: then the message speaks of addresses, files and certificates.
     */
    public function isOurs(): bool
    {
        return in_array($this->name, [self::UNREACHABLE, self::TLS, self::NOT_TRADESYNC, self::NOT_CONFIGURED, self::SEAL], true);
    }

    /**
     * Reads a problem document (RFC 9457); anything else that is no 2xx is `not-tradesync`.
     */
    public static function read(int $status, string $text): self
    {
        $document = json_decode($text);
        if (!$document instanceof \stdClass || !isset($document->code) || !is_string($document->code)) {
            return new self(self::NOT_TRADESYNC, 'HTTP ' . $status, $status);
        }
        $run = isset($document->run) && is_string($document->run) ? basename($document->run) : null;
        $fields = isset($document->errors) && is_array($document->errors) ? $document->errors : [];

        return new self($document->code, (string)($document->detail ?? ''), $status, $run, $fields);
    }
}
