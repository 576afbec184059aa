<?php

declare(strict_types=1);

namespace TradesyncTests\E2e;

use TradesyncTests\Day;
use TradesyncTests\OpenCart;
use TradesyncTests\Stack;

/**
 * The administrator's and the seller's day in a real OpenCart 3.0.3.8 in a real Chromium, from the Extension Installer to "Uninstall".
 *
 * The tests follow each other; each leaves the shop as the next one finds it. `make bridge-e2e OPENCART_DIR=...`
 */
final class DayTest extends Day
{
    public function testTheZipIsInstalledByOpenCartsOwnInstaller(): void
    {
        $this->administrator();
        $this->install(Stack::root() . '/var/tradesync.ocmod.zip');
        self::assertSame('0', $this->value("SELECT COUNT(*) FROM oc_modification WHERE name LIKE '%tradesync%'"), 'events, no file patches');
        $this->page('marketplace/extension', '&type=module');
        self::$browser->click('a[href*="module/install&"][href*="extension=tradesync"]');
        self::$browser->see('a[href*="uninstall"][href*="extension=tradesync"]');
        self::assertSame([], $this->ourErrors());
    }

    public function testTheAdministratorFillsInTheSettings(): void
    {
        $this->page('extension/module/tradesync');
        self::$browser->type('#tradesync-url', 'http://sync.example.com');
        self::$browser->click('#form-tradesync button[type=submit]');
        self::$browser->see('.text-danger', 'https://');
        $this->assertAccessible('the settings with their faults');
        self::$browser->type('#tradesync-url', self::$stack->service);
        // The keys in each other's fields: the connection test says so.
        self::$browser->type('#tradesync-admin_key', self::$stack->sellerKey);
        self::$browser->type('#tradesync-seller_key', self::$stack->adminKey);
        self::$browser->choose('#tradesync-user_group_id', '20');
        self::$browser->choose('#tradesync-ownership_kind', 'product_column');
        self::$browser->type('#tradesync-ownership_product_table_column', 'seller_id');
        self::$browser->click('#form-tradesync button[type=submit]');
        self::$browser->see('.alert-success');
        self::$browser->click('[data-act=test]');
        self::$browser->see('[data-check=admin_key][data-ok=no]', 'This is the sellers\' key');
        self::$browser->see('[data-check=seller_key][data-ok=no]', '--delegate');
        self::$browser->type('#tradesync-admin_key', self::$stack->adminKey);
        self::$browser->type('#tradesync-seller_key', self::$stack->sellerKey);
        self::$browser->click('#form-tradesync button[type=submit]');
        self::$browser->see('.alert-success');
        self::$browser->click('[data-act=test]');
        self::$browser->see('[data-check=seller_reads][data-ok=yes]');
        self::assertSame(4, self::$browser->count('[data-ok=yes]'));
        $stored = $this->value("SELECT GROUP_CONCAT(value) FROM oc_setting WHERE code = 'module_tradesync'");
        $page = self::$browser->run('return document.documentElement.outerHTML;');
        foreach ([self::$stack->adminKey, self::$stack->sellerKey] as $key) {
            self::assertStringNotContainsString($key, $stored);
            self::assertStringNotContainsString($key, $page);
        }
    }

    /** Requirement section 1. */
    public function testBeforeTheFieldsAreFilledInTheSellersPanelIsInactive(): void
    {
        $this->seller('aziza');
        self::$browser->see('.tradesync-panel .alert-info', 'not set up for you yet');
        self::assertTrue(self::$browser->run('return [].every.call(document.querySelectorAll(".tradesync-panel button"), function (b) { return b.disabled; });'));
        self::assertSame(0, self::$browser->count('#menu-tradesync li'), 'no pages of the administrator in the menu');
    }

    /** Requirement section 1. */
    public function testTheAdministratorConnectsASeller(): void
    {
        $this->administrator();
        $this->office('sellers');
        self::$browser->see('tbody', 'Aziza Karimova');
        $this->assertAccessible('the list of sellers');
        self::$browser->click('a', 'Connect');
        self::$browser->type('[name=billz-secret]', 'a wrong key');
        $this->openDetails();
        self::$browser->type('[data-setting=base_url]', self::$stack->billz2);
        self::$browser->type('[data-setting=rates]', 'USD 12650');
        self::$browser->type('[data-setting=images]', '127.0.0.1');
        self::$browser->choose('[data-setting=new_products]', 'live');
        self::$browser->type('[data-setting=stock_cap]', '-5');
        self::$browser->click('[data-act=save-seller]');
        self::$browser->see('.alert-danger', '«Show at most, pieces»');
        self::$browser->type('[data-setting=stock_cap]', '');
        self::$browser->click('[data-act=save-seller]');
        self::$browser->see('.alert-success');
        self::$browser->click('[data-act=check]');
        self::$browser->see('[data-check="billz.login"][data-ok=no]');
        self::$browser->type('[name=billz-secret]', Stack::BILLZ_KEY);
        self::$browser->click('[data-act=save-seller]');
        self::$browser->see('.alert-success');
        self::$browser->click('[data-act=check]');
        self::$browser->see('[data-check="billz.login"][data-ok=yes]');
        self::$browser->see('[data-check="opencart.database"][data-ok=yes]');
        self::$browser->see('[data-check="pictures"][data-ok=yes]');
        self::assertSame('', self::$browser->run('return document.querySelector("[name=billz-secret]").value;'));
        $this->openDetails();
        $this->assertAccessible('the form of a seller');
        $this->assertFitsAPhone('the form of a seller');
        self::$browser->run('document.querySelectorAll("details").forEach(function (e) { e.open = false; }); window.scrollTo(0, 0);');
        $this->picture('bridge-seller');
    }

    public function testTheAdministratorSetsTheSafetyLimits(): void
    {
        $factor = '[data-brake=price_jump] input[type=number]';
        self::$browser->type($factor, '3');
        self::$browser->click('[data-act=save-brakes]');
        self::$browser->see('.alert-success', 'Saved');
        self::$browser->run('location.reload();');
        self::$browser->wait('document.querySelector("' . $factor . '") && document.querySelector("' . $factor . '").value === "3"', 'the limit that was saved');
    }

    /** Requirement section 2. */
    public function testTheSellerMakesTheListOfShops(): void
    {
        $this->seller('aziza');
        self::$browser->click('[data-act=shops]');
        self::$browser->click('[data-act=discover]');
        self::$browser->click('.list-group-item .btn-success');
        self::$browser->see('.tradesync-shops .alert-success');
        self::$browser->click('.list-group-item .btn-success');
        self::$browser->wait('document.querySelectorAll("[data-shop]").length === 2', 'two shops');
        self::$browser->type('[data-shop] input', 'Чиланзар');
        self::$browser->click('[data-shop] button', 'Rename');
        self::$browser->see('.tradesync-shops .alert-success', 'Чиланзар');
        $this->openDetails();
        self::$browser->type('.tradesync-shops details .form-group:nth-child(1) input', 'a-shop-typed-wrong');
        self::$browser->type('.tradesync-shops details .form-group:nth-child(2) input', 'By hand');
        self::$browser->click('.tradesync-shops details button', 'Add');
        self::$browser->see('[data-shop=a-shop-typed-wrong]');
        $this->assertAccessible('the list of shops');
        $this->assertFitsAPhone('the list of shops');
        self::$browser->click('[data-shop=a-shop-typed-wrong] button', 'Remove');
        self::$browser->click('.tradesync-agree');
        self::$browser->gone('[data-shop=a-shop-typed-wrong]');
        self::$browser->gone('.tradesync-agree');
        $this->closeDialog();
        self::$browser->see('.tradesync-choice select', 'Чиланзар');
    }

    /** Requirement sections 3 and 4: the button, the progress, the date; goods whose category is not mapped wait. */
    public function testTheSellerSynchronises(): void
    {
        self::$browser->see('[data-fact=last-synced]', 'not yet');
        self::$browser->run('window.seenProgress = []; window.setInterval(function () { var e = document.querySelector(".tradesync-progress-text");'
            . 'if (e && e.innerText && seenProgress.indexOf(e.innerText) < 0) { seenProgress.push(e.innerText); } }, 20);');
        self::$browser->click('[data-act=sync]');
        self::$browser->see('.tradesync-progress [role=progressbar]');
        $this->assertAccessible('the panel while a run goes on');
        self::$browser->see('.tradesync-panel .alert-success', 'Done', 90);
        self::assertNotEmpty(self::$browser->run('return seenProgress;'), 'the progress was told in words');
        self::$browser->see('[data-fact=last-synced]', 'less than a minute ago');
        self::$browser->click('[data-act=last-report]');
        self::$browser->see('.tradesync-report td', 'Map the category');
        $this->closeDialog();
    }

    /** Requirement section 4.1. */
    public function testTheAdministratorMapsTheCategories(): void
    {
        $this->administrator();
        $this->office('mapping');
        self::$browser->see('[data-list=unmapped] tr');
        $count = self::$browser->count('[data-list=unmapped] tr');
        self::assertGreaterThan(5, $count);
        self::$browser->see('h4', 'Waiting: ' . $count . ' categories');
        $first = self::$browser->run('return document.querySelector("[data-list=unmapped] tr").getAttribute("data-name");');
        self::$browser->type('.tradesync-toolbar input[type=search]', $first);
        self::$browser->wait('[].filter.call(document.querySelectorAll("[data-list=unmapped] tr"), function (e) { return e.offsetParent; }).length < ' . $count, 'the search to narrow the list');
        self::$browser->type('.tradesync-toolbar input[type=search]', ' ');
        self::$browser->run('var e = document.querySelector(".tradesync-toolbar input[type=search]"); e.value = ""; jQuery(e).trigger("input");');
        for ($row = 1; $row <= $count; ++$row) {
            self::$browser->type("[data-list=unmapped] tr:nth-child($row) input", $row % 2 ? 'desk' : 'phones');
            self::$browser->click("[data-list=unmapped] tr:nth-child($row) .tradesync-hits button", $row % 2 ? 'Desktops' : 'Phones');
            self::$browser->gone('.tradesync-hits');
        }
        $this->assertAccessible('the category mapping');
        $this->assertFitsAPhone('the category mapping');
        self::$browser->run('window.scrollTo(0, 0);');
        $this->picture('bridge-mapping');
        self::$browser->click('[data-act=save-mapping]');
        self::$browser->see('.alert-success');
        self::assertSame($count, self::$browser->count('[data-list=mapped] tr[data-source]'));
        self::$browser->see('.text-success', 'every category is mapped');
    }

    public function testTheSellerLooksAtThePreviewAndAppliesIt(): void
    {
        $before = $this->products();
        $cache = self::$shop->folder . 'system/storage/cache/cache.product.latest.1.0.1.4.' . (time() + 3600);
        file_put_contents($cache, '[]');
        $this->seller('aziza');
        self::$browser->click('[data-act=preview]');
        self::$browser->see('.tradesync-report tbody tr', '', 90);
        self::assertSame($before, $this->products(), 'a preview writes nothing');
        self::assertFileExists($cache);
        $this->picture('bridge-preview');
        self::$browser->click('[data-outcome=created]');
        self::$browser->see('.tradesync-report [data-word=created]');
        $this->assertAccessible('the report');
        $this->assertFitsAPhone('the report');
        self::$browser->click('[data-act=approve]');
        self::$browser->see('.tradesync-report [data-act=undo]', '', 120);
        self::assertGreaterThan($before + 50, $this->products());
        $csv = self::$browser->run('var x = new XMLHttpRequest(); x.open("GET", document.querySelector(".tradesync-report a[download]").href, false); x.send();'
            . 'return x.getResponseHeader("Content-Type") + "\n" + x.responseText;');
        self::assertStringStartsWith('text/csv', $csv);
        self::assertGreaterThan(50, substr_count($csv, "\n"));
        $this->closeDialog();
        self::$browser->see('[data-fact=last-run] .tradesync-created');
        $this->picture('bridge-panel');
        self::assertNotEmpty(glob(self::$shop->folder . 'image/catalog/tradesync/*/*.*'), 'pictures came through the signed callback');
        Stack::until(function () use ($cache) {
            clearstatcache();

            return !is_file($cache);
        }, 'the cache of products to be cleared by the signed callback');
        $strangers = $this->value('SELECT COUNT(*) FROM oc_product WHERE product_id > 7004 AND seller_id <> 42');
        self::assertSame('0', $strangers, 'new products are the seller\'s');
    }

    /** Goods that the shop had before: nothing is touched, and nothing made twice, until a person has said which is which. */
    public function testTheAdministratorConfirmsLinksInBulkAndSettlesADoubtfulOne(): void
    {
        self::assertSame('1000.0000', $this->price('7001'));
        $this->administrator();
        $this->office('links');
        self::$browser->see('tr[data-source="' . self::$before[0]->id . '"]', 'Old product 7001');
        self::$browser->see('tr[data-source="' . self::$before[0]->id . '"]', 'article number ' . self::$before[0]->sku);
        self::$browser->see('tr[data-source="' . self::$before[1]->id . '"]', 'Old product 7002');
        $this->assertAccessible('the links');
        $this->assertFitsAPhone('the links');
        $this->picture('bridge-links');
        self::$browser->click('.tradesync-toolbar label', 'Choose all');
        self::$browser->click('[data-act=confirm-links]');
        self::$browser->see('.alert-success', 'Confirmed: 2');
        self::$browser->click('[data-state=ambiguous]');
        $row = 'tr[data-source="' . self::$before[2]->id . '"]';
        self::$browser->see($row, 'Old product 7003');
        self::$browser->see($row, 'Old product 7004');
        self::$browser->click($row . ' .btn-success', 'It is this one');
        self::$browser->gone($row);
        self::$browser->click('[data-state=linked]');
        self::$browser->see('tr[data-source]');
        self::$browser->click('button', 'Show more');
        self::$browser->see('tr[data-source="' . self::$before[0]->id . '"]', 'confirmed by a person');

        $this->seller('aziza');
        self::$browser->click('[data-act=preview]');
        self::$browser->see('.tradesync-report [data-act=reject]', '', 90);
        // Prices far from those of Billz: the safety limit holds them, and the seller lets them through.
        self::$browser->click('[data-act=approve]');
        self::$browser->see('.tradesync-report [data-act=undo]', '', 90);
        $this->closeDialog();
        $price = max(array_column((array)self::$before[0]->shops, 'price'));
        self::assertSame((float)$price, (float)$this->price('7001'));
        self::assertSame('1', $this->value("SELECT COUNT(*) FROM oc_product WHERE sku = '" . self::$before[0]->sku . "'"), 'no second product was made');
    }

    /** Requirement section 5. */
    public function testTheSellerSetsUpASchedule(): void
    {
        self::$browser->click('[data-act=schedule]');
        self::$browser->see('.tradesync-form');
        self::$browser->choose('[name=every]', '15m');
        self::$browser->run('document.querySelector("[name=from]").value = "09:00"; document.querySelector("[name=to]").value = "21:00";');
        $this->assertAccessible('the schedule dialog');
        $this->assertFitsAPhone('the schedule dialog');
        $this->picture('bridge-schedule');
        self::$browser->click('[data-act=save-schedule]');
        self::$browser->see('.tradesync-schedule', 'every 15 minutes from 09:00 to 21:00 (Asia/Tashkent)');
        self::$browser->see('.tradesync-schedule', 'Next:');
        self::$browser->click('[data-act=stopSchedule]');
        self::$browser->see('.tradesync-schedule [data-act=startSchedule]');
        self::$browser->click('[data-act=startSchedule]');
        self::$browser->see('.tradesync-schedule [data-act=stopSchedule]');
        // Edited: once an hour, all day, on workdays.
        self::$browser->click('.tradesync-schedule button', 'Edit');
        self::$browser->choose('[name=every]', '1h');
        self::$browser->run('document.querySelector("[name=from]").value = ""; document.querySelector("[name=to]").value = "";');
        self::$browser->click('.tradesync-days label:nth-child(6)');
        self::$browser->click('.tradesync-days label:nth-child(7)');
        self::$browser->click('[data-act=save-schedule]');
        self::$browser->gone('.tradesync-form');
        self::$browser->see('.tradesync-schedule', 'hour');
        self::assertStringContainsString('[1,2,3,4,5]', $this->value('SELECT rule FROM tradesync_schedules WHERE deleted_at IS NULL'));
        // Its time comes.
        self::$stack->mysqli()->query('UPDATE tradesync_schedules SET due_at = UTC_TIMESTAMP(6), next_at = UTC_TIMESTAMP(6)');
        Stack::until(function () {
            return $this->value("SELECT COUNT(*) FROM tradesync_runs WHERE started_by = 'schedule' AND finished_at IS NOT NULL") !== '0';
        }, 'a run by schedule', 90);
        self::$browser->click('.tradesync-schedule button', 'Its reports');
        self::$browser->see('.tradesync-schedule .tradesync-run', 'by schedule');
        self::$browser->click('.tradesync-schedule .tradesync-run');
        self::$browser->see('.tradesync-report .modal-title', 'Report');
        self::$browser->click('.tradesync-report .close');
        self::$browser->gone('.tradesync-report');
        // A second one, taken away again.
        self::$browser->click('.tradesync-schedules button', 'Add a schedule');
        self::$browser->choose('[name=every]', '24h');
        self::$browser->click('[data-act=save-schedule]');
        self::$browser->wait('document.querySelectorAll(".tradesync-schedule").length === 2', 'two schedules');
        self::$browser->run('[].filter.call(document.querySelectorAll(".tradesync-schedule"), function (e) { return e.innerText.indexOf("hour") < 0; })[0].querySelector("[data-act=deleteSchedule]").click();');
        self::$browser->click('.tradesync-agree');
        self::$browser->wait('document.querySelectorAll(".tradesync-schedule").length === 1', 'one schedule');
        self::$browser->gone('.tradesync-agree');
        $this->closeDialog();
        self::$browser->see('[data-fact=schedule]', 'hour');
    }

    public function testAnUnusualPriceWaitsUntilTheSellerApprovesIt(): void
    {
        list($source, $product) = $this->created(0);
        $this->priceInBillz($source, '99000000');
        self::$browser->click('[data-act=sync]');
        self::$browser->see('[data-act=held]', '', 90);
        self::assertNotSame('99000000.0000', $this->price($product));
        self::$browser->click('[data-act=held]');
        self::$browser->see('.tradesync-report .alert-warning');
        self::$browser->click('[data-outcome=held]');
        self::$browser->see('.tradesync-report [data-word=held]');
        $this->picture('bridge-held');
        self::$browser->click('[data-act=approve]');
        self::$browser->click('.tradesync-agree');
        self::$browser->see('.tradesync-report [data-act=undo]', '', 90);
        self::assertSame('99000000.0000', $this->price($product));
        self::$browser->click('[data-act=undo]');
        self::$browser->click('.tradesync-agree');
        self::$browser->wait('/undo/i.test(document.querySelector(".tradesync-report").innerText) && !document.querySelector(".tradesync-report [data-act=cancel]")', 'the undo', 90);
        Stack::until(function () use ($product) {
            return $this->price($product) !== '99000000.0000';
        }, 'the former price');
        $this->closeDialog();
        $this->priceInBillz($source, (string)(int)$this->price($product));
    }

    public function testTheAdministratorAppliesWhatWaitsFromTheOverview(): void
    {
        list($source, $product) = $this->created(1);
        $this->priceInBillz($source, '88000000');
        $this->seller('aziza');
        self::$browser->click('[data-act=sync]');
        self::$browser->see('[data-act=held]', '', 90);
        $this->administrator();
        $this->office('overview');
        self::$browser->see('.tradesync-tile.warn', 'wait for a decision');
        self::$browser->click('[data-act=held]');
        self::$browser->see('.tradesync-report [data-word=held]');
        self::$browser->click('[data-act=approve]');
        self::$browser->click('.tradesync-agree');
        self::$browser->see('.tradesync-report [data-act=undo]', '', 90);
        self::assertSame('88000000.0000', $this->price($product));
        $this->closeDialog();
    }

    public function testAProductThatFailedIsListedAndTriedAgain(): void
    {
        $this->seller('aziza');
        self::$stack->billz('POST', 'random-changes', ['price' => 3, 'seed' => 5]);
        self::$stack->billz('POST', 'faults', ['route' => '/v2/products', 'times' => 1, 'fault' => ['bad_row' => ['field' => 'price', 'row' => 0]]]);
        self::$browser->click('[data-act=sync]');
        self::$browser->see('.tradesync-panel .alert-warning', 'not for all products', 90);
        self::$browser->click('[data-act=retry-list]');
        self::$browser->see('.modal .list-group-item', 'attempts');
        $this->assertAccessible('the list of failed products');
        $this->closeDialog();
        $this->administrator();
        $this->office('overview');
        self::$browser->click('td a', 'failed products');
        self::$browser->see('tr[data-item]');
        $this->assertAccessible('the failed products');
        self::$browser->click('[data-act=retry]');
        self::$browser->see('.tradesync-report .modal-title', 'Report', 90);
        $this->closeDialog();
        self::$browser->gone('tr[data-item]');
    }

    public function testWhatTheAdministratorLocksStaysAsItIs(): void
    {
        list($source, $product) = $this->created(2);
        $price = $this->price($product);
        $name = html_entity_decode($this->value('SELECT name FROM oc_product_description WHERE language_id = 1 AND product_id = ' . (int)$product), ENT_QUOTES);
        $this->office('locks');
        self::$browser->type('[data-setting=lock-product] input', $name);
        self::$browser->click('[data-setting=lock-product] button', '№ ' . $product);
        self::$browser->click('.checkbox-inline', 'price');
        self::$browser->type('[name=lock-note]', 'Anniversary price');
        self::$browser->click('[data-act=lock]');
        self::$browser->see('[data-lock="' . $product . '"]', 'Anniversary price');
        self::$browser->see('[data-lock="' . $product . '"]', $name);
        $this->assertAccessible('the locks');
        $this->assertFitsAPhone('the locks');
        $this->picture('bridge-locks');
        $this->priceInBillz($source, (string)((int)$price + 1000));
        $this->seller('aziza');
        self::$browser->click('[data-act=sync]');
        self::$browser->see('.tradesync-panel .alert-success', 'Done', 90);
        self::assertSame($price, $this->price($product));
        $this->administrator();
        $this->office('locks');
        self::$browser->click('[data-act=unlock]');
        self::$browser->see('.alert-success', 'Unlocked');
        $this->seller('aziza');
        self::$browser->click('[data-act=preview]');
        self::$browser->see('.tradesync-report [data-act=approve]', '', 90);
        self::$browser->click('[data-act=approve]');
        self::$browser->see('.tradesync-report [data-act=undo]', '', 90);
        $this->closeDialog();
        self::assertSame((float)$price + 1000, (float)$this->price($product));
    }

    public function testAnotherSellerSeesNothingOfThis(): void
    {
        $run = self::$stack->mysqli()->query('SELECT LOWER(HEX(id)) AS id, id AS raw FROM tradesync_runs LIMIT 1')->fetch_assoc();
        $id = strlen($run['raw']) === 16 ? $run['id'] : $run['raw'];
        $this->seller('botir');
        self::$browser->see('.tradesync-panel .alert-info', 'not set up for you yet');
        $ask = 'var c = JSON.parse(document.querySelector(".tradesync-panel").dataset.tradesync); var x = new XMLHttpRequest();'
            . 'x.open("POST", (arguments[2] || c.api) + "&do=" + arguments[0], false); x.send(JSON.stringify(arguments[1])); return x.status + x.responseText;';
        self::assertStringContainsString('not-found', self::$browser->run($ask, ['run', ['run' => $id]]));
        self::assertStringContainsString('not-found', self::$browser->run($ask, ['approve', ['run' => $id]]));
        $token = self::$browser->run('return new URL(location.href).searchParams.get("user_token");');
        $office = self::$shop->url . 'admin/index.php?route=extension/module/tradesync/api&user_token=' . $token;
        foreach (['connections', 'audit', 'locks'] as $action) {
            self::assertStringNotContainsString('"ok":true', self::$browser->run($ask, [$action, new \stdClass(), $office]));
        }
        $forged = self::$shop->url . 'admin/index.php?route=extension/tradesync/api&user_token=forged';
        self::assertStringNotContainsString('"ok":true', self::$browser->run($ask, ['state', new \stdClass(), $forged]));
        $this->page('extension/module/tradesync');
        self::$browser->see('#content', 'permission');
    }

    /** The requirement's "отдельно для billz1 и billz2": the same day with Billz 1, its user name, offices and discounts. */
    public function testASellerWithBillz1IsConnectedAndSynchronises(): void
    {
        $this->administrator();
        $this->office('seller', '&seller=43');
        self::$browser->click('label.btn', 'Billz v.1');
        self::$browser->type('[name=billz-secret]', Stack::BILLZ_KEY);
        $this->openDetails();
        self::$browser->type('[data-setting=base_url]', self::$stack->billz1);
        self::$browser->choose('[data-setting=new_products]', 'live');
        self::$browser->choose('[data-setting=unmapped_category]', 'default');
        self::$browser->type('[data-setting=default_category_id] input', 'desk');
        self::$browser->click('[data-setting=default_category_id] button', 'Desktops');
        self::$browser->click('[data-act=save-seller]');
        self::$browser->see('.alert-danger', '«USERNAME billz»');
        self::$browser->type('[name=billz-username]', 'demo.ecommerce');
        self::$browser->click('[data-act=save-seller]');
        self::$browser->see('.alert-success');
        self::$browser->click('[data-act=check]');
        self::$browser->see('[data-check="billz.login"][data-ok=yes]');
        self::$browser->run('window.scrollTo(0, 0);');
        $this->picture('bridge-seller-billz1');

        $this->seller('botir');
        self::$browser->click('[data-act=shops]');
        self::$browser->click('[data-act=discover]');
        self::$browser->click('.list-group-item .btn-success');
        self::$browser->see('[data-shop] input', 'Chilonzor');
        $this->closeDialog();
        self::$browser->click('[data-act=sync]');
        self::$browser->see('.tradesync-panel .alert', 'Done', 120);
        self::$browser->see('[data-fact=last-synced]', 'less than a minute ago');
        $special = "SELECT %s FROM oc_product_special s JOIN oc_product p ON p.product_id = s.product_id JOIN tradesync_links l ON l.target_key = p.product_id WHERE p.seller_id = 43";
        self::assertGreaterThan(2, (int)$this->value(sprintf($special, 'COUNT(*)')));
        self::assertSame('0', $this->value(sprintf($special, 'COUNT(*)') . " AND (s.date_start <> '0000-00-00' OR s.date_end <> '0000-00-00')"), 'without dates');
        list($product, $source) = self::$stack->mysqli()->query(sprintf($special, 'p.product_id, l.source_key') . ' ORDER BY l.source_key LIMIT 1')->fetch_row();
        $truth = self::$stack->billz1('GET', 'products/' . $source);
        $office = $truth->offices->{'3301'};
        self::assertSame((float)$office->price - (float)$office->discount, (float)$this->value(sprintf($special, 's.price') . ' AND p.product_id = ' . $product . ' LIMIT 1'));
        self::assertSame((float)$office->price, (float)$this->price($product));
        // The discount ends: so does the special on the site.
        self::$stack->billz1('PATCH', 'products/' . $source, ['discount' => array_fill_keys(array_column(self::$stack->billz1('GET', 'offices'), 'name'), 0), 'company_discount' => 0]);
        self::$browser->click('[data-act=sync]');
        self::$browser->wait('document.querySelector("[data-fact=last-run] .tradesync-updated")', 'the second run', 90);
        self::assertSame('0', $this->value('SELECT COUNT(*) FROM oc_product_special WHERE product_id = ' . $product));
        self::assertSame('0', $this->value('SELECT COUNT(*) FROM oc_product_special s JOIN oc_product p ON p.product_id = s.product_id WHERE p.seller_id = 42 AND s.product_id = ' . $product));
    }

    public function testImportedProductsOpenInTheStorefrontAndSurviveASaveInTheAdmin(): void
    {
        $db = self::$stack->mysqli();
        $ids = [];
        foreach ([42, 43] as $seller) {
            // With a picture where there is one, with a special, without stock: the pages differ.
            foreach (["p.image LIKE 'catalog/tradesync/%'", 'EXISTS (SELECT 1 FROM oc_product_special s WHERE s.product_id = p.product_id)', 'p.quantity = 0'] as $kind) {
                $ids = array_merge($ids, array_column($db->query("SELECT p.product_id FROM oc_product p JOIN tradesync_links l ON l.target_key = p.product_id "
                    . "WHERE p.status = 1 AND p.product_id > 7004 AND p.seller_id = $seller AND $kind ORDER BY p.product_id LIMIT 2")->fetch_all(), 0));
            }
        }
        $ids = array_unique($ids);
        self::assertGreaterThan(6, count($ids));
        $log = self::$shop->errors();
        foreach ($ids as $id) {
            self::$browser->open(self::$shop->url . 'index.php?route=product/product&product_id=' . $id);
            self::$browser->see('#button-cart');
            self::assertDoesNotMatchRegularExpression('/\b(Notice|Warning|Error|Unknown):/', self::$browser->text('body'));
        }
        self::$browser->open(self::$shop->url . 'index.php?route=product/category&path=20&limit=100');
        self::$browser->see('.product-thumb');
        self::assertSame($log, self::$shop->errors(), 'the storefront wrote something into the shop\'s log');
        $this->administrator();
        foreach ($ids as $id) {
            $before = $this->rows((string)$id);
            $this->page('catalog/product/edit', '&product_id=' . $id);
            self::$browser->see('#form-product');
            self::assertDoesNotMatchRegularExpression('/\b(Notice|Warning|Unknown):/', self::$browser->text('body'));
            self::$browser->click('button[form=form-product]');
            self::$browser->see('.alert-success');
            self::assertSame($before, $this->rows((string)$id), 'saving changed the product ' . $id);
        }
        self::assertSame($log, self::$shop->errors(), 'the admin area wrote something into the shop\'s log');
    }

    /** Requirement section 6. */
    public function testTheAdministratorSeesAllSellersAndRollsOut(): void
    {
        $this->office('overview');
        self::$browser->see('.tradesync-dot.good');
        self::$browser->wait('document.querySelectorAll("tbody td[data-label] .tradesync-dot").length === 3', 'three shops of two sellers');
        $this->assertAccessible('the overview');
        $this->picture('bridge-overview');
        $this->office('rollout');
        self::$browser->click('[data-act=rollout]');
        self::$browser->wait('document.querySelectorAll("tbody .tradesync-badge").length === 3', 'a verdict for every shop', 120);
        self::$browser->see('tbody', 'Botir Rahimov');
        $this->assertAccessible('the check of all sellers');
        $this->assertFitsAPhone('the check of all sellers');
        $this->picture('bridge-rollout');
    }

    public function testTheAdministratorSeesWhoDidWhat(): void
    {
        $this->office('audit');
        self::$browser->see('tr[data-action="sync.start"]', 'Aziza Karimova');
        self::$browser->see('tr[data-action="sync.start"]', 'Botir Rahimov');
        self::$browser->choose('[name=audit-action]', 'locks.set');
        self::$browser->see('tr[data-action="locks.set"]', 'opencart-admin');
        self::$browser->gone('tr[data-action="sync.start"]');
        self::$browser->click('tr[data-action="locks.set"] summary');
        self::$browser->see('tr[data-action="locks.set"] details', 'Anniversary price');
        $this->assertAccessible('the audit');
        $this->picture('bridge-audit');
        $this->assertFitsAPhone('the audit');
        self::$browser->choose('[name=audit-action]', 'connections.change');
        self::$browser->see('tr[data-action="connections.change"]');
        $this->openDetails();
        self::assertStringNotContainsString(Stack::BILLZ_KEY, self::$browser->text('body'));
    }

    public function testOnAPhoneTheTableBecomesCardsAndNothingIsCutOff(): void
    {
        foreach (['overview' => '.tradesync-dot.good', 'sellers' => 'tbody tr', 'retry' => '.tradesync-choice', 'settings' => '#form-tradesync'] as $page => $there) {
            $this->office($page);
            self::$browser->see($there);
            $this->assertFitsAPhone('the page ' . $page);
        }
        $this->office('overview');
        self::$browser->see('.tradesync-dot.good');
        self::$browser->phone();
        self::assertSame('block', self::$browser->run('return getComputedStyle(document.querySelector(".tradesync-table tr")).display;'));
        self::$browser->desk();
        $this->seller('aziza');
        self::$browser->see('[data-act=sync]');
        self::$browser->see('[data-fact=last-synced]');
        $this->assertAccessible('the panel');
        $this->assertFitsAPhone('the panel');
        self::$browser->click('[data-act=reports]');
        self::$browser->see('.tradesync-reports .tradesync-run');
        $this->assertFitsAPhone('the list of reports');
        $this->closeDialog();
    }

    public function testTheShopGoesOnWhenTheServiceIsDown(): void
    {
        // While the page is open: each button says what is wrong.
        self::$stack->down();
        self::$browser->click('[data-act=sync]');
        self::$browser->see('.tradesync-panel .alert-danger', 'does not answer');
        self::$browser->click('[data-act=reports]');
        self::$browser->see('.tradesync-reports .alert-danger', 'does not answer');
        $this->closeDialog();
        self::$browser->click('[data-act=schedule]');
        self::$browser->see('.tradesync-schedules .alert-danger', 'does not answer');
        $this->closeDialog();

        $began = microtime(true);
        $this->seller('aziza');
        self::assertLessThan(20, microtime(true) - $began);
        self::$browser->see('#form-product');
        self::$browser->see('.tradesync-panel .alert-danger', 'does not answer');
        self::assertStringNotContainsString('127.0.0.1', self::$browser->text('.tradesync-panel'), 'a seller is not told the service\'s address');
        $this->picture('bridge-down');
        $this->administrator();
        foreach (['overview', 'sellers', 'mapping', 'links', 'locks', 'retry', 'rollout', 'audit', 'settings'] as $page) {
            $this->office($page);
            self::$browser->see('.nav-tabs .active');
            if (!in_array($page, ['settings', 'rollout'], true)) {
                self::$browser->see('.alert-danger', 'does not answer');
            }
        }
        self::$browser->see('#form-tradesync');
        self::$browser->click('[data-act=test]');
        self::$browser->see('[data-check=service][data-ok=no]', 'does not answer');
        self::$browser->open(self::$shop->url);
        self::$browser->see('#content');
        $this->seller('aziza');
        self::$browser->see('.tradesync-panel .alert-danger', 'does not answer');
        self::$stack->up();
        self::$browser->click('.tradesync-panel button', 'Try again');
        self::$browser->see('[data-act=sync]');
    }

    /** The same panel in the storefront, in Russian and in Uzbek. */
    public function testASellerWhoIsACustomerWorksInTheStorefront(): void
    {
        $this->administrator();
        $this->office('settings');
        self::$browser->choose('#tradesync-sellers', 'customers');
        self::$browser->choose('#tradesync-customer_group_id', '1');
        self::$browser->type('#tradesync-route', 'account/wishlist');
        self::$browser->click('#form-tradesync button[type=submit]');
        self::$browser->see('.alert-success');
        $this->language(2, 'ru-ru', 'Русский');
        $this->language(3, 'uz-uz', 'Oʻzbekcha');

        self::$browser->open(self::$shop->url . 'index.php?route=account/login');
        $this->speak('ru-ru');
        self::$browser->open(self::$shop->url . 'index.php?route=account/login');
        self::$browser->type('#input-email', 'dilnoza@example.com');
        self::$browser->type('#input-password', self::SELLER_PASSWORD);
        self::$browser->click('input[type=submit]');
        self::$browser->click('#content a', 'Синхронизация с Billz');
        self::$browser->see('.tradesync-panel .alert-info', 'Billz для вас ещё не настроен');
        self::$browser->open(self::$shop->url . 'index.php?route=account/wishlist');
        self::$browser->see('#content .tradesync-panel .alert-info');

        $this->administrator();
        $this->office('seller', '&seller=77');
        self::$browser->type('[name=billz-secret]', Stack::BILLZ_KEY);
        $this->openDetails();
        self::$browser->type('[data-setting=images]', '127.0.0.1');
        self::$browser->type('[data-setting=base_url]', self::$stack->billz2);
        self::$browser->type('[data-setting=rates]', 'USD 12650');
        self::$browser->choose('[data-setting=unmapped_category]', 'default');
        self::$browser->type('[data-setting=default_category_id] input', 'desk');
        self::$browser->click('[data-setting=default_category_id] button', 'Desktops');
        self::$browser->click('[data-act=save-seller]');
        self::$browser->see('.alert-success');
        self::$browser->open(self::$shop->url . 'index.php?route=extension/tradesync');
        self::$browser->click('[data-act=shops]');
        self::$browser->click('[data-act=discover]');
        self::$browser->click('.list-group-item .btn-success');
        self::$browser->see('.tradesync-shops .alert-success');
        $this->closeDialog();
        self::$browser->click('[data-act=sync]');
        self::$browser->see('.tradesync-panel .alert', 'Готово', 90);
        self::$browser->see('[data-fact=last-synced]', 'назад');
        $this->assertAccessible('the panel in the storefront');
        $this->assertFitsAPhone('the panel in the storefront');
        self::$browser->run('window.scrollTo(0, 0);');
        $this->picture('bridge-storefront');
        self::$browser->click('[data-act=last-report]');
        self::$browser->see('.tradesync-report tbody tr', 'Новый товар');
        $this->assertFitsAPhone('the report in the storefront');
        self::$browser->phone(375, 760);
        $this->picture('bridge-phone');
        self::$browser->desk();
        $this->closeDialog();
        $this->speak('uz-uz');
        self::$browser->open(self::$shop->url . 'index.php?route=extension/tradesync');
        self::$browser->see('[data-act=sync]', 'Narx va qoldiqlarni Billz bilan sinxronlash');
        $this->assertFitsAPhone('the panel in Uzbek');
    }

    /** The page of a closed marketplace module: the OCMOD made for its route, installed as the administrator would. */
    public function testThePanelStandsInAPageOfAModuleByAnOcmodOfItsRoute(): void
    {
        $this->administrator();
        $this->office('settings');
        $package = base64_decode(self::$browser->run('var x = new XMLHttpRequest(); x.open("GET", document.querySelector("[data-act=ocmod]").href, false);'
            . 'x.overrideMimeType("text/plain; charset=x-user-defined"); x.send();'
            . 'return btoa([].map.call(x.responseText, function (c) { return String.fromCharCode(c.charCodeAt(0) & 255); }).join(""));'));
        $file = Stack::root() . '/var/bridge-e2e/tradesync-page.ocmod.zip';
        file_put_contents($file, $package);
        $this->install($file);
        $this->page('marketplace/modification');
        self::$browser->click('a[href*="modification/refresh"]');
        self::$browser->see('.alert-success');
        $changed = self::$shop->folder . 'system/storage/modification/catalog/';
        self::assertStringContainsString('extension/tradesync/widget', file_get_contents($changed . 'controller/account/wishlist.php'));
        self::$browser->open(self::$shop->url . 'index.php?route=account/wishlist');
        self::$browser->see('#content .tradesync-panel [data-act=sync]');
        self::assertSame(1, self::$browser->count('.tradesync-panel'), 'by the OCMOD, and not by the event as well');
        $this->administrator();
        $this->deletePackage('tradesync-page.ocmod.zip');
        $this->page('marketplace/modification');
        self::$browser->click('a[href*="modification/refresh"]');
        self::$browser->see('.alert-success');
        self::assertFileDoesNotExist($changed . 'controller/account/wishlist.php');
        self::$browser->open(self::$shop->url . 'index.php?route=account/wishlist');
        self::$browser->see('#content .tradesync-panel [data-act=sync]');
    }

    /** A marketplace module with tables of its own (mmtrade and others): who the seller is, and whose the goods are, stands in them. */
    public function testASellerOfAMarketplaceModulesTableGetsOwnGoods(): void
    {
        $db = self::$stack->mysqli();
        $db->query('CREATE TABLE oc_ms_seller (seller_id INT PRIMARY KEY, nickname VARCHAR(60), seller_status INT, customer_id INT)');
        $db->query("INSERT INTO oc_ms_seller VALUES (5, 'Dilnoza do‘koni', 1, 77), (6, 'Closed', 3, 78)");
        $db->query('CREATE TABLE oc_ms_product (product_id INT PRIMARY KEY, seller_id INT NOT NULL, product_approved INT NOT NULL DEFAULT 0)');
        $this->administrator();
        $this->office('settings');
        self::$browser->choose('#tradesync-sellers', 'table');
        foreach (['table' => 'ms_seller', 'id_column' => 'seller_id', 'name_column' => 'nickname', 'active_column' => 'seller_status', 'active_value' => '1', 'login_column' => 'user'] as $name => $value) {
            self::$browser->type('#tradesync-table_' . $name, $value);
        }
        self::$browser->choose('#tradesync-ownership_kind', 'link_table');
        foreach (['link_table' => 'ms_product', 'product_column' => 'product_id', 'seller_column' => 'seller_id', 'extra' => 'product_approved=1'] as $name => $value) {
            self::$browser->type('#tradesync-ownership_' . $name, $value);
        }
        self::$browser->click('#form-tradesync button[type=submit]');
        self::$browser->see('.has-error .text-danger', 'has none of this name');
        $this->assertAccessible('the settings of a table');
        self::$browser->type('#tradesync-table_login_column', 'customer_id');
        self::$browser->click('#form-tradesync button[type=submit]');
        self::$browser->see('.alert-success');
        $this->office('sellers');
        self::$browser->see('tbody', 'Dilnoza');
        $this->office('seller', '&seller=5');
        self::$browser->type('[name=billz-secret]', Stack::BILLZ_KEY);
        $this->openDetails();
        self::$browser->type('[data-setting=base_url]', self::$stack->billz2);
        self::$browser->type('[data-setting=rates]', 'USD 12650');
        self::$browser->choose('[data-setting=unmapped_category]', 'default');
        self::$browser->type('[data-setting=default_category_id] input', 'desk');
        self::$browser->click('[data-setting=default_category_id] button', 'Desktops');
        self::$browser->click('[data-act=save-seller]');
        self::$browser->see('.alert-success');
        $before = $this->products();
        self::$browser->open(self::$shop->url . 'index.php?route=extension/tradesync');
        // The panel's own first question has been answered: else its end would write the former language back into the session.
        self::$browser->see('[data-act=shops]');
        $this->speak('en-gb');
        self::$browser->open(self::$shop->url . 'index.php?route=extension/tradesync');
        self::$browser->click('[data-act=shops]');
        self::$browser->click('[data-act=discover]');
        self::$browser->click('.list-group-item .btn-success');
        self::$browser->see('.tradesync-shops .alert-success');
        $this->closeDialog();
        self::$browser->click('[data-act=sync]');
        self::$browser->see('.tradesync-panel .alert', 'Done', 90);
        $own = (int)$this->value('SELECT COUNT(*) FROM oc_ms_product WHERE seller_id = 5 AND product_approved = 1');
        self::assertGreaterThan(50, $own);
        self::assertSame($before + $own, $this->products(), 'every new product is linked to its seller, and nobody else\'s');
    }

    public function testNothingOfOursComplained(): void
    {
        self::assertSame([], $this->ourErrors(), "the shop's log");
        $ours = array_values(array_filter(self::$browser->complaints(), function ($line) {
            return stripos($line, 'tradesync') !== false && stripos($line, '[DOM]') === false && stripos($line, 'error') !== false;
        }));
        // The forged requests above are answered with 403, as they should be.
        self::assertSame([], array_values(array_filter($ours, function ($line) {
            return strpos($line, '403') === false;
        })));
    }

    public function testUninstallLeavesTheShopAsItWas(): void
    {
        $this->administrator();
        $this->page('marketplace/extension', '&type=module');
        self::$browser->see('a[href*="uninstall"][href*="extension=tradesync"]');
        self::$browser->run('window.confirm = function () { return true; };');
        self::$browser->click('a[href*="uninstall"][href*="extension=tradesync"]');
        self::$browser->see('a[href*="module/install&"][href*="extension=tradesync"]');
        foreach (
            ["oc_setting WHERE code LIKE '%tradesync%'", "oc_event WHERE code LIKE '%tradesync%' OR action LIKE '%tradesync%'", "oc_extension WHERE code = 'tradesync'",
            "oc_user_group WHERE permission LIKE '%tradesync%'", "oc_modification WHERE code LIKE '%tradesync%'"] as $rows
        ) {
            self::assertSame('0', $this->value('SELECT COUNT(*) FROM ' . $rows), $rows);
        }
        self::assertFileDoesNotExist(self::$shop->folder . 'system/storage/tradesync_key.php');
        $this->deletePackage('tradesync.ocmod.zip');
        Stack::until(function () {
            clearstatcache();

            return !is_dir(self::$shop->folder . 'system/library/tradesync');
        }, 'the files to go', 60);
        Stack::until(function () {
            return $this->leftOver() === [];
        }, 'nothing but pictures to be left: ' . implode(', ', array_slice($this->leftOver(), 0, 5)), 20);
        exec('grep -rl tradesync ' . escapeshellarg(self::$shop->folder . 'system/storage/modification'), $modified);
        self::assertSame([], $modified);
        $this->page('catalog/product');
        self::$browser->see('#form-product');
        self::assertSame(0, self::$browser->count('.tradesync-panel'));
    }
}
