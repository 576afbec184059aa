<?php

declare(strict_types=1);

// OpenCart loads our classes by their lower-case file names; the tests do the same.
spl_autoload_register(function (string $class): void {
    $library = dirname(__DIR__) . '/upload/system/library/' . strtolower(str_replace('\\', '/', $class)) . '.php';
    $support = __DIR__ . '/support/' . substr($class, (int)strrpos('\\' . $class, '\\')) . '.php';
    foreach ([$library, $support] as $file) {
        if (is_file($file)) {
            require $file;

            return;
        }
    }
});
error_reporting(E_ALL);
