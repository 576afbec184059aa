<?php

namespace Tradesync;

/**
 * Who is logged in, as OpenCart's session says; 0 = nobody. Never made from anything that a request carries.
 */
final class Visitor
{
    /** @var int Admin user. */
    public $userId;
    /** @var int Group of the admin user. */
    public $userGroupId;
    /** @var int Customer of the storefront. */
    public $customerId;
    /** @var int Group of the customer. */
    public $customerGroupId;

    public function __construct(int $userId, int $userGroupId, int $customerId, int $customerGroupId)
    {
        $this->userId = $userId;
        $this->userGroupId = $userGroupId;
        $this->customerId = $customerId;
        $this->customerGroupId = $customerGroupId;
    }

    /**
     * Reads OpenCart's registry: `user` is there in the admin area, `customer` in the storefront.
     *
     * @param \Registry $registry
     */
    public static function of($registry): self
    {
        $user = $registry->has('user') ? $registry->get('user') : null;
        $customer = $registry->has('customer') ? $registry->get('customer') : null;
        $inAdmin = $user !== null && $user->isLogged();
        $inShop = !$inAdmin && $customer !== null && $customer->isLogged();

        return new self(
            $inAdmin ? (int)$user->getId() : 0,
            $inAdmin ? (int)$user->getGroupId() : 0,
            $inShop ? (int)$customer->getId() : 0,
            $inShop ? (int)$customer->getGroupId() : 0
        );
    }
}
