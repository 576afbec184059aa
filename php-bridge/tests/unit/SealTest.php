<?php

declare(strict_types=1);

namespace TradesyncTests\Unit;

use PHPUnit\Framework\TestCase;
use Tradesync\Problem;
use Tradesync\Seal;

final class SealTest extends TestCase
{
    /** @var string */
    private $file;

    protected function setUp(): void
    {
        $this->file = sys_get_temp_dir() . '/tradesync-seal-' . bin2hex(random_bytes(6)) . '.php';
    }

    protected function tearDown(): void
    {
        @unlink($this->file);
    }

    public function testWhatWasSealedIsOpenedForTheSameFieldOnly(): void
    {
        $sealed = (new Seal($this->file))->close('admin_key', 'ts_secret');
        self::assertStringNotContainsString('ts_secret', $sealed);
        self::assertSame('ts_secret', (new Seal($this->file))->open('admin_key', $sealed));
        $this->refuses('seller_key', $sealed);
    }

    public function testTheSameTextIsSealedDifferentlyEachTime(): void
    {
        $seal = new Seal($this->file);
        self::assertNotSame($seal->close('admin_key', 'x'), $seal->close('admin_key', 'x'));
    }

    public function testAChangedTextOrAnotherKeyOpensNothing(): void
    {
        $sealed = (new Seal($this->file))->close('admin_key', 'ts_secret');
        $middle = strlen($sealed) - 8;
        $this->refuses('admin_key', substr_replace($sealed, $sealed[$middle] === 'A' ? 'B' : 'A', $middle, 1));
        $this->refuses('admin_key', 'ts_secret');
        $this->refuses('admin_key', '');
        unlink($this->file);
        $this->refuses('admin_key', $sealed);
        (new Seal($this->file))->close('admin_key', 'makes another key');
        $this->refuses('admin_key', $sealed);
    }

    public function testTheKeyFileShowsNothingToAVisitorAndIsForItsOwnerOnly(): void
    {
        (new Seal($this->file))->close('admin_key', 'x');
        self::assertSame('', (string)shell_exec(escapeshellarg(PHP_BINARY) . ' ' . escapeshellarg($this->file)));
        self::assertSame('0600', substr(sprintf('%o', fileperms($this->file)), -4));
        self::assertSame([], glob($this->file . '.*'), 'no half-written file is left');
    }

    public function testAFolderThatCannotBeWrittenIsTold(): void
    {
        $this->expectException(Problem::class);
        (new Seal('/nonexistent/tradesync_key.php'))->close('admin_key', 'x');
    }

    private function refuses(string $field, string $sealed): void
    {
        try {
            (new Seal($this->file))->open($field, $sealed);
            self::fail('opened');
        } catch (Problem $problem) {
            self::assertSame(Problem::SEAL, $problem->name);
        }
    }
}
