<?php

namespace Tradesync;

use Tradesync\Sellers\Adapter;
use Tradesync\Sellers\Customers;
use Tradesync\Sellers\Own;
use Tradesync\Sellers\Table;
use Tradesync\Sellers\Users;

/**
 * The bridge's own settings in OpenCart's table `setting`, and what is made out of them: clients and the sellers' adapter.
 *
 * Keys of the service are sealed (Seal) and never leave this class but inside a client.
 */
final class Settings
{
    /** Version of the package. */
    public const VERSION = '1.0.0';
    /** OpenCart's code of our settings. */
    public const CODE = 'module_tradesync';

    /** Names (after `module_tradesync_`) and defaults of what is kept as it is. */
    private const PLAIN = [
        'status' => '1',
        'url' => '',
        'ca_file' => '',
        'sellers' => 'users',
        'user_group_id' => '0',
        'customer_group_id' => '0',
        'table' => Table::DEFAULTS,
        'ownership' => [
            'kind' => 'none', 'link_table' => '', 'product_column' => '', 'seller_column' => '', 'extra' => '',
            'product_table_column' => '',
        ],
        'route' => '',
        'timezone' => 'Asia/Tashkent',
    ];
    /** Names of what is sealed. */
    public const SEALED = ['admin_key', 'seller_key', 'bridge_secret', 'database_url'];

    /** @var \Config */
    private $config;
    /** @var \DB */
    private $db;
    /** @var Seal */
    private $seal;
    /** @var string */
    private $language;

    /**
     * @param \Config $config   OpenCart's configuration, settings loaded
     * @param \DB     $db       OpenCart's database
     * @param Seal    $seal     opens the keys
     * @param string  $language language of the page: ru, uz or en
     */
    public function __construct($config, $db, Seal $seal, string $language)
    {
        $this->config = $config;
        $this->db = $db;
        $this->seal = $seal;
        $this->language = $language;
    }

    /**
     * From a running OpenCart, admin area or storefront.
     *
     * @param \Registry $registry
     */
    public static function of($registry): self
    {
        return new self(
            $registry->get('config'),
            $registry->get('db'),
            new Seal(DIR_STORAGE . 'tradesync_key.php'),
            Words::language((string)$registry->get('language')->get('code'))
        );
    }

    /**
     * A plain setting, or its default.
     *
     * @return mixed
     */
    public function get(string $name)
    {
        $value = $this->config->get(self::CODE . '_' . $name);
        $default = self::PLAIN[$name];
        if (is_array($default)) {
            return (is_array($value) ? array_intersect_key($value, $default) : []) + $default;
        }

        return $value === null ? $default : (string)$value;
    }

    /**
     * Whether a sealed setting is filled in.
     */
    public function has(string $name): bool
    {
        return (string)$this->config->get(self::CODE . '_' . $name) !== '';
    }

    /**
     * A sealed setting in the clear, '' if it is not filled in. For the callback and for requests to the service only.
     *
     * @throws Problem if it cannot be opened
     */
    public function secret(string $name): string
    {
        $sealed = (string)$this->config->get(self::CODE . '_' . $name);

        return $sealed === '' ? '' : $this->seal->open($name, $sealed);
    }

    /**
     * All rows for OpenCart's editSetting(), which replaces everything: what stands, with changes laid over it.
     *
     * @param array $plain   name => value of plain settings
     * @param array $secrets name => value of secrets; '' leaves what stands
     *
     * @return array<string, mixed>
     *
     * @throws Problem if a secret cannot be sealed
     */
    public function rows(array $plain, array $secrets = []): array
    {
        $rows = [];
        foreach (array_keys(self::PLAIN) as $name) {
            $value = array_key_exists($name, $plain) ? $plain[$name] : $this->get($name);
            if (is_array(self::PLAIN[$name])) {
                $value = array_intersect_key((array)$value, self::PLAIN[$name]) + self::PLAIN[$name];
            }
            $rows[self::CODE . '_' . $name] = $value;
        }
        foreach (self::SEALED as $name) {
            $given = trim((string)($secrets[$name] ?? ''));
            $sealed = $given === '' ? (string)$this->config->get(self::CODE . '_' . $name) : $this->seal->close($name, $given);
            if ($sealed !== '') {
                $rows[self::CODE . '_' . $name] = $sealed;
            }
        }

        return $rows;
    }

    /**
     * Whether address and both keys are there.
     */
    public function isComplete(): bool
    {
        return $this->get('url') !== '' && $this->has('admin_key') && $this->has('seller_key');
    }

    /**
     * A client for the administrator's pages.
     *
     * @throws Problem
     */
    public function admin(): Client
    {
        return $this->client('admin_key', null);
    }

    /**
     * A client that can do only what this seller may.
     *
     * @throws Problem
     */
    public function onBehalfOf(Seller $seller): Client
    {
        return $this->client('seller_key', $seller->owner);
    }

    /**
     * A client with the sellers' key and no seller: the service must refuse it. For the connection test only.
     *
     * @throws Problem
     */
    public function onNobodysBehalf(): Client
    {
        return $this->client('seller_key', null);
    }

    /**
     * Who the sellers are.
     */
    public function sellers(): Adapter
    {
        switch ($this->get('sellers')) {
            case 'customers':
                return new Customers($this->db, (int)$this->get('customer_group_id'));
            case 'table':
                return new Table($this->db, $this->get('table'));
            case 'own':
                // Gone with its file: nobody is a seller then, rather than somebody else.
                return $this->own() ?? new Users($this->db, 0);
            default:
                return new Users($this->db, (int)$this->get('user_group_id'));
        }
    }

    /**
     * The shop's own adapter, `sellers/own.php` beside ours (docs/opencart-bridge.md shows one); null if there is none.
     */
    public function own(): ?Adapter
    {
        // Not in the package, so that neither an update nor "Uninstall" of ours touches it.
        try {
            return is_subclass_of(Own::class, Adapter::class) ? new Own($this->db) : null;
        } catch (\Throwable $mistake) {
            // The menu of every admin page asks who the seller is: a mistake in that file must not take them down.
            return null;
        }
    }

    /**
     * Language of the page: ru, uz or en.
     */
    public function language(): string
    {
        return $this->language;
    }

    /**
     * The seal, for its key file.
     */
    public function seal(): Seal
    {
        return $this->seal;
    }

    /**
     * What is wrong with an address of the service: '' if nothing, `form` if it is none, `plain` if keys would travel readable through
     * the internet (http is taken on this machine and in private networks only).
     */
    public static function addressFault(string $url): string
    {
        $parts = parse_url($url);
        if (!is_array($parts) || !isset($parts['scheme'], $parts['host']) || isset($parts['user']) || isset($parts['query'])) {
            return 'form';
        }
        $scheme = strtolower($parts['scheme']);
        if ($scheme === 'https') {
            return '';
        }
        if ($scheme !== 'http') {
            return 'form';
        }
        $host = trim($parts['host'], '[]');
        if ($host === 'localhost' || strpos($host, '.') === false && strpos($host, ':') === false) {
            return '';
        }
        $public = filter_var($host, FILTER_VALIDATE_IP, FILTER_FLAG_NO_PRIV_RANGE | FILTER_FLAG_NO_RES_RANGE);

        return filter_var($host, FILTER_VALIDATE_IP) && !$public ? '' : 'plain';
    }

    private function client(string $key, ?string $owner): Client
    {
        return new Client($this->get('url'), $this->secret($key), $this->language, $owner, $this->get('ca_file'));
    }
}
