<?php

declare(strict_types=1);

namespace TradesyncTests\Unit;

use PHPUnit\Framework\TestCase;

/** What OpenCart's installer and old browsers take. */
final class PackageTest extends TestCase
{
    private const BRIDGE = __DIR__ . '/../../';
    /** admin/controller/marketplace/install.php of OpenCart 3.0.3.8: one file elsewhere, and it installs nothing. */
    private const ALLOWED = [
        'admin/controller/extension/', 'admin/language/', 'admin/model/extension/', 'admin/view/image/', 'admin/view/javascript/',
        'admin/view/stylesheet/', 'admin/view/template/extension/', 'catalog/controller/extension/', 'catalog/language/',
        'catalog/model/extension/', 'catalog/view/javascript/', 'catalog/view/theme/', 'system/config/', 'system/library/', 'image/catalog/',
    ];

    public function testTheSameSourcesGiveTheSamePackage(): void
    {
        $hashes = [];
        foreach ([1, 2] as $time) {
            $file = sys_get_temp_dir() . '/tradesync-' . getmypid() . '-' . $time . '.ocmod.zip';
            exec(escapeshellarg(PHP_BINARY) . ' ' . escapeshellarg(self::BRIDGE . 'build.php') . ' ' . escapeshellarg($file), $out, $code);
            self::assertSame(0, $code, implode("\n", $out));
            $hashes[] = hash_file('sha256', $file);
            $zip = new \ZipArchive();
            $zip->open($file);
            $names = [];
            for ($i = 0; $i < $zip->numFiles; ++$i) {
                $names[] = $zip->getNameIndex($i);
            }
            $zip->close();
            unlink($file);
            touch(self::BRIDGE . 'upload/catalog/view/javascript/tradesync/panel.js');
        }
        self::assertSame($hashes[0], $hashes[1]);
        self::assertGreaterThan(35, count($names));
        foreach ($names as $name) {
            $target = preg_replace('#^upload/#', '', $name);
            self::assertNotEmpty(array_filter(self::ALLOWED, function ($folder) use ($target) {
                return strpos($target, $folder) === 0;
            }), $name);
        }
    }

    /** @dataProvider scripts */
    public function testScriptsNeedNoBuildAndNoNewBrowser(string $file): void
    {
        $code = preg_replace('#/\*.*?\*/|//[^\n]*#s', '', file_get_contents($file));
        self::assertDoesNotMatchRegularExpression('/=>|\b(let|const|import|export|async|await)\b|`/', $code);
        self::assertStringContainsString("'use strict'", $code);
        self::assertDoesNotMatchRegularExpression('/\.html\(|innerHTML|document\.write|\beval\(/', $code, 'texts are never HTML');
    }

    public function scripts(): array
    {
        return $this->files('js');
    }

    private function files(string $ending): array
    {
        $files = [];
        foreach (new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator(self::BRIDGE . 'upload', \FilesystemIterator::SKIP_DOTS)) as $file) {
            if ($file->getExtension() === $ending) {
                $files[substr($file->getPathname(), strlen(self::BRIDGE))] = [$file->getPathname()];
            }
        }

        return $files;
    }
}
