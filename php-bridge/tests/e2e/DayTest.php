<?php

declare(strict_types=1);

namespace TradesyncTests\E2e;

use PHPUnit\Framework\TestCase;
use TradesyncTests\Browser;
use TradesyncTests\OpenCart;
use TradesyncTests\Stack;

/**
 * The administrator's and the seller's day in a real OpenCart 3.0.3.8 in a real Chromium, from the Extension Installer to "Uninstall".
 *
 * The tests follow each other; each leaves the shop as the next one finds it. `make bridge-e2e OPENCART_DIR=...`
 */
final class DayTest extends TestCase
{
    private const SELLER_PASSWORD = 'seller-password';

    /** @var Stack */
    private static $stack;
    /** @var OpenCart */
    private static $shop;
    /** @var Browser */
    private static $browser;
    /** @var array<string, string> */
    private static $files;
    /** @var string Screenshots go here; docs/images only when asked for. */
    private static $pictures;
    /** @var bool */
    private static $broken = false;

    public static function setUpBeforeClass(): void
    {
        self::$stack = new Stack(120);
        self::$shop = new OpenCart((string)getenv('OPENCART_DIR'), self::$stack);
        self::$files = self::$shop->files();
        self::$stack->serve();
        self::$stack->billz('PUT', 'switches', ['photos' => self::$stack->billz2 . '/pictures']);
        self::$browser = new Browser();
        self::$pictures = getenv('TRADESYNC_PICTURES') ?: Stack::root() . '/var/bridge-e2e';
        self::people();
    }

    public static function tearDownAfterClass(): void
    {
        if (self::$browser !== null) {
            self::$browser->stop();
        }
        if (self::$stack !== null) {
            self::$stack->stop();
        }
    }

    protected function setUp(): void
    {
        if (self::$broken) {
            self::markTestSkipped('an earlier step of the day failed');
        }
        self::$broken = true;
    }

    protected function onNotSuccessfulTest(\Throwable $error): void
    {
        if (self::$browser !== null && !$error instanceof \PHPUnit\Framework\SkippedTest) {
            $this->picture('failure');
        }
        throw $error;
    }

    protected function assertPostConditions(): void
    {
        self::$broken = false;
        // What was waited for and seen is what these tests assert.
        $this->addToAssertionCount(self::$browser->seen());
    }

    public function testTheZipIsInstalledByOpenCartsOwnInstaller(): void
    {
        $this->login(OpenCart::ADMIN, OpenCart::PASSWORD);
        $this->page('marketplace/installer');
        self::$browser->run('HTMLInputElement.prototype.click = function () {}; jQuery("#button-upload").trigger("click");');
        self::$browser->run('document.querySelector("#form-upload").style.display = "block";');
        self::$browser->type('#form-upload input[type=file]', Stack::root() . '/var/tradesync.ocmod.zip');
        self::$browser->see('.alert-success, #progress-text .text-success', '', 60);

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
        self::$browser->type('#tradesync-url', self::$stack->service);
        self::$browser->type('#tradesync-admin_key', self::$stack->adminKey);
        self::$browser->type('#tradesync-seller_key', self::$stack->sellerKey);
        self::$browser->choose('#tradesync-user_group_id', '20');
        self::$browser->click('#form-tradesync button[type=submit]');
        self::$browser->see('.alert-success');
        self::$browser->click('[data-act=test]');
        self::$browser->see('[data-check=seller_reads][data-ok=yes]');
        self::assertSame(4, self::$browser->count('[data-ok=yes]'));
        $stored = self::$stack->mysqli()->query("SELECT GROUP_CONCAT(value) FROM oc_setting WHERE code = 'module_tradesync'")->fetch_row()[0];
        self::assertStringNotContainsString(self::$stack->adminKey, $stored);
        self::assertStringNotContainsString(self::$stack->adminKey, self::$browser->run('return document.documentElement.outerHTML;'));
    }

    /** Requirement section 1. */
    public function testBeforeTheFieldsAreFilledInTheSellersPanelIsInactive(): void
    {
        $this->login('aziza', self::SELLER_PASSWORD);
        $this->page('catalog/product');
        self::$browser->see('.tradesync-panel .alert-info', 'not set up for you yet');
        self::assertTrue(self::$browser->run('return [].every.call(document.querySelectorAll(".tradesync-panel button"), function (b) { return b.disabled; });'));
        self::assertSame(0, self::$browser->count('#menu-tradesync li'), 'no pages of the administrator in the menu');
    }

    public function testTheAdministratorConnectsASeller(): void
    {
        $this->login(OpenCart::ADMIN, OpenCart::PASSWORD);
        $this->page('extension/module/tradesync', '&page=sellers');
        self::$browser->see('tbody', 'Aziza Karimova');
        self::$browser->click('a', 'Connect');
        self::$browser->type('[name=billz-secret]', 'a wrong key');
        self::$browser->run('document.querySelectorAll("details").forEach(function (e) { e.open = true; });');
        self::$browser->type('[data-setting=base_url]', self::$stack->billz2);
        self::$browser->type('[data-setting=rates]', 'USD 12650');
        self::$browser->run('var l = [].filter.call(document.querySelectorAll("label"), function (e) { return e.innerText.indexOf("Picture hosts") === 0; })[0];'
            . 'document.getElementById(l.htmlFor).value = "127.0.0.1";');
        self::$browser->choose('[data-setting=new_products]', 'live');
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
        self::$browser->run('window.scrollTo(0, 0);');
        $this->picture('bridge-seller');
    }

    /** Requirement section 2. */
    public function testTheSellerMakesTheListOfShops(): void
    {
        $this->login('aziza', self::SELLER_PASSWORD);
        $this->page('catalog/product');
        self::$browser->click('[data-act=shops]');
        self::$browser->click('[data-act=discover]');
        self::$browser->click('.list-group-item .btn-success');
        self::$browser->see('.tradesync-shops .alert-success');
        self::$browser->click('.list-group-item .btn-success');
        self::$browser->wait('document.querySelectorAll("[data-shop]").length === 2', 'two shops');
        self::$browser->type('[data-shop] input', 'Чиланзар');
        self::$browser->click('[data-shop] button', 'Rename');
        self::$browser->see('.tradesync-shops .alert-success', 'Чиланзар');
        $this->closeDialog();
        self::$browser->see('.tradesync-choice select', 'Чиланзар');
    }

    /** Requirement sections 3 and 4: the button, the progress, the date; goods whose category is not mapped wait. */
    public function testTheSellerSynchronises(): void
    {
        self::$browser->see('[data-fact=last-synced]', 'not yet');
        self::$browser->click('[data-act=sync]');
        self::$browser->see('.tradesync-progress [role=progressbar]');
        self::$browser->see('.tradesync-panel .alert-success', 'Done', 90);
        self::$browser->see('[data-fact=last-synced]', 'less than a minute ago');
        self::$browser->click('[data-act=last-report]');
        self::$browser->see('.tradesync-report td', 'Map the category');
        $this->closeDialog();
    }

    /** Requirement section 4.1. */
    public function testTheAdministratorMapsTheCategories(): void
    {
        $this->login(OpenCart::ADMIN, OpenCart::PASSWORD);
        $this->page('extension/module/tradesync', '&page=mapping');
        self::$browser->see('[data-list=unmapped] tr');
        $count = self::$browser->count('[data-list=unmapped] tr');
        self::assertGreaterThan(5, $count);
        for ($row = 1; $row <= $count; ++$row) {
            self::$browser->type("[data-list=unmapped] tr:nth-child($row) input", $row % 2 ? 'desk' : 'phones');
            self::$browser->click("[data-list=unmapped] tr:nth-child($row) .tradesync-hits button", $row % 2 ? 'Desktops' : 'Phones');
            self::$browser->gone('.tradesync-hits');
        }
        self::$browser->run('window.scrollTo(0, 0);');
        $this->picture('bridge-mapping');
        self::$browser->click('[data-act=save-mapping]');
        self::$browser->see('.alert-success');
        self::assertSame($count, self::$browser->count('[data-list=mapped] tr[data-source]'));
    }

    public function testTheSellerLooksAtThePreviewAndAppliesIt(): void
    {
        $before = $this->products();
        $this->login('aziza', self::SELLER_PASSWORD);
        $this->page('catalog/product');
        self::$browser->click('[data-act=preview]');
        self::$browser->see('.tradesync-report tbody tr', '', 90);
        self::assertSame($before, $this->products(), 'a preview writes nothing');
        $this->picture('bridge-preview');
        self::$browser->click('[data-outcome=created]');
        self::$browser->see('.tradesync-report [data-word=created]');
        self::$browser->click('[data-act=approve]');
        self::$browser->see('.tradesync-report [data-act=undo]', '', 120);
        self::assertGreaterThan($before + 50, $this->products());
        self::assertSame(1, self::$browser->count('.tradesync-report a[download]'));
        $this->closeDialog();
        self::$browser->see('[data-fact=last-run] .tradesync-created');
        $this->picture('bridge-panel');
        $files = glob(self::$shop->folder . 'image/catalog/tradesync/*/*.*');
        self::assertNotEmpty($files, 'pictures came through the signed callback');
    }

    /** Requirement section 5. */
    public function testTheSellerSetsUpASchedule(): void
    {
        self::$browser->click('[data-act=schedule]');
        self::$browser->see('.tradesync-form');
        self::$browser->choose('[name=every]', '15m');
        self::$browser->run('document.querySelector("[name=from]").value = "09:00"; document.querySelector("[name=to]").value = "21:00";');
        $this->picture('bridge-schedule');
        self::$browser->click('[data-act=save-schedule]');
        self::$browser->see('.tradesync-schedule', 'every 15 minutes from 09:00 to 21:00 (Asia/Tashkent)');
        self::$browser->see('.tradesync-schedule', 'Next:');
        self::$browser->click('[data-act=stopSchedule]');
        self::$browser->see('.tradesync-schedule [data-act=startSchedule]');
        self::$browser->click('[data-act=startSchedule]');
        self::$browser->see('.tradesync-schedule [data-act=stopSchedule]');
        $this->closeDialog();
        self::$browser->see('[data-fact=schedule]', 'every 15 minutes');
    }

    public function testAnUnusualPriceWaitsUntilTheSellerApprovesIt(): void
    {
        $db = self::$stack->mysqli();
        $row = $db->query("SELECT source_key, target_key FROM tradesync_links WHERE target_key IS NOT NULL ORDER BY source_key LIMIT 1")->fetch_row();
        self::$stack->billz('PATCH', 'products/' . $row[0], ['price' => array_fill_keys($this->shopNames(), '99000000')]);
        self::$browser->click('[data-act=sync]');
        self::$browser->see('[data-act=held]', '', 90);
        self::assertNotSame('99000000.0000', $this->price($row[1]));
        self::$browser->click('[data-act=held]');
        self::$browser->see('.tradesync-report .alert-warning');
        self::$browser->click('[data-outcome=held]');
        self::$browser->see('.tradesync-report [data-word=held]');
        $this->picture('bridge-held');
        self::$browser->click('[data-act=approve]');
        self::$browser->click('.tradesync-agree');
        self::$browser->see('.tradesync-report [data-act=undo]', '', 90);
        self::assertSame('99000000.0000', $this->price($row[1]));
        self::$browser->click('[data-act=undo]');
        self::$browser->click('.tradesync-agree');
        self::$browser->wait('/undo/i.test(document.querySelector(".tradesync-report").innerText) && !document.querySelector(".tradesync-report [data-act=cancel]")', 'the undo', 90);
        Stack::until(function () use ($row) {
            return $this->price($row[1]) !== '99000000.0000';
        }, 'the former price');
        $this->closeDialog();
    }

    public function testAnotherSellerSeesNothingOfThis(): void
    {
        $run = self::$stack->mysqli()->query('SELECT LOWER(HEX(id)) AS id, id AS raw FROM tradesync_runs LIMIT 1')->fetch_assoc();
        $id = strlen($run['raw']) === 16 ? $run['id'] : $run['raw'];
        $this->login('botir', self::SELLER_PASSWORD);
        $this->page('catalog/product');
        self::$browser->see('.tradesync-panel .alert-info', 'not set up for you yet');
        $ask = 'var done = arguments[0]; var c = JSON.parse(document.querySelector(".tradesync-panel").dataset.tradesync); var x = new XMLHttpRequest();'
            . 'x.open("POST", (arguments[2] || c.api) + "&do=" + arguments[0], false); x.send(JSON.stringify(arguments[1])); return x.status + x.responseText;';
        self::assertStringContainsString('not-found', self::$browser->run($ask, ['run', ['run' => $id]]));
        self::assertStringContainsString('not-found', self::$browser->run($ask, ['approve', ['run' => $id]]));
        $token = self::$browser->run('return new URL(location.href).searchParams.get("user_token");');
        $office = self::$shop->url . 'admin/index.php?route=extension/module/tradesync/api&user_token=' . $token;
        self::assertStringNotContainsString('"ok":true', self::$browser->run($ask, ['connections', new \stdClass(), $office]));
        $forged = self::$shop->url . 'admin/index.php?route=extension/tradesync/api&user_token=forged';
        self::assertStringNotContainsString('"ok":true', self::$browser->run($ask, ['state', new \stdClass(), $forged]));
        $this->page('extension/module/tradesync');
        self::$browser->see('#content', 'permission');
    }

    public function testImportedProductsOpenInTheStorefrontAndSurviveASaveInTheAdmin(): void
    {
        $db = self::$stack->mysqli();
        $ids = $db->query("SELECT p.product_id FROM oc_product p JOIN tradesync_links l ON l.target_key = p.product_id WHERE p.status = 1 AND p.image LIKE 'catalog/tradesync/%' "
            . 'ORDER BY p.product_id LIMIT 3')->fetch_all();
        self::assertCount(3, $ids);
        foreach ($ids as list($id)) {
            self::$browser->open(self::$shop->url . 'index.php?route=product/product&product_id=' . $id);
            self::$browser->see('#button-cart');
            self::assertDoesNotMatchRegularExpression('/\b(Notice|Warning|Error|Unknown):/', self::$browser->text('body'));
        }
        $this->login(OpenCart::ADMIN, OpenCart::PASSWORD);
        foreach ($ids as list($id)) {
            $before = $this->rows($id);
            $this->page('catalog/product/edit', '&product_id=' . $id);
            self::$browser->see('#form-product');
            self::assertDoesNotMatchRegularExpression('/\b(Notice|Warning|Unknown):/', self::$browser->text('body'));
            self::$browser->click('button[form=form-product]');
            self::$browser->see('.alert-success');
            self::assertSame($before, $this->rows($id), 'saving changed the product ' . $id);
        }
    }

    public function testTheAdministratorSeesAllSellersAndRollsOut(): void
    {
        $this->page('extension/module/tradesync', '&page=overview');
        self::$browser->see('.tradesync-dot.good');
        $this->picture('bridge-overview');
        $this->page('extension/module/tradesync', '&page=links');
        self::$browser->click('[data-state=linked]');
        self::$browser->see('tr[data-source]');
        $this->page('extension/module/tradesync', '&page=rollout');
        self::$browser->click('[data-act=rollout]');
        self::$browser->wait('document.querySelectorAll("tbody .tradesync-badge").length === 2', 'a verdict for both shops', 120);
        $this->picture('bridge-rollout');
    }

    public function testOnAPhoneTheTableBecomesCards(): void
    {
        self::$browser->size(500, 900);
        $this->page('extension/module/tradesync', '&page=overview');
        self::$browser->see('.tradesync-dot.good');
        self::assertSame('block', self::$browser->run('return getComputedStyle(document.querySelector(".tradesync-table tr")).display;'));
        self::$browser->size(1280, 900);
    }

    public function testTheShopGoesOnWhenTheServiceIsDown(): void
    {
        self::$stack->down();
        $this->login('aziza', self::SELLER_PASSWORD);
        $began = microtime(true);
        $this->page('catalog/product');
        self::assertLessThan(10, microtime(true) - $began);
        self::$browser->see('#form-product');
        self::$browser->see('.tradesync-panel .alert-danger', 'does not answer');
        $this->picture('bridge-down');
        $this->login(OpenCart::ADMIN, OpenCart::PASSWORD);
        foreach (['overview', 'sellers', 'mapping', 'links', 'retry', 'rollout', 'settings'] as $page) {
            $this->page('extension/module/tradesync', '&page=' . $page);
            self::$browser->see('.nav-tabs .active');
        }
        self::$browser->open(self::$shop->url);
        self::$browser->see('#content');
        self::$stack->up();
        $this->login('aziza', self::SELLER_PASSWORD);
        $this->page('catalog/product');
        self::$browser->see('[data-act=sync]');
    }

    /** The same panel in the storefront, in Russian. */
    public function testASellerWhoIsACustomerWorksInTheStorefront(): void
    {
        $db = self::$stack->mysqli();
        $db->query("INSERT INTO oc_customer SET customer_id = 42, customer_group_id = 1, language_id = 1, firstname = 'Aziza', lastname = 'Karimova', email = 'aziza@example.com', "
            . "telephone = '', fax = '', password = '" . sha1('abcdefghi' . sha1('abcdefghi' . sha1(self::SELLER_PASSWORD))) . "', salt = 'abcdefghi', custom_field = '', ip = '', "
            . "status = 1, safe = 1, token = '', code = '', date_added = NOW()");
        $this->login(OpenCart::ADMIN, OpenCart::PASSWORD);
        $this->page('extension/module/tradesync', '&page=settings');
        self::$browser->choose('#tradesync-sellers', 'customers');
        self::$browser->choose('#tradesync-customer_group_id', '1');
        self::$browser->type('#tradesync-route', 'account/wishlist');
        self::$browser->click('#form-tradesync button[type=submit]');
        self::$browser->see('.alert-success');
        // The storefront gets a second language, Russian: OpenCart's own words stay English in it, ours are there.
        @mkdir(self::$shop->folder . 'catalog/language/ru-ru');
        exec('cp -r ' . escapeshellarg(self::$shop->folder . 'catalog/language/en-gb/.') . ' ' . escapeshellarg(self::$shop->folder . 'catalog/language/ru-ru/'));
        rename(self::$shop->folder . 'catalog/language/ru-ru/en-gb.php', self::$shop->folder . 'catalog/language/ru-ru/ru-ru.php');
        $main = self::$shop->folder . 'catalog/language/ru-ru/ru-ru.php';
        file_put_contents($main, str_replace("= 'en'", "= 'ru'", file_get_contents($main)));
        $db->query("INSERT INTO oc_language SET language_id = 2, name = 'Русский', code = 'ru-ru', locale = 'ru', image = '', directory = '', sort_order = 2, status = 1");
        exec('rm -f ' . escapeshellarg(self::$shop->folder) . 'system/storage/cache/cache.*');

        self::$browser->open(self::$shop->url . 'index.php?route=account/login');
        self::$browser->run('var x = new XMLHttpRequest(); x.open("POST", "index.php?route=common/language/language", false);'
            . 'x.setRequestHeader("Content-Type", "application/x-www-form-urlencoded"); x.send("code=ru-ru");');
        self::$browser->open(self::$shop->url . 'index.php?route=account/login');
        self::$browser->type('#input-email', 'aziza@example.com');
        self::$browser->type('#input-password', self::SELLER_PASSWORD);
        self::$browser->click('input[type=submit]');
        self::$browser->click('#content a', 'Синхронизация с Billz');
        self::$browser->see('.tradesync-panel .alert-info', 'Billz для вас ещё не настроен');
        self::$browser->open(self::$shop->url . 'index.php?route=account/wishlist');
        self::$browser->see('#content .tradesync-panel .alert-info');

        $this->login(OpenCart::ADMIN, OpenCart::PASSWORD);
        $this->page('extension/module/tradesync', '&page=seller&seller=42');
        self::$browser->type('[name=billz-secret]', Stack::BILLZ_KEY);
        self::$browser->run('document.querySelectorAll("details").forEach(function (e) { e.open = true; });');
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
        self::$browser->run('window.scrollTo(0, 0);');
        $this->picture('bridge-storefront');
        self::$browser->size(500, 950);
        self::$browser->click('[data-act=last-report]');
        self::$browser->see('.tradesync-report tbody tr');
        $this->picture('bridge-phone');
        self::$browser->size(1280, 900);
        $this->closeDialog();
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
        $this->login(OpenCart::ADMIN, OpenCart::PASSWORD);
        $this->page('marketplace/extension', '&type=module');
        self::$browser->see('a[href*="uninstall"][href*="extension=tradesync"]');
        self::$browser->run('window.confirm = function () { return true; };');
        self::$browser->click('a[href*="uninstall"][href*="extension=tradesync"]');
        self::$browser->see('a[href*="module/install&"][href*="extension=tradesync"]');
        $db = self::$stack->mysqli();
        foreach (
            ["oc_setting WHERE code LIKE '%tradesync%'", "oc_event WHERE code LIKE '%tradesync%' OR action LIKE '%tradesync%'", "oc_extension WHERE code = 'tradesync'",
            "oc_user_group WHERE permission LIKE '%tradesync%'"] as $rows
        ) {
            self::assertSame('0', $db->query('SELECT COUNT(*) FROM ' . $rows)->fetch_row()[0], $rows);
        }
        self::assertFileDoesNotExist(self::$shop->folder . 'system/storage/tradesync_key.php');
        $this->page('marketplace/installer');
        self::$browser->see('#history .btn-danger');
        self::$browser->run('window.confirm = function () { return true; };');
        self::$browser->click('#history .btn-danger');
        Stack::until(function () {
            clearstatcache();

            return !is_dir(self::$shop->folder . 'system/library/tradesync');
        }, 'the files to go', 60);
        Stack::until(function () {
            return $this->leftOver() === [];
        }, 'nothing but pictures to be left: ' . implode(', ', array_slice($this->leftOver(), 0, 5)), 20);
        $this->page('catalog/product');
        self::$browser->see('#form-product');
    }

    /** Files that are not as they were before, but for pictures of products and the language that the test made. */
    private function leftOver(): array
    {
        $now = array_filter(self::$shop->files(), function ($name) {
            return !preg_match('#^(image/catalog/tradesync/|(catalog|admin)/language/ru-ru/)#', $name);
        }, ARRAY_FILTER_USE_KEY);

        return array_keys(array_diff_assoc($now, self::$files) + array_diff_assoc(self::$files, $now));
    }

    private function closeDialog(): void
    {
        self::$browser->click('.modal.in .close');
        self::$browser->gone('.modal');
    }

    private function products(): int
    {
        return (int)self::$stack->mysqli()->query('SELECT COUNT(*) FROM oc_product')->fetch_row()[0];
    }

    private function price(string $product): string
    {
        return self::$stack->mysqli()->query('SELECT price FROM oc_product WHERE product_id = ' . (int)$product)->fetch_row()[0];
    }

    private function shopNames(): array
    {
        return array_column(self::$stack->billz('GET', 'shops'), 'name');
    }

    /** Everything about a product that its form writes, but for numbers of rows and the date of the change. */
    private function rows(string $product): array
    {
        $rows = [];
        foreach (
            ['product' => 'product_id', 'product_description' => 'language_id', 'product_to_store' => 'store_id', 'product_to_category' => 'category_id',
            'product_attribute' => 'attribute_id', 'product_special' => 'customer_group_id', 'product_image' => 'image', 'seo_url' => 'language_id'] as $table => $order
        ) {
            $where = $table === 'seo_url' ? "query = 'product_id=" . (int)$product . "'" : 'product_id = ' . (int)$product;
            foreach (self::$stack->mysqli()->query("SELECT * FROM oc_$table WHERE $where ORDER BY $order")->fetch_all(MYSQLI_ASSOC) as $row) {
                // A form sends its lines with CR and LF; HTML takes both for a blank.
                $row = str_replace("\r\n", "\n", $row);
                unset($row['date_modified'], $row['viewed'], $row['product_special_id'], $row['product_image_id'], $row['seo_url_id']);
                $rows[$table][] = $row;
            }
        }

        return $rows;
    }

    private static function people(): void
    {
        $db = self::$stack->mysqli();
        $db->query("UPDATE oc_currency SET code = 'UZS', value = 1, symbol_left = '', symbol_right = ' soʻm' WHERE code = 'USD'");
        $db->query("UPDATE oc_setting SET value = 'UZS' WHERE `key` = 'config_currency'");
        $permission = json_encode(['access' => ['catalog/product', 'common/column_left'], 'modify' => ['catalog/product']]);
        $db->query("INSERT INTO oc_user_group SET user_group_id = 20, name = 'Sellers', permission = '" . $db->real_escape_string($permission) . "'");
        foreach ([[42, 'aziza', 'Aziza', 'Karimova'], [43, 'botir', 'Botir', 'Rahimov']] as list($id, $login, $first, $last)) {
            $db->query("INSERT INTO oc_user SET user_id = $id, user_group_id = 20, username = '$login', salt = 'abcdefghi', "
                . "password = '" . sha1('abcdefghi' . sha1('abcdefghi' . sha1(self::SELLER_PASSWORD))) . "', firstname = '$first', lastname = '$last', "
                . "email = '$login@example.com', image = '', code = '', ip = '', status = 1, date_added = NOW()");
        }
    }

    private function login(string $user, string $password): void
    {
        self::$browser->open(self::$shop->url . 'admin/index.php?route=common/logout');
        self::$browser->open(self::$shop->url . 'admin/index.php?route=common/login');
        self::$browser->type('#input-username', $user);
        self::$browser->type('#input-password', $password);
        self::$browser->click('button[type=submit]');
        self::$browser->see('#menu');
        // The "developer" and security dialogs of a fresh shop.
        self::$browser->run('jQuery(".modal").modal("hide"); jQuery(".modal-backdrop").remove();');
    }

    private function page(string $route, string $more = ''): void
    {
        $token = self::$browser->run('return new URL(location.href).searchParams.get("user_token");');
        self::$browser->open(self::$shop->url . 'admin/index.php?route=' . $route . '&user_token=' . $token . $more);
        self::$browser->see('#content');
    }

    private function picture(string $name): void
    {
        self::$browser->screenshot(self::$pictures . '/' . $name . '.png');
    }

    /** Lines of the shop's log that our files brought. */
    private function ourErrors(): array
    {
        return array_values(array_filter(explode("\n", self::$shop->errors()), function ($line) {
            return stripos($line, 'tradesync') !== false;
        }));
    }
}
