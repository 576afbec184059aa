<?php

declare(strict_types=1);

namespace TradesyncTests;

/**
 * What the tests run against: the real service and the simulated Billz as processes, and a database of the private server.
 *
 * TRADESYNC_TEST_SERVER names the server (tests/env/with-mariadb.sh), TRADESYNC_BIN the program, target/debug/tradesync without it.
 */
final class Stack
{
    public const BILLZ_KEY = 'demo-integration-key';

    /** @var string Address of the service. */
    public $service;
    /** @var string Address of the simulated Billz 2. */
    public $billz2;
    /** @var string Address of the simulated Billz 1. */
    public $billz1;
    /** @var string mysql:// address of the shop's database. */
    public $databaseUrl;
    /** @var string Name of the shop's database. */
    public $database;
    /** @var string The administrator's key. */
    public $adminKey;
    /** @var string The sellers' key. */
    public $sellerKey;
    /** @var string Folder for logs. */
    private $folder;
    /** @var resource[] */
    private $processes = [];
    /** @var array<string, string> */
    private $environment;
    /** @var \mysqli */
    private $server;

    /**
     * @param int $products goods in the simulated Billz
     */
    public function __construct(int $products)
    {
        $address = getenv('TRADESYNC_TEST_SERVER');
        if ($address === false) {
            throw new \RuntimeException('TRADESYNC_TEST_SERVER is not set: run `make bridge-test`');
        }
        $parts = parse_url($address);
        $this->database = 'bridge_' . bin2hex(random_bytes(4));
        $this->databaseUrl = rtrim($address, '/') . '/' . $this->database;
        $this->server = new \mysqli($parts['host'], $parts['user'], $parts['pass'], '', $parts['port']);
        $this->server->query('CREATE DATABASE ' . $this->database . ' CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci');
        $this->folder = self::root() . '/var/bridge-test';
        @mkdir($this->folder, 0755, true);
        $this->environment = [
            'DATABASE_URL' => $this->databaseUrl,
            'TRADESYNC_MASTER_KEY' => base64_encode(random_bytes(32)),
            'TRADESYNC_LOG' => 'warn',
            'PATH' => (string)getenv('PATH'),
        ];
        $one = self::freePort();
        $two = self::freePort();
        $this->billz2 = 'http://127.0.0.1:' . $two;
        $this->billz1 = 'http://127.0.0.1:' . $one;
        $this->start('sandbox', [
            'sandbox', '--listen', '127.0.0.1:' . $two, '--listen-billz1', '127.0.0.1:' . $one, '--products', (string)$products,
            '--rate-limit', '0', '--secret', self::BILLZ_KEY,
        ]);
    }

    /** Host, port, user, password and name of the shop's database. */
    public function connection(): array
    {
        $parts = parse_url($this->databaseUrl);

        return [$parts['host'], $parts['port'], $parts['user'], $parts['pass'], $this->database];
    }

    public function mysqli(): \mysqli
    {
        list($host, $port, $user, $password, $name) = $this->connection();
        $mysqli = new \mysqli($host, $user, $password, $name, $port);
        $mysqli->query("SET SESSION sql_mode = 'NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION'");
        $mysqli->set_charset('utf8mb4');

        return $mysqli;
    }

    /** The OpenCart schema and some rows, as the Rust tests use them. */
    public function loadSchema(): void
    {
        $mysqli = $this->mysqli();
        foreach (['schema.sql', 'seed.sql'] as $file) {
            $mysqli->multi_query(file_get_contents(self::root() . '/src/sandbox/opencart/' . $file));
            while ($mysqli->more_results()) {
                $mysqli->next_result();
            }
        }
    }

    /** Our tables, two keys, and the service. */
    public function serve(): void
    {
        $this->call(['migrate']);
        $key = ['key', 'create', '--flow', 'billz-opencart', '--role'];
        $this->adminKey = $this->call(array_merge($key, ['admin', '--name', 'opencart-admin']));
        $this->sellerKey = $this->call(array_merge($key, ['operator', '--name', 'opencart-sellers', '--delegate']));
        $this->service = 'http://127.0.0.1:' . self::freePort();
        $this->environment['TRADESYNC_LISTEN'] = substr($this->service, 7);
        $this->up();
    }

    /** Starts the service (again, after down()). */
    public function up(): void
    {
        $this->start('serve', ['serve']);
        self::until(function () {
            return @file_get_contents($this->service . '/readyz') !== false;
        }, 'the service', 60);
    }

    /** Ends the service, as on a bad day. */
    public function down(): void
    {
        $this->end('serve');
    }

    public function stop(): void
    {
        foreach (array_keys($this->processes) as $name) {
            $this->end($name);
        }
        $this->server->query('DROP DATABASE ' . $this->database);
    }

    /**
     * Changes something in the simulated Billz, or asks it.
     *
     * @return mixed
     */
    public function billz(string $method, string $path, $body = null)
    {
        return $this->sandbox($method, $this->billz2 . '/_sandbox/billz2/' . $path, $body);
    }

    /**
     * The same of the simulated Billz 1.
     *
     * @return mixed
     */
    public function billz1(string $method, string $path, $body = null)
    {
        return $this->sandbox($method, $this->billz1 . '/_sandbox/billz1/' . $path, $body);
    }

    private function sandbox(string $method, string $url, $body)
    {
        $context = stream_context_create(['http' => [
            'method' => $method, 'header' => 'Content-Type: application/json', 'content' => $body === null ? '' : json_encode($body),
            'ignore_errors' => true,
        ]]);

        return json_decode(file_get_contents($url, false, $context));
    }

    /** A port that nobody listens on. */
    public static function freePort(): int
    {
        $socket = stream_socket_server('tcp://127.0.0.1:0');
        $port = (int)substr(strrchr(stream_socket_get_name($socket, false), ':'), 1);
        fclose($socket);

        return $port;
    }

    /** Waits until somebody listens on a port. */
    public static function listens(int $port, string $who): void
    {
        self::until(function () use ($port) {
            $socket = @fsockopen('127.0.0.1', $port);
            if ($socket !== false) {
                fclose($socket);
            }

            return $socket !== false;
        }, $who);
    }

    /** Looks until it is so, with a deadline. */
    public static function until(callable $so, string $what, int $seconds = 30): void
    {
        $end = microtime(true) + $seconds;
        while (!$so()) {
            if (microtime(true) > $end) {
                throw new \RuntimeException("not seen within $seconds s: $what");
            }
            usleep(100000);
        }
    }

    /** The first of some programs that is installed. */
    public static function program(array $names): string
    {
        foreach ($names as $name) {
            foreach (explode(':', getenv('PATH') . ':/usr/bin:/usr/sbin') as $folder) {
                if (is_executable($folder . '/' . $name)) {
                    return $folder . '/' . $name;
                }
            }
        }
        throw new \RuntimeException('not installed: ' . implode(' or ', $names));
    }

    public static function root(): string
    {
        return dirname(__DIR__, 3);
    }

    /** Starts a process that lasts; its output goes to var/bridge-test. */
    public function start(string $name, array $arguments, ?array $command = null, ?string $folder = null, array $environment = []): void
    {
        $log = $this->folder . '/' . $name . '.log';
        $command = $command ?? array_merge([self::binary()], $arguments);
        $this->processes[$name] = proc_open(
            $command,
            [['file', '/dev/null', 'r'], ['file', $log, 'w'], ['file', $log, 'a']],
            $pipes,
            $folder ?? $this->folder,
            $environment + $this->environment
        );
    }

    private function end(string $name): void
    {
        if (!isset($this->processes[$name])) {
            return;
        }
        // PHP's own server leaves its workers behind when it alone is ended.
        $pid = proc_get_status($this->processes[$name])['pid'];
        $children = preg_split('/\s+/', trim((string)@file_get_contents("/proc/$pid/task/$pid/children")), -1, PREG_SPLIT_NO_EMPTY);
        proc_terminate($this->processes[$name]);
        foreach ($children as $child) {
            posix_kill((int)$child, SIGTERM);
        }
        try {
            self::until(function () use ($name) {
                return !proc_get_status($this->processes[$name])['running'];
            }, $name . ' ended', 15);
        } catch (\RuntimeException $late) {
            proc_terminate($this->processes[$name], 9);
        }
        proc_close($this->processes[$name]);
        unset($this->processes[$name]);
    }

    private function call(array $arguments): string
    {
        $process = proc_open(array_merge([self::binary()], $arguments), [1 => ['pipe', 'w'], 2 => ['pipe', 'w']], $pipes, null, $this->environment);
        $out = trim(stream_get_contents($pipes[1]));
        $error = stream_get_contents($pipes[2]);
        if (proc_close($process) !== 0) {
            throw new \RuntimeException('tradesync ' . implode(' ', $arguments) . ': ' . $error);
        }

        return $out;
    }

    private static function binary(): string
    {
        return getenv('TRADESYNC_BIN') ?: self::root() . '/target/debug/tradesync';
    }
}
