<?php

namespace Tradesync;

use Tradesync\Sellers\Adapter;
use Tradesync\Sellers\Customers;
use Tradesync\Sellers\Table;
use Tradesync\Sellers\Users;

/**
 * The settings page: reads what was posted, says what is wrong in it, and gives the rows to store.
 *
 * Secrets are never shown again; an empty field leaves what stands.
 */
final class SettingsForm
{
    /** @var Settings */
    private $settings;
    /** @var \DB */
    private $db;
    /** @var array<string, string> field => key of the text that says what is wrong */
    private $faults = [];
    /** @var array<string, mixed> */
    private $plain = [];
    /** @var array<string, string> */
    private $secrets = [];

    /**
     * @param Settings $settings what stands
     * @param \DB      $db       OpenCart's database
     */
    public function __construct(Settings $settings, $db)
    {
        $this->settings = $settings;
        $this->db = $db;
    }

    /**
     * Reads a posted form (OpenCart has escaped it for HTML).
     *
     * @return bool whether it may be stored
     */
    public function read(array $post, bool $mayModify): bool
    {
        if (!$mayModify) {
            $this->faults['warning'] = 'problem_forbidden_here';

            return false;
        }
        $text = function ($value): string {
            return is_scalar($value) ? trim(html_entity_decode((string)$value, ENT_QUOTES, 'UTF-8')) : '';
        };
        foreach (['url', 'ca_file', 'sellers', 'user_group_id', 'customer_group_id', 'route', 'timezone'] as $name) {
            $this->plain[$name] = $text($post[$name] ?? '');
        }
        $this->plain['url'] = rtrim($this->plain['url'], '/');
        foreach (['table', 'ownership'] as $name) {
            $this->plain[$name] = array_map($text, is_array($post[$name] ?? null) ? $post[$name] : []);
        }
        foreach (Settings::SEALED as $name) {
            if ($name !== 'bridge_secret') {
                $this->secrets[$name] = $text($post[$name] ?? '');
            }
        }
        $this->check();

        return !$this->faults;
    }

    /**
     * The rows for OpenCart's editSetting(); the callback's secret is made the first time.
     *
     * @throws Problem if a secret cannot be sealed
     */
    public function rows(): array
    {
        $secrets = $this->secrets;
        if (!$this->settings->has('bridge_secret')) {
            $secrets['bridge_secret'] = bin2hex(random_bytes(32));
        }

        return $this->settings->rows($this->plain, $secrets);
    }

    /** Notes a problem that storing ran into. */
    public function fail(Problem $problem): void
    {
        $this->faults['warning'] = 'problem_' . str_replace('-', '_', $problem->name);
    }

    /** The group of admin users that needs the right to the panel, or 0. */
    public function sellersGroup(): int
    {
        return $this->plain['sellers'] === 'users' ? (int)$this->plain['user_group_id'] : 0;
    }

    /** Route of the marketplace's page with the seller's goods, or ''. */
    public function route(): string
    {
        return $this->plain['route'];
    }

    /**
     * What the template shows: values as posted or as they stand, faults, and which secrets are there.
     *
     * @param array<string, string> $texts
     */
    public function view(Settings $settings, array $texts): array
    {
        $escape = function ($value) use (&$escape) {
            return is_array($value) ? array_map($escape, $value) : htmlspecialchars((string)$value, ENT_QUOTES, 'UTF-8');
        };
        $values = [];
        foreach (['url', 'ca_file', 'sellers', 'user_group_id', 'customer_group_id', 'table', 'ownership', 'route', 'timezone'] as $name) {
            $values[$name] = $escape($this->faults && isset($this->plain[$name]) ? $this->plain[$name] : $settings->get($name));
        }
        $has = [];
        foreach (Settings::SEALED as $name) {
            $has[$name] = $settings->has($name);
        }

        return [
            'values' => $values,
            'has' => $has,
            'sellers' => $this->choices(),
            'faults' => array_map(function ($key) use ($texts) {
                return $texts[$key];
            }, $this->faults),
        ];
    }

    private function check(): void
    {
        $plain = $this->plain;
        $fault = Settings::addressFault($plain['url']);
        if ($fault !== '') {
            $this->faults['url'] = 'fault_url_' . $fault;
        }
        if ($plain['ca_file'] !== '' && !is_readable($plain['ca_file'])) {
            $this->faults['ca_file'] = 'fault_ca_file';
        }
        foreach (['admin_key', 'seller_key'] as $name) {
            $given = $this->secrets[$name];
            if ($given === '' ? !$this->settings->has($name) : !preg_match('/^[\x21-\x7e]{20,200}$/', $given)) {
                $this->faults[$name] = 'fault_key';
            }
        }
        if ($this->secrets['database_url'] !== '' && strpos($this->secrets['database_url'], 'mysql://') !== 0) {
            $this->faults['database_url'] = 'fault_database_url';
        }
        if (!in_array($plain['sellers'], $this->choices(), true)) {
            $this->faults['sellers'] = 'fault_choose';
        }
        if ($plain['sellers'] === 'own' && !$this->mayHaveThisKind($this->settings->own())) {
            $this->faults['sellers'] = 'fault_own_kind';
        }
        if ($plain['sellers'] === 'users' && (int)$plain['user_group_id'] < 1) {
            $this->faults['user_group_id'] = 'fault_choose';
        }
        if ($plain['sellers'] === 'customers' && (int)$plain['customer_group_id'] < 1) {
            $this->faults['customer_group_id'] = 'fault_choose';
        }
        if ($plain['sellers'] === 'table') {
            foreach ((new Table($this->db, $plain['table']))->faults() as $field => $kind) {
                $this->faults['table_' . $field] = 'fault_table_' . $kind;
            }
        }
        if ($plain['route'] !== '' && !preg_match('#^[A-Za-z0-9_]+(/[A-Za-z0-9_]+){1,5}$#', $plain['route'])) {
            $this->faults['route'] = 'fault_route';
        }
        if (!in_array($plain['timezone'], \DateTimeZone::listIdentifiers(\DateTimeZone::ALL_WITH_BC), true)) {
            $this->faults['timezone'] = 'fault_timezone';
        }
        $this->checkOwnership($plain['ownership']);
        if ($this->faults) {
            $this->faults['warning'] = 'fault_form';
        }
    }

    /**
     * Ways to say who the sellers are; the shop's own adapter only where there is one.
     *
     * @return string[]
     */
    private function choices(): array
    {
        return $this->settings->own() === null ? ['users', 'customers', 'table'] : ['users', 'customers', 'table', 'own'];
    }

    /** Two adapters with one kind would open each other's sellers; the service takes lower-case words with hyphens. */
    private function mayHaveThisKind(?Adapter $own): bool
    {
        $ours = [(new Users($this->db, 0))->kind(), (new Customers($this->db, 0))->kind(), (new Table($this->db, []))->kind()];

        return $own !== null && preg_match('/^[a-z][a-z-]{1,30}$/', $own->kind()) && !in_array($own->kind(), $ours, true);
    }

    /** Names of tables and columns only by their form: the service checks them against the shop's database. */
    private function checkOwnership(array $own): void
    {
        $needed = [
            'none' => [],
            'link_table' => ['link_table', 'product_column', 'seller_column'],
            'product_column' => ['product_table_column'],
        ];
        if (!isset($needed[$own['kind'] ?? ''])) {
            $this->faults['ownership_kind'] = 'fault_choose';

            return;
        }
        foreach ($needed[$own['kind']] as $name) {
            if (!preg_match('/^[A-Za-z0-9_]{1,64}$/', $own[$name] ?? '')) {
                $this->faults['ownership_' . $name] = 'fault_table_identifier';
            }
        }
    }
}
