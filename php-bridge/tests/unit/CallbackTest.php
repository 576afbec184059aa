<?php

declare(strict_types=1);

namespace TradesyncTests\Unit;

use PHPUnit\Framework\TestCase;
use Tradesync\Callback;
use TradesyncTests\Stack;

/** docs/bridge.md, point by point. */
final class CallbackTest extends TestCase
{
    private const SECRET = 'bridge-secret-of-the-example';
    private const NOW = 1700000000;
    private const PNG = "\x89PNG\r\n\x1a\n and the rest of a picture";

    /** @var string */
    private $images;
    /** @var string[] */
    private $cleared = [];
    /** @var int */
    private $bodies = 0;

    protected function setUp(): void
    {
        $this->images = sys_get_temp_dir() . '/tradesync-images-' . bin2hex(random_bytes(6)) . '/';
        mkdir($this->images);
    }

    protected function tearDown(): void
    {
        exec('rm -rf ' . escapeshellarg($this->images));
    }

    public function testTheExampleOfTheContractIsAccepted(): void
    {
        $example = file_get_contents(Stack::root() . '/docs/bridge.md');
        $server = ['REQUEST_METHOD' => 'POST'];
        preg_match_all('/^X-Tradesync-([\w-]+):[ ]?(.*)$/m', $example, $headers, PREG_SET_ORDER);
        foreach ($headers as $header) {
            $server['HTTP_X_TRADESYNC_' . strtoupper(str_replace('-', '_', $header[1]))] = $header[2];
        }
        self::assertCount(6, $server);
        self::assertSame(200, $this->send($server, '')[0]);
    }

    public function testACallOutsideFiveMinutesIsRefusedBeforeItsBodyIsRead(): void
    {
        foreach ([-301, 301] as $seconds) {
            self::assertSame(401, $this->send($this->signed('ping', '', '', self::NOW + $seconds), '')[0]);
        }
        self::assertSame(0, $this->bodies);
        foreach ([-300, 300] as $seconds) {
            self::assertSame(200, $this->send($this->signed('ping', '', '', self::NOW + $seconds), '')[0]);
        }
    }

    /** OpenCart's handler hears of `@`-ed warnings too from PHP 8 on, and would write them into the answer. */
    public function testWhatCannotBeWrittenIsAnsweredAndNotWarnedAbout(): void
    {
        $warned = [];
        set_error_handler(function (int $level, string $words) use (&$warned): bool {
            $warned[] = $words;

            return true;
        });
        try {
            mkdir($this->images . 'catalog');
            touch($this->images . 'catalog/tradesync');
            $hash = hash('sha256', self::PNG);
            $path = 'catalog/tradesync/' . substr($hash, 0, 2) . '/' . substr($hash, 0, 32) . '.png';
            self::assertSame(507, $this->send($this->signed('put-picture', $path, self::PNG), self::PNG)[0]);
            self::assertSame(507, $this->send($this->signed('ping', '', ''), '')[0]);
        } finally {
            restore_error_handler();
        }
        self::assertSame([], $warned);
    }

    public function testNoWarningIsOnlyMutedByASign(): void
    {
        foreach (new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator(__DIR__ . '/../../upload', \FilesystemIterator::SKIP_DOTS)) as $file) {
            if ($file->getExtension() === 'php') {
                self::assertNotContains('@', token_get_all(file_get_contents($file->getPathname())), $file->getPathname());
            }
        }
    }

    public function testEveryPartIsSigned(): void
    {
        $path = self::path(self::PNG);
        $right = $this->signed('put-picture', $path, self::PNG);
        foreach (['ACTION' => 'ping', 'TIMESTAMP' => (string)(self::NOW + 1), 'PATH' => 'catalog/x.png', 'CONTENT_SHA256' => hash('sha256', 'x')] as $name => $other) {
            $forged = ['HTTP_X_TRADESYNC_' . $name => $other] + $right;
            self::assertSame(401, $this->send($forged, self::PNG)[0], $name);
        }
        unset($right['HTTP_X_TRADESYNC_SIGNATURE']);
        self::assertSame(401, $this->send($right, self::PNG)[0]);
        self::assertSame(0, $this->bodies, 'no body is read before the signature is right');
        self::assertSame([], glob($this->images . '*'));
    }

    public function testAnotherSecretOrNoneOpensNothing(): void
    {
        $call = $this->signed('ping', '', '');
        self::assertSame(401, (new Callback('another', $this->images, 'trim', self::NOW))->answer($call, 'time')[0]);
        $empty = $this->signed('ping', '', '', self::NOW, '');
        self::assertSame(503, (new Callback('', $this->images, 'trim', self::NOW))->answer($empty, 'time')[0]);
    }

    public function testAnotherBodyThanTheSignedOneIsRefused(): void
    {
        $path = self::path(self::PNG);
        self::assertSame(422, $this->send($this->signed('put-picture', $path, self::PNG), self::PNG . '!')[0]);
        self::assertFileDoesNotExist($this->images . $path);
    }

    public function testAPictureIsStoredUnderItsContentAndARepetitionIsHarmless(): void
    {
        $path = self::path(self::PNG);
        $call = $this->signed('put-picture', $path, self::PNG);
        self::assertSame([200, ['ok' => true]], $this->send($call, self::PNG));
        self::assertSame(self::PNG, file_get_contents($this->images . $path));
        self::assertSame('0644', substr(sprintf('%o', fileperms($this->images . $path)), -4));
        self::assertSame([200, ['ok' => true]], $this->send($call, self::PNG));
        self::assertSame(['.', '..', basename($path)], scandir(dirname($this->images . $path)), 'nothing half-written is left');
    }

    /** @dataProvider wrongPaths */
    public function testAPathOfAnotherFormIsRefused(string $path): void
    {
        self::assertSame(422, $this->send($this->signed('put-picture', $path, self::PNG), self::PNG)[0]);
        self::assertSame([], glob($this->images . '*'));
    }

    public function wrongPaths(): array
    {
        $right = self::path(self::PNG);

        return [
            'out of the folder' => ['catalog/tradesync/../../index.php'],
            'another ending' => [str_replace('.png', '.php', $right)],
            'a second ending' => [$right . '.php'],
            'a line feed at its end' => [$right . "\n"],
            'another folder' => [str_replace('tradesync', 'demo', $right)],
            'another content' => [self::path('another')],
            'upper case' => [strtoupper($right)],
            'another pair in front' => [preg_replace('#/../#', '/00/', $right)],
            'a kind that it is not' => [str_replace('.png', '.jpg', $right)],
            'none' => [''],
        ];
    }

    public function testPhpInAPicturesClothesIsNoPicture(): void
    {
        $code = '<?php echo 1;';
        self::assertSame(422, $this->send($this->signed('put-picture', self::path($code), $code), $code)[0]);
    }

    public function testCachesAreClearedByTheirNames(): void
    {
        self::assertSame(200, $this->send($this->signed('clear-cache', 'product,manufacturer', ''), '')[0]);
        self::assertSame(['product', 'manufacturer'], $this->cleared);
        self::assertSame(422, $this->send($this->signed('clear-cache', 'product,../x', ''), '')[0]);
    }

    public function testOtherCallsAreAnsweredInWords(): void
    {
        self::assertSame(405, $this->send(['REQUEST_METHOD' => 'GET'], '')[0]);
        list($status, $answer) = $this->send($this->signed('delete-everything', '', ''), '');
        self::assertSame(422, $status);
        self::assertStringContainsString('delete-everything', $answer['error']);
        self::assertSame(413, $this->send(['CONTENT_LENGTH' => '99999999'] + $this->signed('ping', '', ''), '')[0]);
    }

    public function testPingSaysWhenTheFolderCannotBeWritten(): void
    {
        file_put_contents($this->images . 'catalog', 'a file where the folder should be');
        self::assertSame(507, $this->send($this->signed('ping', '', ''), '')[0]);
    }

    private static function path(string $content): string
    {
        $name = substr(hash('sha256', $content), 0, 32);

        return 'catalog/tradesync/' . substr($name, 0, 2) . '/' . $name . '.png';
    }

    private function signed(string $action, string $path, string $body, int $time = self::NOW, string $secret = self::SECRET): array
    {
        $hash = hash('sha256', $body);
        $text = "v1\n$action\n$time\n$path\n$hash";

        return [
            'REQUEST_METHOD' => 'POST',
            'HTTP_X_TRADESYNC_ACTION' => $action,
            'HTTP_X_TRADESYNC_TIMESTAMP' => (string)$time,
            'HTTP_X_TRADESYNC_PATH' => $path,
            'HTTP_X_TRADESYNC_CONTENT_SHA256' => $hash,
            'HTTP_X_TRADESYNC_SIGNATURE' => 'v1=' . hash_hmac('sha256', $text, $secret),
        ];
    }

    private function send(array $server, string $body): array
    {
        $callback = new Callback(self::SECRET, $this->images, function ($name) {
            $this->cleared[] = $name;
        }, self::NOW);

        return $callback->answer($server, function () use ($body) {
            ++$this->bodies;

            return $body;
        });
    }
}
