<?php

namespace Tradesync\Sellers;

use Tradesync\Seller;
use Tradesync\Visitor;

/**
 * Sellers are admin users of one group: they work in OpenCart's admin area. The default.
 */
final class Users extends Group
{
    public function kind(): string
    {
        return 'seller';
    }

    public function current(Visitor $visitor): ?Seller
    {
        return $this->logged($visitor->userId, $visitor->userGroupId);
    }

    protected function table(): string
    {
        return DB_PREFIX . 'user';
    }

    protected function key(): string
    {
        return 'user_id';
    }

    protected function groupColumn(): string
    {
        return 'user_group_id';
    }

    protected function login(): string
    {
        return 'username';
    }
}
