<?php

namespace Tradesync;

/**
 * The bridge's side of docs/bridge.md: what the service asks of the shop where it does not reach the shop's disk.
 *
 * Pure but for the image folder and the cache: it gets the request and answers with a status and a body.
 */
final class Callback
{
    /** Seconds by which the service's clock may differ. */
    private const CLOCK = 300;
    /** Largest body, in bytes. The service sends at most `images.max_bytes` (10 MB), re-encoded. */
    private const MOST = 33554432;

    /** @var string */
    private $secret;
    /** @var string */
    private $images;
    /** @var callable */
    private $clear;
    /** @var int */
    private $now;

    /**
     * @param string   $secret the secret that both sides know; '' = not set up
     * @param string   $images OpenCart's image folder (DIR_IMAGE), with a slash at the end
     * @param callable $clear  forgets what the shop has cached under a key, such as `product`
     * @param int      $now    seconds since 1970
     */
    public function __construct(string $secret, string $images, callable $clear, int $now)
    {
        $this->secret = $secret;
        $this->images = $images;
        $this->clear = $clear;
        $this->now = $now;
    }

    /**
     * Answers one call.
     *
     * @param array    $server PHP's $_SERVER
     * @param callable $body   reads the body: called only when the signature is right
     *
     * @return array{0: int, 1: array<string, mixed>} HTTP status, JSON
     */
    public function answer(array $server, callable $body): array
    {
        if (($server['REQUEST_METHOD'] ?? '') !== 'POST') {
            return [405, ['error' => 'This address is for tradesync: it takes POST only.']];
        }
        $header = function (string $name) use ($server): string {
            return (string)($server['HTTP_X_TRADESYNC_' . $name] ?? '');
        };
        if ($this->secret === '') {
            return [503, ['error' => 'The module tradesync of this shop is not set up yet: its settings have not been saved.']];
        }
        $timestamp = $header('TIMESTAMP');
        if (!preg_match('/^[0-9]{1,12}$/', $timestamp) || abs($this->now - (int)$timestamp) > self::CLOCK) {
            return [401, ['error' => 'The call is too old or too new: compare the clocks of the shop and of tradesync.']];
        }
        $signed = implode("\n", ['v1', $header('ACTION'), $timestamp, $header('PATH'), $header('CONTENT_SHA256')]);
        if (!hash_equals('v1=' . hash_hmac('sha256', $signed, $this->secret), $header('SIGNATURE'))) {
            return [401, ['error' => 'The signature is wrong: save the seller in the shop once more, so that both sides know one secret.']];
        }
        if ((int)($server['CONTENT_LENGTH'] ?? 0) > self::MOST) {
            return [413, ['error' => 'The body is too large.']];
        }
        $content = (string)$body();
        $hash = hash('sha256', $content);
        if (!hash_equals($header('CONTENT_SHA256'), $hash)) {
            return [422, ['error' => 'The body is not the one that was signed.']];
        }
        switch ($header('ACTION')) {
            case 'ping':
                return $this->ping();
            case 'put-picture':
                return $this->putPicture($header('PATH'), $content, $hash);
            case 'clear-cache':
                return $this->clearCache($header('PATH'));
            default:
                return [422, ['error' => 'This version of the module does not know the action ' . $header('ACTION') . '.']];
        }
    }

    private function ping(): array
    {
        $folder = $this->images . 'catalog/tradesync';
        if (!is_dir($folder)) {
            // Another picture's call may make it at the same moment.
            Quietly::call('mkdir', $folder, 0755, true);
        }
        if (!is_dir($folder) || !is_writable($folder)) {
            return [507, ['error' => 'The folder image/catalog/tradesync of the shop cannot be written.']];
        }

        return [200, ['ok' => true, 'version' => Settings::VERSION]];
    }

    private function putPicture(string $path, string $content, string $hash): array
    {
        if (!preg_match('#^catalog/tradesync/([0-9a-f]{2})/([0-9a-f]{32})\.(jpg|png|gif)$#D', $path, $part)) {
            return [422, ['error' => 'A picture cannot be stored under this path.']];
        }
        if (strpos($hash, $part[2]) !== 0 || strpos($part[2], $part[1]) !== 0) {
            return [422, ['error' => 'The name of the picture is not that of its content.']];
        }
        if (self::kind($content) !== $part[3]) {
            return [422, ['error' => 'The content is no picture of the kind that its name says.']];
        }
        $file = $this->images . $path;
        if (is_file($file) && filesize($file) === strlen($content)) {
            return [200, ['ok' => true]];
        }
        $folder = dirname($file);
        if (!is_dir($folder)) {
            Quietly::call('mkdir', $folder, 0755, true);
        }
        $beside = $folder . '/.' . $part[2] . '.' . bin2hex(random_bytes(6));
        $stored = Quietly::call('file_put_contents', $beside, $content) === strlen($content)
            && Quietly::call('chmod', $beside, 0644) && Quietly::call('rename', $beside, $file);
        if (!$stored) {
            Quietly::call('unlink', $beside);

            return [507, ['error' => 'The picture cannot be written to the shop: is the disk full, or the folder image closed?']];
        }

        return [200, ['ok' => true]];
    }

    /** The names stand where a picture's path would: `product`, or `product,manufacturer`. */
    private function clearCache(string $names): array
    {
        $known = ['product', 'manufacturer'];
        $asked = explode(',', $names);
        if (array_diff($asked, $known)) {
            return [422, ['error' => 'Only the caches product and manufacturer are cleared.']];
        }
        foreach ($asked as $name) {
            ($this->clear)($name);
        }

        return [200, ['ok' => true]];
    }

    /** By its first bytes; the service has decoded it before. */
    private static function kind(string $content): string
    {
        if (strncmp($content, "\xff\xd8\xff", 3) === 0) {
            return 'jpg';
        }
        if (strncmp($content, "\x89PNG\r\n\x1a\n", 8) === 0) {
            return 'png';
        }

        return preg_match('/^GIF8[79]a/', $content) ? 'gif' : '';
    }
}
