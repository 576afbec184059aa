<?php

namespace Tradesync;

/**
 * What the administrator may do: the requests behind the administrator's pages, one method each.
 *
 * Runs, reports and schedules of a seller are not here: the administrator opens the seller's own panel (Panel) for them.
 */
final class Office
{
    /** Action => whether it changes something (and so needs the right to modify). */
    public const ACTIONS = [
        'connections' => false, 'connection' => false, 'row' => false, 'unmapped' => false, 'mappings' => false, 'links' => false,
        'retryList' => false, 'brakes' => false, 'locks' => false, 'audit' => false,
        'saveSeller' => true, 'removeSeller' => true, 'check' => true, 'saveBrakes' => true, 'saveLocks' => true, 'saveMappings' => true,
        'confirmLink' => true, 'setLink' => true, 'removeLink' => true, 'testConnection' => true,
    ];

    /** Settings of a connection that this page offers, with the service's defaults (a test compares them); others are left to the API. */
    public const DEFAULTS = [
        'api' => 'billz2',
        'base_url' => null,
        'update_fields' => ['quantity', 'price', 'special'],
        'linking' => 'confirm',
        'stock' => 'sum',
        'stock_buffer' => 0,
        'stock_cap' => null,
        'price_shop' => null,
        'currency' => null,
        'rates' => [],
        'rounding' => ['step' => '1', 'mode' => 'half-up'],
        'min_price' => '2',
        'site_sales' => 'keep',
        'specials' => 'remove',
        'specials_scope' => 'all',
        'new_products' => 'hidden',
        'new_without_stock' => true,
        'services' => false,
        'deleted_in_shop' => 'leave',
        'vanished' => 'leave',
        'vanished_delay' => '24h',
        'unmapped_category' => 'inbox',
        'default_category_id' => null,
        'full_every' => 'auto',
        'barcode_column' => 'ean',
        'sku_column' => 'sku',
        'model_column' => 'model',
        'images' => ['dir' => null, 'allow_hosts' => [], 'max_bytes' => 10000000],
    ];

    /** @var Settings */
    private $settings;
    /** @var Shop */
    private $shop;
    /** @var Client|null */
    private $client;

    /**
     * @param Settings $settings the bridge's settings
     * @param Shop     $shop     what the bridge tells the service about this shop
     */
    public function __construct(Settings $settings, Shop $shop)
    {
        $this->settings = $settings;
        $this->shop = $shop;
    }

    /**
     * Does one of ACTIONS.
     *
     * @return \stdClass|array|null what the browser gets
     *
     * @throws Problem
     */
    public function act(string $action, Input $in)
    {
        if (!isset(self::ACTIONS[$action])) {
            throw new Problem(Problem::BAD_INPUT, 'no such action');
        }

        return $this->$action($in);
    }

    /** Every connection of the flow with the name of its seller. */
    private function connections(Input $in): array
    {
        $answer = [];
        foreach ($this->client()->all('/connections', ['flow' => Panel::FLOW]) as $connection) {
            $seller = $this->sellerOf($connection->owner);
            $answer[] = [
                'id' => $connection->id,
                'name' => $connection->name,
                'owner' => $connection->owner,
                'seller' => $seller === null ? null : $seller->id,
                'seller_name' => $seller === null ? null : $seller->name,
                'api' => $connection->settings->api ?? 'billz2',
                'enabled' => $connection->enabled,
            ];
        }

        return $answer;
    }

    /** The connection of a seller with everything that the form shows; `connection` is null while there is none. */
    private function connection(Input $in): array
    {
        $seller = $this->seller($in);
        $found = $this->find($seller);
        if ($found === null) {
            return ['connection' => null, 'etag' => '', 'shops' => []];
        }
        $answer = $this->client()->get(Client::path('connections', $found->id));

        return [
            'connection' => $answer->body,
            'etag' => $answer->etag,
            'shops' => $this->client()->get(Client::path('connections', $found->id, 'streams'))->body->items,
        ];
    }

    /** One seller's shops for the overview: last runs, what waits, what failed. */
    private function row(Input $in): array
    {
        $id = $in->id('connection');
        $shops = $this->client()->get(Client::path('connections', $id, 'streams'))->body->items;
        foreach ($shops as $shop) {
            $shop->runs = $this->client()->get('/sync/runs', ['connection' => $id, 'stream' => $shop->stream, 'limit' => 5])->body->items;
        }
        $waiting = $this->client()->get('/sync/runs', ['connection' => $id, 'state' => 'awaiting_approval', 'limit' => 50])->body->items;
        $retry = $this->client()->get('/sync/retry-list', ['connection' => $id, 'state' => 'waiting', 'limit' => 200])->body;

        return ['shops' => $shops, 'waiting' => $waiting, 'retry' => count($retry->items), 'retry_more' => $retry->next_cursor !== null];
    }

    /** Makes or changes a seller's connection. What the shop knows itself (prefix, ownership, callback) is filled in here. */
    private function saveSeller(Input $in)
    {
        $seller = $this->seller($in);
        $found = $this->find($seller);
        $given = $in->object('settings');
        $settings = [];
        foreach (array_keys(self::DEFAULTS) as $name) {
            if (property_exists($given, $name)) {
                $settings[$name] = $given->$name;
            }
        }
        $settings['opencart'] = $this->shop->settings($seller);
        $secrets = $this->shop->secrets();
        foreach (['secret', 'username'] as $name) {
            if ($in->text($name) !== '') {
                $secrets[$name] = $in->text($name);
            }
        }
        $body = ['name' => $in->text('name', 191) ?: $seller->name, 'enabled' => $in->flag('enabled'), 'settings' => $settings];
        if ($secrets) {
            $body['secrets'] = $secrets;
        }
        if ($found === null) {
            $body += ['flow' => Panel::FLOW, 'owner' => $seller->owner];

            return $this->client()->post('/connections', $body, $in->id('once', false))->body;
        }

        return $this->client()->change('PATCH', Client::path('connections', $found->id), $body, $in->text('etag'))->body;
    }

    private function removeSeller(Input $in): array
    {
        $this->client()->change('DELETE', Client::path('connections', $in->id('connection')));

        return [];
    }

    private function check(Input $in)
    {
        return $this->client()->patient()->post(Client::path('connections', $in->id('connection'), 'check'))->body;
    }

    private function brakes(Input $in): array
    {
        $answer = $this->client()->get(Client::path('connections', $in->id('connection'), 'brakes'));

        return ['brakes' => $answer->body, 'etag' => $answer->etag];
    }

    private function saveBrakes(Input $in): array
    {
        $answer = $this->client()->change(
            'PUT',
            Client::path('connections', $in->id('connection'), 'brakes'),
            $in->object('brakes'),
            $in->needed('etag')
        );

        return ['brakes' => $answer->body, 'etag' => $answer->etag];
    }

    /** What a person has said that must not be touched. */
    private function locks(Input $in): array
    {
        $answer = $this->client()->get(Client::path('connections', $in->id('connection'), 'locks'));

        return ['items' => $this->told($answer->body->items), 'etag' => $answer->etag];
    }

    private function saveLocks(Input $in): array
    {
        $answer = $this->client()->change(
            'PUT',
            Client::path('connections', $in->id('connection'), 'locks'),
            ['items' => $in->list('items')],
            $in->needed('etag')
        );

        return ['items' => $this->told($answer->body->items), 'etag' => $answer->etag];
    }

    /** Who did what, newest first. */
    private function audit(Input $in)
    {
        $query = [
            'connection' => $in->id('connection', false),
            'action' => $in->text('action', 64),
            'cursor' => $in->text('cursor'),
            'limit' => 50,
        ];
        $page = $this->client()->get('/audit', $query)->body;
        foreach ($page->items as $entry) {
            $entry->who = $this->nameOf($entry->on_behalf_of);
            $entry->whose = $this->nameOf($entry->owner);
        }

        return $page;
    }

    /** Owners in names that the service wrote (`seller:42 (opencart-sellers)`) as people know them. */
    private function told(array $locks): array
    {
        foreach ($locks as $lock) {
            $parts = explode(' ', $lock->set_by, 2);
            $lock->who = strpos($parts[0], ':') === false ? $lock->set_by : $this->nameOf($parts[0]);
        }

        return $locks;
    }

    /** The seller's name; the owner itself where the shop knows no such seller any more. */
    private function nameOf(?string $owner): ?string
    {
        $seller = $this->sellerOf($owner);

        return $seller === null ? $owner : $seller->name;
    }

    private function mappings(Input $in): array
    {
        $answer = $this->client()->get(Client::path('connections', $in->id('connection'), 'category-mappings'));

        return ['items' => $answer->body->items, 'etag' => $answer->etag];
    }

    private function unmapped(Input $in): array
    {
        $query = ['all' => $in->flag('all') ? 'true' : null];

        return $this->client()->all(Client::path('connections', $in->id('connection'), 'category-mappings', 'unmapped'), $query, 2000);
    }

    private function saveMappings(Input $in): array
    {
        $answer = $this->client()->change(
            'PUT',
            Client::path('connections', $in->id('connection'), 'category-mappings'),
            ['items' => $in->list('items')],
            $in->needed('etag')
        );

        return ['items' => $answer->body->items, 'etag' => $answer->etag];
    }

    private function links(Input $in)
    {
        $query = [
            'state' => $in->oneOf('state', ['proposed', 'ambiguous', 'linked']),
            'cursor' => $in->text('cursor'),
            'limit' => 100,
        ];

        return $this->client()->get(Client::path('connections', $in->id('connection'), 'links'), $query)->body;
    }

    private function confirmLink(Input $in)
    {
        $target = $in->text('target', 64);
        $body = $target === '' ? null : ['target' => $target];

        return $this->client()->post($this->link($in, 'confirm'), $body, $in->id('once', false))->body;
    }

    private function setLink(Input $in)
    {
        return $this->client()->change('PUT', $this->link($in), ['target' => $in->needed('target', 64)])->body;
    }

    private function removeLink(Input $in): array
    {
        $this->client()->change('DELETE', $this->link($in));

        return [];
    }

    private function link(Input $in, string ...$more): string
    {
        return Client::path('connections', $in->id('connection'), 'links', $in->needed('source'), ...$more);
    }

    private function retryList(Input $in)
    {
        $query = ['flow' => Panel::FLOW, 'connection' => $in->id('connection', false), 'cursor' => $in->text('cursor'), 'limit' => 50];

        return $this->client()->get('/sync/retry-list', $query)->body;
    }

    /**
     * Is the service there, and are the keys what they should be? Each row: `name`, `ok`, and the problem if there is one.
     */
    private function testConnection(Input $in): array
    {
        $language = $this->settings->language();
        $rows = [];
        $try = function (string $name, callable $call) use (&$rows, $language) {
            try {
                $fault = $call();
                $rows[] = ['name' => $name, 'ok' => $fault === null, 'problem' => $fault];
            } catch (Problem $problem) {
                $rows[] = ['name' => $name, 'ok' => false, 'problem' => Words::problem($problem, $language)];
            }

            return end($rows)['ok'];
        };
        $texts = Words::all($language);
        $wrong = function (string $key) use ($texts): array {
            return ['code' => $key, 'text' => $texts['text_' . $key], 'detail' => '', 'run' => null];
        };
        $reached = $try('service', function () {
            $this->settings->admin()->get('/readyz');

            return null;
        });
        if (!$reached) {
            return $rows;
        }
        $try('admin_key', function () {
            // Only an administrator's key reads the audit.
            $this->settings->admin()->get('/audit', ['limit' => 1]);

            return null;
        });
        $try('seller_key', function () use ($wrong) {
            try {
                $this->settings->onNobodysBehalf()->get('/connections', ['limit' => 1]);
            } catch (Problem $problem) {
                if ($problem->name === 'on-behalf-of-required') {
                    return null;
                }
                throw $problem;
            }

            // It answered without being told for whom: it could see every seller.
            return $wrong('key_not_delegate');
        });
        $try('seller_reads', function () {
            $nobody = new Seller($this->settings->sellers()->kind(), 'tradesync-test', '', true);
            $this->settings->onBehalfOf($nobody)->get('/connections', ['limit' => 1]);

            return null;
        });

        return $rows;
    }

    /** The seller's connection: the newest of those with the seller's owner. */
    private function find(Seller $seller): ?\stdClass
    {
        foreach ($this->client()->all('/connections', ['flow' => Panel::FLOW]) as $connection) {
            if ($connection->owner === $seller->owner) {
                return $connection;
            }
        }

        return null;
    }

    private function seller(Input $in): Seller
    {
        $seller = $this->settings->sellers()->get($in->needed('seller', 128));
        if ($seller === null) {
            throw new Problem(Problem::NO_SELLER);
        }

        return $seller;
    }

    private function sellerOf(?string $owner): ?Seller
    {
        $sellers = $this->settings->sellers();
        $kind = $sellers->kind() . ':';

        return $owner !== null && strpos($owner, $kind) === 0 ? $sellers->get(substr($owner, strlen($kind))) : null;
    }

    private function client(): Client
    {
        return $this->client ?? $this->client = $this->settings->admin();
    }
}
