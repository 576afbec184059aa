<?php

declare(strict_types=1);

namespace TradesyncTests;

use PHPUnit\Framework\TestCase;

/**
 * A day in a real shop: what its tests share. They follow each other; each leaves the shop as the next one finds it.
 */
abstract class Day extends TestCase
{
    protected const SELLER_PASSWORD = 'seller-password';

    /** @var Stack */
    protected static $stack;
    /** @var OpenCart */
    protected static $shop;
    /** @var Browser */
    protected static $browser;
    /** @var array<string, string> */
    protected static $files;
    /** @var string Screenshots go here; docs/images only when asked for. */
    protected static $pictures;
    /** @var \stdClass[] Goods of the simulated Billz 2 of which the shop has products before: two once, one twice. */
    protected static $before;
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
        self::goods();
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

    /** Every control of ours that is on the screen has a name for those who do not see it. */
    protected function assertAccessible(string $where): void
    {
        self::assertSame([], self::$browser->nameless(), $where);
    }

    /** On a phone nothing of ours has to be scrolled sideways, and the controls keep their names. */
    protected function assertFitsAPhone(string $where): void
    {
        self::$browser->phone();
        // The admin area slides its menu away.
        for ($end = microtime(true) + 10; ($wide = self::$browser->tooWide()) !== [] && microtime(true) < $end;) {
            usleep(200000);
        }
        self::assertSame([], $wide, $where);
        $this->assertAccessible($where . ' on a phone');
        self::$browser->desk();
    }

    /** Extension Installer: uploads a package and waits until it is installed. */
    protected function install(string $package): void
    {
        $this->page('marketplace/installer');
        self::$browser->run('HTMLInputElement.prototype.click = function () {}; jQuery("#button-upload").trigger("click");');
        self::$browser->run('document.querySelector("#form-upload").style.display = "block";');
        self::$browser->type('#form-upload input[type=file]', $package);
        self::$browser->see('.alert-success, #progress-text .text-success', '', 60);
    }

    /** Extension Installer: takes a package away. */
    protected function deletePackage(string $file): void
    {
        $this->page('marketplace/installer');
        $row = '[].filter.call(document.querySelectorAll("#history tbody tr"), function (e) { return e.cells[0].innerText.trim() === ' . json_encode($file) . '; })[0]';
        self::$browser->wait($row, $file . ' in the list of packages');
        self::$browser->run('window.confirm = function () { return true; }; ' . $row . '.querySelector(".btn-danger").click();');
        self::$browser->see('.alert-success', '', 60);
        self::$browser->wait('!(' . $row . ')', $file . ' to go');
    }

    /** Files that are not as they were before, but for pictures of products, OpenCart's own modified copies and languages that the test made. */
    protected function leftOver(): array
    {
        list($before, $now) = array_map(function (array $files) {
            return array_filter($files, function ($name) {
                return !preg_match('#^(image/catalog/tradesync/|system/storage/modification/|(catalog|admin)/language/(ru-ru|uz-uz)/)#', $name);
            }, ARRAY_FILTER_USE_KEY);
        }, [self::$files, self::$shop->files()]);

        return array_keys(array_diff_assoc($now, $before) + array_diff_assoc($before, $now));
    }

    protected function closeDialog(): void
    {
        self::$browser->click('.modal.in .close');
        self::$browser->gone('.modal');
    }

    protected function openDetails(): void
    {
        self::$browser->run('document.querySelectorAll("details").forEach(function (e) { e.open = true; });');
    }

    protected function products(): int
    {
        return (int)$this->value('SELECT COUNT(*) FROM oc_product');
    }

    protected function price(string $product): string
    {
        return $this->value('SELECT price FROM oc_product WHERE product_id = ' . (int)$product);
    }

    protected function value(string $sql): string
    {
        return (string)self::$stack->mysqli()->query($sql)->fetch_row()[0];
    }

    /** A new price of a product in all shops of Billz 2. */
    protected function priceInBillz(string $id, string $price): void
    {
        self::$stack->billz('PATCH', 'products/' . $id, ['price' => array_fill_keys(array_column(self::$stack->billz('GET', 'shops'), 'name'), $price)]);
    }

    /** Billz id and product of goods that a run has created, in a fixed order. */
    protected function created(int $place): array
    {
        $sql = "SELECT source_key, target_key FROM tradesync_links l JOIN oc_product p ON p.product_id = l.target_key WHERE p.seller_id = 42 AND p.product_id > 7004 "
            . 'ORDER BY source_key LIMIT ' . $place . ', 1';

        return self::$stack->mysqli()->query($sql)->fetch_row();
    }

    /** Everything about a product that its form writes, but for numbers of rows and the date of the change. */
    protected function rows(string $product): array
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

    protected function login(string $user, string $password): void
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

    protected function administrator(): void
    {
        $this->login(OpenCart::ADMIN, OpenCart::PASSWORD);
    }

    /** A seller who is an admin user, before the product list. */
    protected function seller(string $name): void
    {
        $this->login($name, self::SELLER_PASSWORD);
        $this->page('catalog/product');
    }

    protected function page(string $route, string $more = ''): void
    {
        $token = self::$browser->run('return new URL(location.href).searchParams.get("user_token");');
        self::$browser->open(self::$shop->url . 'admin/index.php?route=' . $route . '&user_token=' . $token . $more);
        self::$browser->see('#content');
    }

    /** One of the administrator's pages. */
    protected function office(string $page, string $more = ''): void
    {
        $this->page('extension/module/tradesync', '&page=' . $page . $more);
    }

    protected function picture(string $name): void
    {
        self::$browser->screenshot(self::$pictures . '/' . $name . '.png');
    }

    /** Lines of the shop's log that our files brought. */
    protected function ourErrors(): array
    {
        return array_values(array_filter(explode("\n", self::$shop->errors()), function ($line) {
            return stripos($line, 'tradesync') !== false;
        }));
    }

    /** A second language of the storefront: OpenCart's own words stay English in it, ours are there. */
    protected function language(int $id, string $code, string $name): void
    {
        $folder = self::$shop->folder . 'catalog/language/' . $code;
        $english = self::$shop->folder . 'catalog/language/en-gb';
        exec('mkdir -p ' . escapeshellarg($folder) . ' && cp -rn ' . escapeshellarg($english . '/.') . ' ' . escapeshellarg($folder . '/'));
        rename($folder . '/en-gb.php', $folder . '/' . $code . '.php');
        $main = $folder . '/' . $code . '.php';
        file_put_contents($main, str_replace("= 'en'", "= '" . substr($code, 0, 2) . "'", file_get_contents($main)));
        self::$stack->mysqli()->query("INSERT INTO oc_language SET language_id = $id, name = '$name', code = '$code', locale = '" . substr($code, 0, 2) . "', image = '', directory = '', "
            . "sort_order = $id, status = 1");
        exec('rm -f ' . escapeshellarg(self::$shop->folder) . 'system/storage/cache/cache.*');
    }

    protected function speak(string $code): void
    {
        self::$browser->run('var x = new XMLHttpRequest(); x.open("POST", "index.php?route=common/language/language", false);'
            . 'x.setRequestHeader("Content-Type", "application/x-www-form-urlencoded"); x.send("code=" + arguments[0]);', [$code]);
    }

    private static function hash(): string
    {
        return sha1('abcdefghi' . sha1('abcdefghi' . sha1(self::SELLER_PASSWORD)));
    }

    /** Two sellers who are admin users, one who is a customer, and a column that says whose a product is, as marketplace modules have it. */
    private static function people(): void
    {
        $db = self::$stack->mysqli();
        $db->query("UPDATE oc_currency SET code = 'UZS', value = 1, symbol_left = '', symbol_right = ' soʻm' WHERE code = 'USD'");
        $db->query("UPDATE oc_setting SET value = 'UZS' WHERE `key` = 'config_currency'");
        $db->query('ALTER TABLE oc_product ADD seller_id INT NOT NULL DEFAULT 0');
        $permission = json_encode(['access' => ['catalog/product', 'common/column_left'], 'modify' => ['catalog/product']]);
        $db->query("INSERT INTO oc_user_group SET user_group_id = 20, name = 'Sellers', permission = '" . $db->real_escape_string($permission) . "'");
        foreach ([[42, 'aziza', 'Aziza', 'Karimova'], [43, 'botir', 'Botir', 'Rahimov']] as list($id, $login, $first, $last)) {
            $db->query("INSERT INTO oc_user SET user_id = $id, user_group_id = 20, username = '$login', salt = 'abcdefghi', password = '" . self::hash() . "', "
                . "firstname = '$first', lastname = '$last', email = '$login@example.com', image = '', code = '', ip = '', status = 1, date_added = NOW()");
        }
        $db->query("INSERT INTO oc_customer SET customer_id = 77, customer_group_id = 1, language_id = 1, firstname = 'Dilnoza', lastname = 'Yusupova', email = 'dilnoza@example.com', "
            . "telephone = '', fax = '', password = '" . self::hash() . "', salt = 'abcdefghi', custom_field = '', ip = '', status = 1, safe = 1, token = '', code = '', date_added = NOW()");
    }

    /** Products that the shop had before Billz: Aziza's, found by their article number. */
    private static function goods(): void
    {
        $db = self::$stack->mysqli();
        $all = self::$stack->billz('GET', 'products?limit=200');
        $times = array_count_values(array_column($all, 'sku'));
        self::$before = array_slice(array_values(array_filter($all, function ($good) use ($times) {
            return $good->kind === 'goods' && $good->sku !== '' && $times[$good->sku] === 1 && max(array_column((array)$good->shops, 'price')) > 1000;
        })), 0, 3);
        foreach ([[7001, 0], [7002, 1], [7003, 2], [7004, 2]] as list($id, $place)) {
            $sku = $db->real_escape_string(self::$before[$place]->sku);
            $db->query("INSERT INTO oc_product SET product_id = $id, model = 'OLD-$id', sku = '$sku', upc = '', ean = '', jan = '', isbn = '', mpn = '', location = '', quantity = 1, "
                . "stock_status_id = 7, manufacturer_id = 0, price = 1000, tax_class_id = 0, status = 1, seller_id = 42, date_added = NOW(), date_modified = NOW()");
            $db->query("INSERT INTO oc_product_description SET product_id = $id, language_id = 1, name = 'Old product $id', description = '', tag = '', meta_title = 'Old', "
                . "meta_description = '', meta_keyword = ''");
            $db->query("INSERT INTO oc_product_to_store SET product_id = $id, store_id = 0");
        }
    }
}
