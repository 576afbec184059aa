<?php

declare(strict_types=1);

namespace TradesyncTests\Service;

use TradesyncTests\ServiceCase;
use TradesyncTests\Stack;

/** The administrator's day over the real service. */
final class OfficeTest extends ServiceCase
{
    public function testTheConnectionTestTellsWhichKeyIsWrong(): void
    {
        $rows = self::office()->act('testConnection', self::in());
        self::assertSame([['service', true], ['admin_key', true], ['seller_key', true], ['seller_reads', true]], array_map(function ($row) {
            return [$row['name'], $row['ok']];
        }, $rows));
    }

    public function testASellerIsConnectedCheckedChangedAndDisconnected(): void
    {
        $office = self::office();
        self::assertNull($office->act('connection', self::in(['seller' => '42']))['connection']);
        $id = self::connect('42');
        $got = $office->act('connection', self::in(['seller' => '42']));
        self::assertSame('seller:42', $got['connection']->owner);
        self::assertSame('oc_', $got['connection']->settings->opencart->table_prefix);
        self::assertSame(['bridge_secret' => 'set', 'secret' => 'set'], (array)$got['connection']->secrets);
        $names = array_column($office->act('check', self::in(['connection' => $id]))->checks, 'ok', 'name');
        self::assertTrue($names['billz.login']);
        self::assertTrue($names['opencart.database']);
        $russian = self::client(self::stack()->service, self::stack()->adminKey)->patient()->post('/connections/' . $id . '/check')->body->checks;
        foreach ($russian as $row) {
            self::assertMatchesRegularExpression('/\p{Cyrillic}{4}/u', $row->detail, $row->name);
        }

        $change = ['seller' => '42', 'enabled' => false, 'name' => 'Botir', 'etag' => $got['etag'], 'settings' => ['stock_cap' => 9, 'base_url' => self::stack()->billz2]];
        $changed = $office->act('saveSeller', self::in($change));
        self::assertSame([$id, 9, false], [$changed->id, $changed->settings->stock_cap, $changed->enabled]);
        self::assertSame('precondition-failed', self::problem(function () use ($office, $change) {
            $office->act('saveSeller', self::in($change));
        })->name, 'somebody has saved since the form was opened');
        $office->act('removeSeller', self::in(['connection' => $id]));
        self::assertNull($office->act('connection', self::in(['seller' => '42']))['connection']);
    }

    public function testBillz1NeedsTheUserName(): void
    {
        $body = ['seller' => '42', 'enabled' => true, 'secret' => 'x', 'settings' => ['api' => 'billz1', 'base_url' => self::stack()->billz1]];
        self::assertSame('validation-failed', self::problem(function () use ($body) {
            self::office()->act('saveSeller', self::in($body));
        })->name);
        $made = self::office()->act('saveSeller', self::in(['username' => 'demo'] + $body));
        self::assertSame('billz1', $made->settings->api);
        self::assertSame('set', $made->secrets->username);
        self::office()->act('removeSeller', self::in(['connection' => $made->id]));
    }

    public function testASellerWhoIsNoneCannotBeConnected(): void
    {
        self::assertSame('no-seller', self::problem(function () {
            self::connect('1');
        })->name);
    }

    public function testCategoriesAreMappedAndWhoComesSecondIsTold(): void
    {
        $office = self::office();
        $id = self::connect('42', ['unmapped_category' => 'inbox', 'default_category_id' => null]);
        $panel = self::panel('42');
        $offers = $panel->act('discover', self::in(['connection' => $id]));
        $panel->act('addShop', self::in(['connection' => $id, 'stream' => $offers[0]->stream]));
        self::ended($panel, $panel->act('sync', self::in(['connection' => $id, 'stream' => $offers[0]->stream]))->id);
        $unmapped = $office->act('unmapped', self::in(['connection' => $id]));
        self::assertGreaterThan(0, $unmapped[0]->count);
        $standing = $office->act('mappings', self::in(['connection' => $id]));
        $items = array_merge($standing['items'], [['source' => $unmapped[0]->source, 'source_name' => $unmapped[0]->source_name, 'target' => '33']]);
        $office->act('saveMappings', self::in(['connection' => $id, 'etag' => $standing['etag'], 'items' => $items]));
        self::assertCount(count($unmapped) - 1, $office->act('unmapped', self::in(['connection' => $id])));
        self::assertSame('precondition-failed', self::problem(function () use ($office, $id, $standing) {
            $office->act('saveMappings', self::in(['connection' => $id, 'etag' => $standing['etag'], 'items' => []]));
        })->name);
        $row = $office->act('row', self::in(['connection' => $id]));
        self::assertSame($offers[0]->stream, $row['shops'][0]->stream);
        self::assertNotEmpty($row['shops'][0]->runs);
        $listed = $office->act('connections', self::in());
        self::assertSame(['42'], array_column(array_filter($listed, function ($one) use ($id) {
            return $one['id'] === $id;
        }), 'seller'));
        $office->act('removeSeller', self::in(['connection' => $id]));
    }

    public function testBrakesAreReadChangedAndKeepWhatThePageDoesNotShow(): void
    {
        $office = self::office();
        $id = self::connect('42');
        $got = $office->act('brakes', self::in(['connection' => $id]));
        $got['brakes']->limits->price_jump->factor = '3';
        $body = ['limits' => $got['brakes']->limits, 'first_run' => $got['brakes']->first_run, 'streams' => $got['brakes']->streams];
        $now = $office->act('saveBrakes', self::in(['connection' => $id, 'etag' => $got['etag'], 'brakes' => $body]));
        self::assertSame('3', $now['brakes']->limits->price_jump->factor);
        self::assertEquals($got['brakes']->first_run, $now['brakes']->first_run);
        $office->act('removeSeller', self::in(['connection' => $id]));
    }

    public function testWhatIsLockedStaysAndTheAuditTellsWhoLockedIt(): void
    {
        $office = self::office();
        $id = self::connect('42');
        $got = $office->act('locks', self::in(['connection' => $id]));
        self::assertSame([], $got['items']);
        $lock = ['target' => '28', 'fields' => ['price'], 'note' => 'цена дня рождения'];
        $now = $office->act('saveLocks', self::in(['connection' => $id, 'etag' => $got['etag'], 'items' => [$lock]]));
        self::assertSame(['28', ['price'], 'цена дня рождения', 'opencart-admin'], [
            $now['items'][0]->target, $now['items'][0]->fields, $now['items'][0]->note, $now['items'][0]->who,
        ]);
        self::assertSame('precondition-failed', self::problem(function () use ($office, $id, $got) {
            $office->act('saveLocks', self::in(['connection' => $id, 'etag' => $got['etag'], 'items' => []]));
        })->name);
        $wrong = ['connection' => $id, 'etag' => $now['etag'], 'items' => [['target' => '28', 'fields' => ['colour of the sky']]]];
        self::assertSame('validation-failed', self::problem(function () use ($office, $wrong) {
            $office->act('saveLocks', self::in($wrong));
        })->name);
        // A seller's own act is told with the seller's name.
        $panel = self::panel('42');
        $panel->act('addShop', self::in(['connection' => $id, 'stream' => 'by-hand', 'name' => 'By hand']));
        $entries = $office->act('audit', self::in(['connection' => $id]))->items;
        self::assertSame(['streams.create', 'locks.set', 'connections.create'], array_column($entries, 'action'));
        self::assertSame(['Botir O"z (botir)', null], [$entries[0]->who, $entries[1]->who]);
        self::assertSame(['opencart-sellers', 'opencart-admin'], [$entries[0]->key_name, $entries[1]->key_name]);
        self::assertSame('Botir O"z (botir)', $entries[1]->whose);
        self::assertStringNotContainsString(Stack::BILLZ_KEY, json_encode($entries));
        $only = $office->act('audit', self::in(['connection' => $id, 'action' => 'locks.set']))->items;
        self::assertSame(['locks.set'], array_column($only, 'action'));
        $office->act('removeSeller', self::in(['connection' => $id]));
    }

    public function testGoodsThatTheShopHadAreLinkedByAPerson(): void
    {
        $office = self::office();
        $db = self::stack()->mysqli();
        $truth = self::stack()->billz('GET', 'products?limit=200');
        $listed = array_values(array_filter($truth->items ?? $truth, function ($product) {
            return $product->sku !== '' && $product->kind === 'goods';
        }));
        $sku = $db->real_escape_string($listed[0]->sku);
        $db->query("INSERT INTO oc_product (product_id, model, sku, upc, ean, jan, isbn, mpn, location, quantity, stock_status_id, manufacturer_id, price, tax_class_id, status, date_added, date_modified)"
            . " VALUES (7001, '$sku', '$sku', '', '', '', '', '', '', 1, 7, 0, 1000, 0, 1, NOW(), NOW())");
        $id = self::connect('42');
        $panel = self::panel('42');
        $offers = $panel->act('discover', self::in(['connection' => $id]));
        $panel->act('addShop', self::in(['connection' => $id, 'stream' => $offers[0]->stream]));
        self::ended($panel, $panel->act('sync', self::in(['connection' => $id, 'stream' => $offers[0]->stream]))->id);
        $of = ['connection' => $id, 'source' => $listed[0]->id];
        $proposed = array_column($office->act('links', self::in(['connection' => $id, 'state' => 'proposed']))->items, null, 'source');
        self::assertArrayHasKey($listed[0]->id, $proposed);
        self::assertSame('7001', $proposed[$listed[0]->id]->candidates[0]->target);
        self::assertSame('linked', $office->act('confirmLink', self::in($of + ['target' => '7001']))->state);
        $office->act('removeLink', self::in($of));
        self::assertSame('linked', $office->act('setLink', self::in($of + ['target' => '7001']))->state);
        $office->act('removeSeller', self::in(['connection' => $id]));
    }
}
