<?php

namespace Tradesync;

/**
 * What the bridge tells the service about this shop, for each seller's connection: the table prefix, how a product belongs to a seller,
 * where pictures go, and the secrets that both sides share.
 */
final class Shop
{
    /** @var Settings */
    private $settings;
    /** @var string */
    private $address;

    /**
     * @param Settings $settings the bridge's settings
     * @param string   $address  address of the storefront, with a slash at the end
     */
    public function __construct(Settings $settings, string $address)
    {
        $this->settings = $settings;
        $this->address = $address;
    }

    /**
     * Where the service calls the bridge.
     */
    public function callback(): string
    {
        return $this->address . 'index.php?route=extension/module/tradesync';
    }

    /**
     * The setting `opencart` of a seller's connection.
     */
    public function settings(Seller $seller): array
    {
        return ['table_prefix' => DB_PREFIX, 'bridge_url' => $this->callback(), 'seller' => $this->ownership($seller)];
    }

    /**
     * Secrets that go into every connection: the callback's, and the shop's database where it is not the service's own.
     *
     * @return array<string, string>
     *
     * @throws Problem
     */
    public function secrets(): array
    {
        return array_filter([
            'bridge_secret' => $this->settings->secret('bridge_secret'),
            'opencart_database_url' => $this->settings->secret('database_url'),
        ]);
    }

    /** How a product belongs to the seller: nothing of it, a link table, or a column of `product`. Null takes back what was set before. */
    private function ownership(Seller $seller): array
    {
        $own = $this->settings->get('ownership');
        $none = [
            'link_table' => null, 'product_column' => null, 'seller_column' => null, 'seller_value' => null, 'extra' => null,
            'product_table_column' => null,
        ];
        if ($own['kind'] === 'product_column') {
            return ['product_table_column' => $own['product_table_column'], 'seller_value' => $seller->id] + $none;
        }
        if ($own['kind'] !== 'link_table') {
            return $none;
        }

        return [
            'link_table' => $own['link_table'],
            'product_column' => $own['product_column'],
            'seller_column' => $own['seller_column'],
            'seller_value' => $seller->id,
            'extra' => self::constants($own['extra']) ?: null,
        ] + $none;
    }

    /**
     * Lines `column=value` as a map; lines of another form are passed over.
     *
     * @return array<string, string>
     */
    public static function constants(string $lines): array
    {
        $constants = [];
        foreach (preg_split('/\R/', $lines) as $line) {
            if (preg_match('/^\s*([A-Za-z0-9_]{1,64})\s*=\s*(.*?)\s*$/', $line, $found)) {
                $constants[$found[1]] = $found[2];
            }
        }

        return $constants;
    }
}
