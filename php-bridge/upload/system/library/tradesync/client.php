<?php

namespace Tradesync;

/**
 * Talks to the service: JSON over HTTPS, TLS checked, bounded in time.
 *
 * A client acts for one owner or, with the administrator's key, for all. GETs, and POSTs under an Idempotency-Key, are sent once more when
 * no answer came: repeating them is harmless.
 */
final class Client
{
    /** Seconds to connect. Longer: a page waits for a dead service; shorter: a slow line is taken for a dead one. */
    private const CONNECT = 4;
    /** Seconds for one answer; twice this and the second try stay below PHP's usual limit of 30 s. */
    private const ANSWER = 11;
    /** Largest answer that is taken, in bytes: a page of 200 items has well under 1 MB. */
    private const MOST = 16777216;

    /** @var string */
    private $url;
    /** @var string */
    private $key;
    /** @var string */
    private $language;
    /** @var string|null */
    private $owner;
    /** @var string */
    private $caFile;
    /** @var int */
    private $seconds;

    /**
     * @param string      $url      address of the service, without a slash at the end
     * @param string      $key      API key
     * @param string      $language Accept-Language: ru, uz or en
     * @param string|null $owner    on whose behalf, such as seller:42; null only with the administrator's key
     * @param string      $caFile   PEM file of a private certificate authority, or '' for the system's
     * @param int         $seconds  most seconds for one answer
     */
    public function __construct(
        string $url,
        string $key,
        string $language,
        ?string $owner = null,
        string $caFile = '',
        int $seconds = self::ANSWER
    ) {
        $this->url = rtrim($url, '/');
        $this->key = $key;
        $this->language = $language;
        $this->owner = $owner;
        $this->caFile = $caFile;
        $this->seconds = $seconds;
    }

    /**
     * The same client with more patience, for calls during which the service itself asks a remote.
     */
    public function patient(): self
    {
        $other = clone $this;
        $other->seconds = 25;

        return $other;
    }

    /**
     * @param string $path  path with its variable parts encoded by path()
     * @param array  $query parameters; null and '' are left out
     *
     * @throws Problem
     */
    public function get(string $path, array $query = []): Answer
    {
        return $this->answer('GET', $path, $query, null, []);
    }

    /**
     * All items of a list, page by page.
     *
     * @param int $most at most so many items
     *
     * @return \stdClass[]
     *
     * @throws Problem
     */
    public function all(string $path, array $query = [], int $most = 5000): array
    {
        $items = [];
        do {
            $page = $this->get($path, $query + ['limit' => 200])->body;
            $items = array_merge($items, $page->items);
            $query['cursor'] = $page->next_cursor;
        } while ($query['cursor'] !== null && count($items) < $most);

        return $items;
    }

    /**
     * A POST that acts. The Idempotency-Key makes a double click, or a repeat after a lost answer, one act.
     *
     * @param \stdClass|array|null $body JSON body
     * @param string               $once Idempotency-Key, or '' to make one
     *
     * @throws Problem
     */
    public function post(string $path, $body = null, string $once = ''): Answer
    {
        return $this->answer('POST', $path, [], $body, ['Idempotency-Key: ' . ($once === '' ? self::once() : $once)]);
    }

    /**
     * PUT, PATCH or DELETE.
     *
     * @param \stdClass|array|null $body JSON body
     * @param string               $etag If-Match, or ''
     *
     * @throws Problem
     */
    public function change(string $method, string $path, $body = null, string $etag = ''): Answer
    {
        return $this->answer($method, $path, [], $body, $etag === '' ? [] : ['If-Match: ' . $etag]);
    }

    /**
     * Writes an answer that is no JSON (the CSV report) into a stream.
     *
     * @param resource $into  where to
     * @param array    $query parameters
     *
     * @throws Problem before anything was written to `$into`, or when the answer broke off
     */
    public function download(string $path, array $query, $into): void
    {
        $status = 0;
        $error = '';
        $curl = $this->prepare('GET', $path, $query, null, []);
        curl_setopt_array($curl, [
            CURLOPT_TIMEOUT => 300,
            CURLOPT_WRITEFUNCTION => function ($curl, $chunk) use (&$status, &$error, $into) {
                $status = $status ?: (int)curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
                if ($status === 200) {
                    return (int)fwrite($into, $chunk);
                }
                $error .= $chunk;

                return strlen($error) > self::MOST ? 0 : strlen($chunk);
            },
        ]);
        curl_exec($curl);
        $number = curl_errno($curl);
        $status = (int)curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        if ($number !== 0) {
            throw self::transport($number, curl_error($curl));
        }
        if ($status !== 200) {
            throw Problem::read($status, $error);
        }
    }

    /**
     * A path out of fixed words and values, each value encoded: `path('connections', $id, 'streams')`.
     */
    public static function path(string ...$parts): string
    {
        return '/' . implode('/', array_map('rawurlencode', $parts));
    }

    /**
     * A fresh Idempotency-Key.
     */
    public static function once(): string
    {
        return bin2hex(random_bytes(16));
    }

    private function answer(string $method, string $path, array $query, $body, array $headers): Answer
    {
        // What is repeated is harmless: reads, and acts under their Idempotency-Key.
        $tries = $method === 'GET' || $method === 'POST' ? 2 : 1;
        do {
            --$tries;
            $etag = '';
            $text = '';
            $curl = $this->prepare($method, $path, $query, $body, $headers);
            curl_setopt($curl, CURLOPT_HEADERFUNCTION, function ($curl, $line) use (&$etag) {
                if (stripos($line, 'etag:') === 0) {
                    $etag = trim(substr($line, 5));
                }

                return strlen($line);
            });
            curl_setopt($curl, CURLOPT_WRITEFUNCTION, function ($curl, $chunk) use (&$text) {
                $text .= $chunk;

                return strlen($text) > self::MOST ? 0 : strlen($chunk);
            });
            curl_exec($curl);
            $number = curl_errno($curl);
            $status = (int)curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        } while ($number !== 0 && $tries > 0 && $this->worthRepeating($number));
        if ($number !== 0) {
            throw self::transport($number, curl_error($curl));
        }
        if ($status < 200 || $status >= 300) {
            throw Problem::read($status, $text);
        }
        $json = $text === '' ? null : json_decode($text);
        if ($text !== '' && $json === null) {
            throw new Problem(Problem::NOT_TRADESYNC, 'HTTP ' . $status . ' without JSON', $status);
        }

        return new Answer($status, $json, $etag);
    }

    /** A broken line is; a refused connection or a wrong certificate stays what it is, and a second wait would be too long. */
    private function worthRepeating(int $number): bool
    {
        return in_array($number, [CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_PARTIAL_FILE], true);
    }

    /**
     * @return resource|\CurlHandle
     */
    private function prepare(string $method, string $path, array $query, $body, array $headers)
    {
        if ($this->url === '' || $this->key === '') {
            throw new Problem(Problem::NOT_CONFIGURED);
        }
        $query = array_filter($query, function ($value) {
            return $value !== null && $value !== '';
        });
        $url = $this->url . $path . ($query ? '?' . http_build_query($query, '', '&', PHP_QUERY_RFC3986) : '');
        $headers[] = 'Accept: application/json';
        $headers[] = 'Accept-Language: ' . $this->language;
        $headers[] = 'Authorization: Bearer ' . $this->key;
        $headers[] = 'Expect:';
        if ($this->owner !== null) {
            $headers[] = 'X-On-Behalf-Of: ' . $this->owner;
        }
        $curl = curl_init($url);
        curl_setopt_array($curl, [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            CURLOPT_SSL_VERIFYPEER => true,
            CURLOPT_SSL_VERIFYHOST => 2,
            CURLOPT_CONNECTTIMEOUT => self::CONNECT,
            CURLOPT_TIMEOUT => $this->seconds,
            CURLOPT_NOSIGNAL => true,
            CURLOPT_USERAGENT => 'tradesync-opencart/' . Settings::VERSION,
        ]);
        if ($this->caFile !== '') {
            curl_setopt($curl, CURLOPT_CAINFO, $this->caFile);
        }
        if ($body !== null) {
            $flags = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_PRESERVE_ZERO_FRACTION;
            curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($body, $flags));
            $headers[] = 'Content-Type: application/json';
        }
        curl_setopt($curl, CURLOPT_HTTPHEADER, $headers);

        return $curl;
    }

    private static function transport(int $number, string $detail): Problem
    {
        // CURLE_PEER_FAILED_VERIFICATION is 51 in older libraries and 60 in newer ones.
        $tls = [CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CACERT, CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE, 51, 60];

        return new Problem(in_array($number, $tls, true) ? Problem::TLS : Problem::UNREACHABLE, $detail);
    }
}
