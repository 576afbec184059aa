<?php

namespace Tradesync;

/**
 * A seller of the marketplace, as an adapter knows it.
 */
final class Seller
{
    /** @var string Id in the marketplace: A-Z a-z 0-9 . _ @ -, at most 128. */
    public $id;

    /** @var string Name for people. */
    public $name;

    /** @var string `<kind>:<id>`: the owner of the seller's connections in the service. */
    public $owner;

    /** @var bool Whether the seller can log in. */
    public $active;

    public function __construct(string $kind, string $id, string $name, bool $active)
    {
        $this->id = $id;
        $this->name = trim($name) === '' ? '№ ' . $id : trim($name);
        $this->owner = $kind . ':' . $id;
        $this->active = $active;
    }
}
