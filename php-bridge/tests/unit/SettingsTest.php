<?php

declare(strict_types=1);

namespace TradesyncTests\Unit;

use PHPUnit\Framework\TestCase;
use Tradesync\Office;
use Tradesync\Problem;
use Tradesync\Seal;
use Tradesync\Seller;
use Tradesync\Settings;
use Tradesync\SettingsForm;
use Tradesync\Shop;
use TradesyncTests\Config;
use TradesyncTests\Stack;

require_once __DIR__ . '/../support/Fakes.php';

final class SettingsTest extends TestCase
{
    /** @var string */
    private $file;

    protected function setUp(): void
    {
        $this->file = sys_get_temp_dir() . '/tradesync-seal-' . bin2hex(random_bytes(6)) . '.php';
    }

    protected function tearDown(): void
    {
        @unlink($this->file);
    }

    public function testKeysNeverTravelReadableThroughTheInternet(): void
    {
        $taken = ['https://sync.example.com', 'https://sync.example.com:8443/base', 'http://127.0.0.1:8080', 'http://localhost:8080', 'http://10.1.2.3', 'http://tradesync:8080', 'http://[::1]:80'];
        foreach ($taken as $url) {
            self::assertSame('', Settings::addressFault($url), $url);
        }
        foreach (['http://sync.example.com', 'http://8.8.8.8', 'http://127.0.0.1.example.com'] as $url) {
            self::assertSame('plain', Settings::addressFault($url), $url);
        }
        foreach (['', 'sync.example.com', 'ftp://sync.example.com', 'https://user:password@sync.example.com', 'file:///etc/passwd', 'https://x/?a=b'] as $url) {
            self::assertSame('form', Settings::addressFault($url), $url);
        }
    }

    public function testKeysAreStoredSealedAndAnEmptyFieldLeavesThem(): void
    {
        $form = new SettingsForm($this->settings([]), null);
        self::assertTrue($form->read($this->post(), true), json_encode($form->view($this->settings([]), $this->texts())['faults']));
        $rows = $form->rows();
        foreach ($rows as $key => $value) {
            self::assertStringStartsWith(Settings::CODE . '_', $key, 'OpenCart drops other keys without a word');
            self::assertStringNotContainsString('ts_administrators', json_encode($value));
        }
        $stored = $this->settings($rows);
        self::assertSame('ts_administrators_key_0001', $stored->secret('admin_key'));
        self::assertSame(64, strlen($stored->secret('bridge_secret')));
        self::assertTrue($stored->isComplete());

        $again = new SettingsForm($stored, null);
        self::assertTrue($again->read(['admin_key' => '', 'seller_key' => '', 'url' => 'https://other.example.com'] + $this->post(), true));
        $rows = $again->rows();
        self::assertSame('https://other.example.com', $this->settings($rows)->get('url'));
        self::assertSame('ts_administrators_key_0001', $this->settings($rows)->secret('admin_key'));
        self::assertSame($stored->secret('bridge_secret'), $this->settings($rows)->secret('bridge_secret'));
        self::assertStringNotContainsString('ts_', json_encode($again->view($stored, $this->texts())['values']));
    }

    public function testEveryWrongFieldIsNamed(): void
    {
        $wrong = [
            'url' => 'http://sync.example.com', 'admin_key' => 'short', 'seller_key' => 'with a space in the middle', 'database_url' => 'postgres://x',
            'user_group_id' => '0', 'route' => '../admin', 'timezone' => 'Tashkent', 'ca_file' => '/nonexistent.pem',
            'ownership' => ['kind' => 'link_table', 'link_table' => 'a`b', 'product_column' => '', 'seller_column' => 'seller_id'],
        ];
        $form = new SettingsForm($this->settings([]), null);
        self::assertFalse($form->read($wrong + $this->post(), true));
        $faults = array_keys($form->view($this->settings([]), $this->texts())['faults']);
        sort($faults);
        $expected = ['admin_key', 'ca_file', 'database_url', 'ownership_link_table', 'ownership_product_column', 'route', 'seller_key', 'timezone', 'url', 'user_group_id', 'warning'];
        self::assertSame($expected, $faults);
    }

    public function testWithoutTheRightNothingIsRead(): void
    {
        $form = new SettingsForm($this->settings([]), null);
        self::assertFalse($form->read($this->post(), false));
        self::assertSame(['warning'], array_keys($form->view($this->settings([]), $this->texts())['faults']));
    }

    public function testAnUnsetKeyIsTold(): void
    {
        $this->expectException(Problem::class);
        $this->settings(['module_tradesync_url' => 'https://sync.example.com'])->admin()->get('/connections');
    }

    public function testTheFormsDefaultsAreThoseOfTheService(): void
    {
        $service = json_decode(file_get_contents(Stack::root() . '/src/flows/billz_opencart/settings/defaults.json'), true);
        foreach (Office::DEFAULTS as $name => $value) {
            self::assertSame($service[$name], $value, $name);
        }
    }

    public function testOwnershipIsFilledInPerSeller(): void
    {
        $seller = new Seller('seller', '42', 'Aziza', true);
        $own = function (array $ownership) use ($seller) {
            $settings = $this->settings(['module_tradesync_ownership' => $ownership]);

            return (new Shop($settings, 'https://shop.example/'))->settings($seller);
        };
        self::assertSame('https://shop.example/index.php?route=extension/module/tradesync', $own([])['bridge_url']);
        self::assertSame('oc_', $own([])['table_prefix']);
        self::assertNull($own([])['seller']['link_table']);
        $table = $own(['kind' => 'link_table', 'link_table' => 'vendor', 'product_column' => 'p', 'seller_column' => 's', 'extra' => "is_approved = 1\nnonsense\n"]);
        self::assertSame(
            ['link_table' => 'vendor', 'product_column' => 'p', 'seller_column' => 's', 'seller_value' => '42', 'extra' => ['is_approved' => '1'], 'product_table_column' => null],
            $table['seller']
        );
        $column = $own(['kind' => 'product_column', 'product_table_column' => 'seller_id']);
        self::assertSame('seller_id', $column['seller']['product_table_column']);
        self::assertSame('42', $column['seller']['seller_value']);
        self::assertNull($column['seller']['link_table']);
    }

    private function settings(array $rows): Settings
    {
        return new Settings(new Config($rows), null, new Seal($this->file), 'ru');
    }

    private function post(): array
    {
        return [
            'url' => 'https://sync.example.com/', 'ca_file' => '', 'admin_key' => 'ts_administrators_key_0001', 'seller_key' => 'ts_sellers_key_000000001',
            'database_url' => '', 'sellers' => 'users', 'user_group_id' => '20', 'customer_group_id' => '0', 'table' => [], 'route' => '',
            'timezone' => 'Asia/Tashkent', 'ownership' => ['kind' => 'none'],
        ];
    }

    private function texts(): array
    {
        return \Tradesync\Words::all('en');
    }
}
