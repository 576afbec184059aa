<?php

declare(strict_types=1);

namespace TradesyncTests;

/**
 * A real OpenCart 3.0.3.8: a copy of the folder given by OPENCART_DIR, installed by its own command line installer, served by PHP.
 */
final class OpenCart
{
    public const ADMIN = 'admin';
    public const PASSWORD = 'e2e-password';

    /** @var string Address with a slash at the end. */
    public $url;
    /** @var string Folder of the copy, with a slash at the end. */
    public $folder;

    /**
     * @param string $source an unpacked release or a checkout: the folder `upload`, or the one above it
     */
    public function __construct(string $source, Stack $stack)
    {
        $source = is_dir($source . '/upload') ? $source . '/upload' : $source;
        if (!is_file($source . '/system/framework.php') || !is_dir($source . '/install')) {
            throw new \RuntimeException("OPENCART_DIR: no OpenCart with its folder install in $source");
        }
        $this->folder = Stack::root() . '/var/bridge-e2e/opencart/';
        self::command(['rm', '-rf', $this->folder]);
        @mkdir(dirname($this->folder), 0755, true);
        self::command(['cp', '-r', $source . '/.', $this->folder]);
        $this->suit();
        $port = Stack::freePort();
        $this->url = 'http://127.0.0.1:' . $port . '/';
        list($host, $databasePort, $user, $password, $name) = $stack->connection();
        foreach (['', 'admin/'] as $part) {
            copy($this->folder . $part . 'config-dist.php', $this->folder . $part . 'config.php');
        }
        self::command([
            PHP_BINARY, 'cli_install.php', 'install', '--db_hostname', $host, '--db_username', $user, '--db_password', $password,
            '--db_database', $name, '--db_driver', 'mysqli', '--db_port', (string)$databasePort, '--username', self::ADMIN,
            '--password', self::PASSWORD, '--email', 'admin@example.com', '--http_server', $this->url,
        ], $this->folder . 'install');
        self::command(['rm', '-rf', $this->folder . 'install']);
        // The callback comes while a page waits for the service, so one worker would not do.
        $stack->start('opencart', [], [PHP_BINARY, '-d', 'upload_max_filesize=20M', '-S', '127.0.0.1:' . $port], $this->folder, ['PHP_CLI_SERVER_WORKERS' => '6']);
        Stack::until(function () {
            return @file_get_contents($this->url . 'index.php') !== false;
        }, 'OpenCart');
    }

    /** Warnings and errors that PHP wrote into the shop's log. */
    public function errors(): string
    {
        return (string)@file_get_contents($this->folder . 'system/storage/logs/error.log');
    }

    /** All files of the shop but caches, sessions and logs, with their hashes. */
    public function files(): array
    {
        $files = [];
        foreach (new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator($this->folder, \FilesystemIterator::SKIP_DOTS)) as $file) {
            $name = substr($file->getPathname(), strlen($this->folder));
            if (!preg_match('#^(system/storage/(cache|logs|session|upload)|image/cache)/#', $name)) {
                $files[$name] = md5_file($file->getPathname());
            }
        }
        ksort($files);

        return $files;
    }

    /**
     * OpenCart 3.0.3.8 was made for PHP 7.3: under PHP 8 its installer stops at the first notice, and its own files bring deprecations on every
     * page. In this copy they are passed over, ours are not. A checkout lacks two composer libraries that are not used here.
     */
    private function suit(): void
    {
        $this->replace('install/cli_install.php', [
            'array $errcontext)' => '$errcontext = array())',
            "set_error_handler('handleError');" => "set_error_handler('handleError', E_ALL & ~E_DEPRECATED);",
        ]);
        $this->replace('system/framework.php', [
            'set_error_handler(function($code, $message, $file, $line) use($log, $config) {' =>
                'set_error_handler(function($code, $message, $file, $line) use($log, $config) {'
                . ' if (($code & (E_DEPRECATED | E_USER_DEPRECATED)) && strpos($file, "tradesync") === false) { return true; }',
        ]);
        foreach (['admin', 'catalog'] as $part) {
            $this->replace($part . '/controller/startup/error.php', [
                'public function handler($code, $message, $file, $line) {' => 'public function handler($code, $message, $file, $line) {'
                    . ' if (($code & (E_DEPRECATED | E_USER_DEPRECATED)) && strpos($file, "tradesync") === false) { return true; }',
            ]);
        }
        $this->replace('system/startup.php', ['error_reporting(E_ALL);' => 'error_reporting(E_ALL & ~E_DEPRECATED);']);
        $vendor = $this->folder . 'system/storage/vendor/';
        foreach (require $vendor . 'composer/autoload_files.php' as $file) {
            $file = str_replace('//', '/', $file);
            if (!is_file($file)) {
                @mkdir(dirname($file), 0755, true);
                file_put_contents($file, "<?php\n");
            }
        }
    }

    private function replace(string $file, array $pairs): void
    {
        $text = file_get_contents($this->folder . $file);
        foreach ($pairs as $from => $to) {
            if (strpos($text, $from) === false) {
                throw new \RuntimeException("$file is not that of OpenCart 3.0.3.8: it lacks `$from`");
            }
            $text = str_replace($from, $to, $text);
        }
        file_put_contents($this->folder . $file, $text);
    }

    private static function command(array $command, ?string $folder = null): void
    {
        $process = proc_open($command, [1 => ['pipe', 'w'], 2 => ['pipe', 'w']], $pipes, $folder);
        $out = stream_get_contents($pipes[1]) . stream_get_contents($pipes[2]);
        if (proc_close($process) !== 0) {
            throw new \RuntimeException(implode(' ', array_slice($command, 0, 2)) . ': ' . $out);
        }
    }
}
