<?php

namespace Tradesync;

/**
 * Seals what must not stand readable in the database: AES-256-GCM under a key that lies in a file beside OpenCart's storage.
 *
 * A copy of the database alone opens nothing. The file is PHP, so that a web server that serves the storage folder by mistake runs it
 * instead of showing it. A sealed text is `v1.<nonce>.<tag and ciphertext>`, and holds only for the field that it was made for.
 */
final class Seal
{
    private const CIPHER = 'aes-256-gcm';
    private const NONCE = 12;
    private const TAG = 16;

    /** @var string */
    private $file;
    /** @var string|null */
    private $key;

    /**
     * @param string $file where the key lies or is to lie
     */
    public function __construct(string $file)
    {
        $this->file = $file;
    }

    /**
     * Seals a text for a field; makes the key file when there is none.
     *
     * @throws Problem if the key file cannot be written or read
     */
    public function close(string $field, string $plain): string
    {
        $nonce = random_bytes(self::NONCE);
        $tag = '';
        $cipher = openssl_encrypt($plain, self::CIPHER, $this->key(true), OPENSSL_RAW_DATA, $nonce, $tag, $field, self::TAG);

        return 'v1.' . self::encode($nonce) . '.' . self::encode($tag . $cipher);
    }

    /**
     * Opens what close() sealed for the same field.
     *
     * @throws Problem if the key file is gone, or the text was sealed under another key or for another field
     */
    public function open(string $field, string $sealed): string
    {
        $parts = explode('.', $sealed);
        if (count($parts) !== 3 || $parts[0] !== 'v1') {
            throw new Problem(Problem::SEAL, 'the stored text of ' . $field . ' is not sealed');
        }
        $body = self::decode($parts[2]);
        $tag = substr($body, 0, self::TAG);
        $plain = strlen($tag) === self::TAG
            ? openssl_decrypt(
                substr($body, self::TAG),
                self::CIPHER,
                $this->key(false),
                OPENSSL_RAW_DATA,
                self::decode($parts[1]),
                $tag,
                $field
            )
            : false;
        if ($plain === false) {
            throw new Problem(Problem::SEAL, $field . ' was sealed under another key');
        }

        return $plain;
    }

    /**
     * Deletes the key: nothing that it sealed can be opened again.
     */
    public function forget(): void
    {
        $this->key = null;
        if (is_file($this->file)) {
            unlink($this->file);
        }
    }

    private function key(bool $make): string
    {
        if ($this->key !== null) {
            return $this->key;
        }
        if ($make && !is_file($this->file)) {
            $this->make();
        }
        $text = is_readable($this->file) ? (string)file_get_contents($this->file) : '';
        $key = preg_match("/return '([A-Za-z0-9+\/=]+)';/", $text, $found) ? base64_decode($found[1], true) : false;
        if ($key === false || strlen($key) !== 32) {
            throw new Problem(Problem::SEAL, 'no key in ' . $this->file);
        }

        return $this->key = $key;
    }

    /** Written beside and linked to its name, so that two first requests at once end with one key. */
    private function make(): void
    {
        $beside = $this->file . '.' . bin2hex(random_bytes(6));
        $text = "<?php\n\n// Opens the keys that tradesync sealed. Back it up with the shop's files, apart from its database.\nreturn '"
            . base64_encode(random_bytes(32)) . "';\n";
        $written = Quietly::call('file_put_contents', $beside, $text);
        if ($written !== strlen($text)) {
            Quietly::call('unlink', $beside);
            throw new Problem(Problem::SEAL, 'cannot write ' . $this->file);
        }
        chmod($beside, 0600);
        $linked = Quietly::call('link', $beside, $this->file);
        if (!$linked && !is_file($this->file)) {
            // A file system without hard links.
            rename($beside, $this->file);
        }
        Quietly::call('unlink', $beside);
    }

    private static function encode(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }

    private static function decode(string $text): string
    {
        return (string)base64_decode(strtr($text, '-_', '+/'));
    }
}
