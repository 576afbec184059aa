<?php

namespace Tradesync\Sellers;

use Tradesync\Seller;

/**
 * What the two adapters over people of one group share: one table of OpenCart with first name, last name, status and a group.
 */
abstract class Group implements Adapter
{
    /** @var \DB */
    private $db;
    /** @var int */
    protected $groupId;

    /**
     * @param \DB $db      OpenCart's database
     * @param int $groupId the group that sellers are in; 0 = not chosen yet, and there are no sellers
     */
    public function __construct($db, int $groupId)
    {
        $this->db = $db;
        $this->groupId = $groupId;
    }

    /** Table with its prefix. */
    abstract protected function table(): string;

    /** Its key. */
    abstract protected function key(): string;

    /** Its column with the group. */
    abstract protected function groupColumn(): string;

    /** Columns that a name is searched in, beside first and last name. */
    abstract protected function login(): string;

    public function find(string $search, int $start, int $limit): array
    {
        $query = $this->db->query($this->select() . $this->where($search)
            . ' ORDER BY firstname, lastname, ' . $this->key() . ' LIMIT ' . max(0, $start) . ', ' . max(1, $limit));

        return array_map([$this, 'seller'], $query->rows);
    }

    public function count(string $search): int
    {
        $query = $this->db->query('SELECT COUNT(*) AS total FROM `' . $this->table() . '`' . $this->where($search));

        return (int)$query->row['total'];
    }

    public function get(string $id): ?Seller
    {
        if (!ctype_digit($id) || strlen($id) > 10) {
            return null;
        }
        $query = $this->db->query($this->select() . $this->where('') . ' AND ' . $this->key() . ' = ' . (int)$id);

        return $query->num_rows ? $this->seller($query->row) : null;
    }

    protected function logged(int $id, int $groupId): ?Seller
    {
        if ($id === 0 || $this->groupId === 0 || $groupId !== $this->groupId) {
            return null;
        }
        $seller = $this->get((string)$id);

        return $seller !== null && $seller->active ? $seller : null;
    }

    private function select(): string
    {
        return 'SELECT ' . $this->key() . ' AS id, firstname, lastname, ' . $this->login() . ' AS login, status'
            . ' FROM `' . $this->table() . '`';
    }

    private function where(string $search): string
    {
        $where = ' WHERE ' . $this->groupColumn() . ' = ' . $this->groupId;
        if ($search !== '') {
            $like = "'%" . $this->db->escape(addcslashes($search, '\\%_')) . "%'";
            $where .= " AND (CONCAT(firstname, ' ', lastname) LIKE " . $like . ' OR ' . $this->login() . ' LIKE ' . $like . ' OR '
                . $this->key() . " = '" . $this->db->escape($search) . "')";
        }

        return $where;
    }

    private function seller(array $row): Seller
    {
        // OpenCart stores names HTML-escaped.
        $name = html_entity_decode(trim($row['firstname'] . ' ' . $row['lastname']), ENT_QUOTES, 'UTF-8');
        $login = html_entity_decode($row['login'], ENT_QUOTES, 'UTF-8');
        $name = $name === '' ? $login : $name . ' (' . $login . ')';

        return new Seller($this->kind(), (string)$row['id'], $name, (bool)$row['status']);
    }
}
