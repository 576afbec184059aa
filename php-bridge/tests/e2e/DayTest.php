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
        self::$stack->billz('PUT', 'switches', ['photos' => self::$stack->billz2 . '/photos']);
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
        self::$browser->click('a[href*="install&"][href*="extension=tradesync"]');
        self::$browser->see('a[href*="uninstall"][href*="extension=tradesync"]');
        self::assertSame([], $this->ourErrors());
    }

    private static function people(): void
    {
        $db = self::$stack->mysqli();
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
