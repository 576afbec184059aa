<?php

namespace Tradesync;

/**
 * An answer of the service that is no problem: status, decoded JSON, and the headers that callers need.
 */
final class Answer
{
    /** @var int HTTP status, 200 to 299. */
    public $status;

    /** @var \stdClass|array|null Decoded JSON; objects stay objects, so that `{}` and `[]` can be told apart when it is sent on. */
    public $body;

    /** @var string ETag for a later If-Match, or ''. */
    public $etag;

    /**
     * @param int                       $status HTTP status
     * @param \stdClass|array|null      $body   decoded JSON
     * @param string                    $etag   ETag or ''
     */
    public function __construct(int $status, $body, string $etag = '')
    {
        $this->status = $status;
        $this->body = $body;
        $this->etag = $etag;
    }
}
