<?php

declare(strict_types=1);

// What OpenCart's controllers and our classes need of OpenCart, as small as it can be. The end-to-end test has the real one.

namespace {
    if (!class_exists('Controller', false)) {
        define('DB_PREFIX', 'oc_');
        define('DIR_IMAGE', sys_get_temp_dir() . '/tradesync-images-' . getmypid() . '/');
        define('DIR_STORAGE', sys_get_temp_dir() . '/tradesync-storage-' . getmypid() . '/');
        define('HTTP_CATALOG', 'http://shop.example/');
        define('HTTPS_CATALOG', 'https://shop.example/');
        define('HTTP_SERVER', 'http://shop.example/');
        define('HTTPS_SERVER', 'https://shop.example/');

        /** As OpenCart's: everything comes out of the registry. */
        abstract class Controller
        {
            protected $registry;

            public function __construct($registry)
            {
                $this->registry = $registry;
            }

            public function __get($name)
            {
                return $this->registry->get($name);
            }
        }
    }
}

namespace TradesyncTests {
    final class Registry
    {
        private $things = [];

        public function set(string $name, $thing): void
        {
            $this->things[$name] = $thing;
        }

        public function get(string $name)
        {
            return $this->things[$name] ?? null;
        }

        public function has(string $name): bool
        {
            return isset($this->things[$name]);
        }
    }

    final class Config
    {
        private $values;

        public function __construct(array $values = [])
        {
            $this->values = $values;
        }

        public function get(string $key)
        {
            return $this->values[$key] ?? null;
        }

        public function set(string $key, $value): void
        {
            $this->values[$key] = $value;
        }
    }

    /** OpenCart's database class over mysqli: rows are arrays of strings. */
    final class Database
    {
        private $mysqli;

        public function __construct(\mysqli $mysqli)
        {
            $this->mysqli = $mysqli;
        }

        public function query(string $sql)
        {
            $result = $this->mysqli->query($sql);
            $rows = $result instanceof \mysqli_result ? $result->fetch_all(MYSQLI_ASSOC) : [];

            return (object)['rows' => $rows, 'row' => $rows[0] ?? [], 'num_rows' => count($rows)];
        }

        public function escape($text): string
        {
            return $this->mysqli->real_escape_string((string)$text);
        }
    }

    /** An admin user with some rights, or a customer. */
    final class Person
    {
        private $id;
        private $group;
        private $rights;

        public function __construct(int $id, int $group, array $rights = [])
        {
            $this->id = $id;
            $this->group = $group;
            $this->rights = $rights;
        }

        public function isLogged(): bool
        {
            return $this->id > 0;
        }

        public function getId(): int
        {
            return $this->id;
        }

        public function getGroupId(): int
        {
            return $this->group;
        }

        public function hasPermission(string $type, string $route): bool
        {
            return in_array($route, $this->rights[$type] ?? [], true);
        }
    }

    final class Response
    {
        public $headers = [];
        public $output = '';

        public function addHeader(string $header): void
        {
            $this->headers[] = $header;
        }

        public function setOutput($output): void
        {
            $this->output = $output;
        }

        public function getOutput()
        {
            return $this->output;
        }

        public function json()
        {
            return json_decode($this->output);
        }
    }
}
