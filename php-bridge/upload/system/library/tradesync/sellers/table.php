<?php

namespace Tradesync\Sellers;

use Tradesync\Problem;
use Tradesync\Seller;
use Tradesync\Visitor;

/**
 * Sellers stand in a table of the marketplace module (mmtrade, MultiMerch, Purpletree, Webkul, TMD): its name and columns are settings.
 *
 * Names of tables and columns are identifiers of letters, digits and `_`, quoted; everything else is a value, escaped.
 */
final class Table implements Adapter
{
    /** Settings and their defaults. `login` says whose number `login_column` holds: an admin `user` or a `customer`. */
    public const DEFAULTS = [
        'table' => '', 'id_column' => '', 'name_column' => '', 'active_column' => '', 'active_value' => '1',
        'login' => 'customer', 'login_column' => '',
    ];

    /** @var \DB */
    private $db;
    /** @var array<string, string> */
    private $names;

    /**
     * @param \DB                   $db    OpenCart's database
     * @param array<string, string> $names as DEFAULTS; the table without OpenCart's prefix, or with it
     */
    public function __construct($db, array $names)
    {
        $this->db = $db;
        $this->names = array_intersect_key($names, self::DEFAULTS) + self::DEFAULTS;
    }

    public function kind(): string
    {
        return 'seller-row';
    }

    /**
     * What is wrong with the settings: field => problem (`identifier`, `missing`), empty when all is well.
     *
     * @return array<string, string>
     */
    public function faults(): array
    {
        $faults = [];
        $needed = ['table', 'id_column', 'login_column'];
        foreach (['table', 'id_column', 'name_column', 'active_column', 'login_column'] as $field) {
            $value = $this->names[$field];
            if ($value === '' ? in_array($field, $needed, true) : !preg_match('/^[A-Za-z0-9_]{1,64}$/', $value)) {
                $faults[$field] = 'identifier';
            }
        }
        if ($faults) {
            return $faults;
        }
        $columns = $this->columns();
        if (!$columns) {
            return ['table' => 'missing'];
        }
        foreach (['id_column', 'name_column', 'active_column', 'login_column'] as $field) {
            if ($this->names[$field] !== '' && !in_array($this->names[$field], $columns, true)) {
                $faults[$field] = 'missing';
            }
        }

        return $faults;
    }

    public function find(string $search, int $start, int $limit): array
    {
        $sql = $this->select() . $this->where($search) . ' ORDER BY 2, 1 LIMIT ' . max(0, $start) . ', ' . max(1, $limit);

        return array_map([$this, 'seller'], $this->db->query($sql)->rows);
    }

    public function count(string $search): int
    {
        return (int)$this->db->query('SELECT COUNT(*) AS total FROM ' . $this->table() . $this->where($search))->row['total'];
    }

    public function get(string $id): ?Seller
    {
        if (!preg_match('/^[A-Za-z0-9._@-]{1,128}$/', $id)) {
            return null;
        }

        return $this->one($this->name('id_column') . " = '" . $this->db->escape($id) . "'", $id);
    }

    public function current(Visitor $visitor): ?Seller
    {
        $login = $this->names['login'] === 'user' ? $visitor->userId : $visitor->customerId;
        if ($login === 0) {
            return null;
        }
        $seller = $this->one($this->name('login_column') . " = '" . $login . "'", null);

        return $seller !== null && $seller->active ? $seller : null;
    }

    /** Two rows for one login are nobody; collations take 'a' for 'A', so an asked-for id is compared again, byte by byte. */
    private function one(string $condition, ?string $id): ?Seller
    {
        $query = $this->db->query($this->select() . ' WHERE ' . $condition . ' LIMIT 2');
        if ($query->num_rows !== 1) {
            return null;
        }
        $seller = $this->seller($query->row);

        return $id === null || $seller->id === $id ? $seller : null;
    }

    private function select(): string
    {
        $name = $this->names['name_column'] === '' ? "''" : $this->name('name_column');
        $active = $this->names['active_column'] === ''
            ? '1'
            : '(' . $this->name('active_column') . " = '" . $this->db->escape($this->names['active_value']) . "')";

        return 'SELECT ' . $this->name('id_column') . ' AS id, ' . $name . ' AS name, ' . $active . ' AS active FROM ' . $this->table();
    }

    private function where(string $search): string
    {
        if ($search === '') {
            return '';
        }
        $like = "'%" . $this->db->escape(addcslashes($search, '\\%_')) . "%'";
        $where = ' WHERE (' . $this->name('id_column') . " = '" . $this->db->escape($search) . "'";

        return $where . ($this->names['name_column'] === '' ? ')' : ' OR ' . $this->name('name_column') . ' LIKE ' . $like . ')');
    }

    private function table(): string
    {
        $table = $this->names['table'];
        if (DB_PREFIX !== '' && strpos($table, DB_PREFIX) !== 0 && !$this->columns($table)) {
            $table = DB_PREFIX . $table;
        }
        if (!preg_match('/^[A-Za-z0-9_]{1,64}$/', $table)) {
            throw new Problem(Problem::NOT_CONFIGURED, 'the table of the sellers is not set');
        }

        return '`' . $table . '`';
    }

    /**
     * @return string[] columns of the table, [] if there is no such table
     */
    private function columns(?string $table = null): array
    {
        $names = $table === null ? [$this->names['table'], DB_PREFIX . $this->names['table']] : [$table];
        foreach ($names as $name) {
            $query = $this->db->query("SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND "
                . "TABLE_NAME = '" . $this->db->escape($name) . "'");
            if ($query->num_rows) {
                return array_column($query->rows, 'name');
            }
        }

        return [];
    }

    private function name(string $field): string
    {
        if (!preg_match('/^[A-Za-z0-9_]{1,64}$/', $this->names[$field])) {
            throw new Problem(Problem::NOT_CONFIGURED, $field . ' of the sellers is not set');
        }

        return '`' . $this->names[$field] . '`';
    }

    private function seller(array $row): Seller
    {
        return new Seller(
            $this->kind(),
            (string)$row['id'],
            html_entity_decode((string)$row['name'], ENT_QUOTES, 'UTF-8'),
            (bool)$row['active']
        );
    }
}
