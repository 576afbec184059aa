<?php

declare(strict_types=1);

namespace TradesyncTests\Unit;

use PHPUnit\Framework\TestCase;

/** What OpenCart's installer and old PHP versions take. */
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

    /** @dataProvider sources */
    public function testNothingNewerThanPhp72IsUsed(string $file): void
    {
        $code = file_get_contents($file);
        $newer = ['T_FN', 'T_COALESCE_EQUAL', 'T_MATCH', 'T_NULLSAFE_OBJECT_OPERATOR', 'T_ATTRIBUTE', 'T_ENUM', 'T_READONLY'];
        $tokens = array_values(array_filter(token_get_all($code), function ($token) {
            return !is_array($token) || !in_array($token[0], [T_WHITESPACE, T_COMMENT, T_DOC_COMMENT], true);
        }));
        foreach ($tokens as $i => $token) {
            $name = is_array($token) ? token_name($token[0]) : $token;
            $line = is_array($token) ? $token[2] : 0;
            self::assertNotContains($name, $newer, "$file:$line");
            if (in_array($name, ['T_PUBLIC', 'T_PROTECTED', 'T_PRIVATE'], true)) {
                $next = $tokens[$i + 1];
                $next = is_array($next) && $next[0] === T_STATIC ? $tokens[$i + 2] : $next;
                $kind = is_array($next) ? $next[0] : $next;
                self::assertContains($kind, [T_VARIABLE, T_FUNCTION, T_CONST, T_STATIC, T_FINAL, T_ABSTRACT], "a typed property in $file:$line");
            }
            if ($token === ')' && $tokens[$i - 1] === ',') {
                self::assertSame('array', $this->opener($tokens, $i), "a comma before ) in $file");
            }
        }
        $functions = 'str_contains|str_starts_with|str_ends_with|array_key_first|array_key_last|is_countable|hrtime|array_is_list|mb_str_split|JSON_THROW_ON_ERROR';
        self::assertDoesNotMatchRegularExpression('/\b(' . $functions . ')\b/', $code, $file);
    }

    /** @dataProvider scripts */
    public function testScriptsNeedNoBuildAndNoNewBrowser(string $file): void
    {
        $code = preg_replace('#/\*.*?\*/|//[^\n]*#s', '', file_get_contents($file));
        self::assertDoesNotMatchRegularExpression('/=>|\b(let|const|import|export|async|await)\b|`/', $code);
        self::assertStringContainsString("'use strict'", $code);
        self::assertDoesNotMatchRegularExpression('/\.html\(|innerHTML|document\.write|\beval\(/', $code, 'texts are never HTML');
    }

    public function sources(): array
    {
        return $this->files('php');
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

    /** Whether a closing parenthesis ends an array() or something that PHP 7.2 allows no comma in. */
    private function opener(array $tokens, int $close): string
    {
        for ($depth = 0, $i = $close; $i >= 0; --$i) {
            $depth += $tokens[$i] === ')' ? 1 : ($tokens[$i] === '(' ? -1 : 0);
            if ($depth === 0) {
                return is_array($tokens[$i - 1]) && $tokens[$i - 1][0] === T_ARRAY ? 'array' : 'call';
            }
        }

        return 'call';
    }
}
