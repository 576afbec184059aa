<?php

declare(strict_types=1);

namespace TradesyncTests\Unit;

use PHPUnit\Framework\TestCase;
use TradesyncTests\Php72;

/** OpenCart 3.0.3.8 runs on PHP 7.2 still; we run on 8.2, so a parser looks. */
final class Php72Test extends TestCase
{
    private const UPLOAD = __DIR__ . '/../../upload';

    protected function setUp(): void
    {
        if (!Php72::canRead()) {
            self::markTestSkipped('not looked at with PHP 7.2 in mind: this needs php-parser 4');
        }
    }

    /** @dataProvider sources */
    public function testPhp72TakesEveryFileOfThePackage(string $file): void
    {
        self::assertSame([], Php72::faults(file_get_contents($file)), $file);
    }

    /** @dataProvider newer */
    public function testWhatCameLaterIsFound(string $code): void
    {
        self::assertNotSame([], Php72::faults("<?php\n" . $code), $code);
    }

    public function testWhatPhp72KnowsIsTaken(): void
    {
        $code = 'namespace A; final class B { private const C = [1, 2,]; /** @var ?int */ private $d; public function e(?int $f, string ...$g): ?self '
            . '{ try { [$h, list($i)] = [1, [2]]; yield $f ?? $h; } catch (\\A | \\B $j) { throw $j; } $k = function () use ($i) { return $i; }; '
            . 'return $k instanceof self ? new self(...$g) : null; } public function match(object $o): void { $o->fn(); echo <<<X' . "\nx\nX;\n} }";
        self::assertSame([], Php72::faults("<?php\n" . $code));
    }

    public function sources(): array
    {
        $files = [];
        foreach (new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator(self::UPLOAD, \FilesystemIterator::SKIP_DOTS)) as $file) {
            if ($file->getExtension() === 'php') {
                $files[substr($file->getPathname(), strlen(self::UPLOAD) + 1)] = [$file->getPathname()];
            }
        }

        return $files;
    }

    public function newer(): array
    {
        $all = [
            '$a = fn ($b) => $b;', '$a ??= 1;', 'class A { private int $b; }', '$a = [...$b];', '[&$a] = $b;', '$a = 1_000;', "f(1,\n);", 'f(...);',
            "echo <<<X\n  x\n  X;", 'function a($b,) {}', '$a = function () use ($b,) {};', 'class A { public function __construct(private $b) {} }',
            '$a = match ($b) { 1 => 2 };', '$a?->b();', '$a?->b;', 'f(name: 1);', 'try { a(); } catch (B) {}', '$a = $b ?? throw new C();',
            "#[A]\nfunction b() {}", 'function a(int|string $b) {}', 'function a(): static {}', 'function a(mixed $b) {}', 'function a(): never {}',
            'enum A { case B; }', 'class A { readonly int $b; }', 'function a($b = new C()) {}', '$a = str_contains($b, $c);', 'json_decode($a, false, 9, JSON_THROW_ON_ERROR);',
            'class A { final const B = 1; }', 'function a(): ?false {}',
        ];

        return array_combine($all, array_map(function ($code) {
            return [$code];
        }, $all));
    }
}
