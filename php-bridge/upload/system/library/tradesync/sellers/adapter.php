<?php

namespace Tradesync\Sellers;

use Tradesync\Seller;
use Tradesync\Visitor;

/**
 * Who the sellers of a marketplace are. One class per way; docs/opencart-bridge.md shows how to write another.
 */
interface Adapter
{
    /**
     * First word of the owners that the service keeps, such as `seller` in `seller:42`. Two adapters never share one, or the number of a
     * user could open what belongs to the customer with the same number.
     */
    public function kind(): string;

    /**
     * Sellers by name, for the administrator.
     *
     * @param string $search part of a name or an id, '' for all
     * @param int    $start  so many are passed over
     * @param int    $limit  at most so many
     *
     * @return Seller[]
     */
    public function find(string $search, int $start, int $limit): array;

    /**
     * How many sellers a search finds in all.
     */
    public function count(string $search): int;

    /**
     * One seller, active or not; null if there is none with this id.
     */
    public function get(string $id): ?Seller;

    /**
     * The active seller who is logged in; null if the visitor is none. Decided by the session alone.
     */
    public function current(Visitor $visitor): ?Seller;
}
