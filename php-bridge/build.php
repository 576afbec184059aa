<?php

/**
 * Builds the package that OpenCart's Extension Installer takes: `php build.php <where to>/tradesync.ocmod.zip`.
 *
 * The same sources give the same bytes: files in the order of their names, one fixed time, one fixed mode.
 */

declare(strict_types=1);

const EPOCH = 1577836800; // 2020-01-01: the year 1980 of ZIP is far enough away in every time zone.

if ($argc !== 2 || substr($argv[1], -10) !== '.ocmod.zip') {
    fwrite(STDERR, "usage: php build.php <path>/tradesync.ocmod.zip\n");
    exit(2);
}
date_default_timezone_set('UTC');
$root = __DIR__ . '/';
$files = [];
foreach (new RecursiveIteratorIterator(new RecursiveDirectoryIterator($root . 'upload', FilesystemIterator::SKIP_DOTS)) as $file) {
    $files[] = substr($file->getPathname(), strlen($root));
}
sort($files, SORT_STRING);
$target = $argv[1];
@unlink($target);
$zip = new ZipArchive();
if ($zip->open($target, ZipArchive::CREATE) !== true) {
    fwrite(STDERR, "cannot write $target\n");
    exit(1);
}
foreach ($files as $name) {
    $zip->addFromString($name, file_get_contents($root . $name));
    $zip->setMtimeName($name, EPOCH);
    $zip->setExternalAttributesName($name, ZipArchive::OPSYS_UNIX, 0100644 << 16);
    $zip->setCompressionName($name, ZipArchive::CM_DEFLATE, 9);
}
if (!$zip->close()) {
    fwrite(STDERR, "cannot write $target: " . $zip->getStatusString() . "\n");
    exit(1);
}
printf("%s: %d files, %d bytes, sha256 %s\n", $target, count($files), filesize($target), hash_file('sha256', $target));
