<?php

namespace Tradesync\Sellers;

use Tradesync\Seller;
use Tradesync\Visitor;

/**
 * Sellers are customers of one group: they work in the account area of the storefront.
 */
final class Customers extends Group
{
    public function kind(): string
    {
        return 'seller-customer';
    }

    public function current(Visitor $visitor): ?Seller
    {
        return $this->logged($visitor->customerId, $visitor->customerGroupId);
    }

    protected function table(): string
    {
        return DB_PREFIX . 'customer';
    }

    protected function key(): string
    {
        return 'customer_id';
    }

    protected function groupColumn(): string
    {
        return 'customer_group_id';
    }

    protected function login(): string
    {
        return 'email';
    }
}
